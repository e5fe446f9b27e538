"""Captures read back as they were written; whatever is wrong with a file is counted, not raised."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.capture import read_capture
from jrr_core.errors import ConfigError
from jrr_core.frame import Frame
from jrr_core.lines import Damage
from jrr_core.tape import Received

TS = 1_723_161_255_030_314_667
LINES = [f'{TS + n} {{"n":{n}}}' for n in range(5)]


def frames_of(path: Path) -> list[tuple[str | None, Frame]]:
    found = []
    for item in read_capture(path, "x"):
        assert isinstance(item, Received)
        found.append((item.session, item.frame))
    return found


def damages_of(path: Path) -> list[tuple[int, str]]:
    return [(item.line, item.reason) for item in read_capture(path, "x") if isinstance(item, Damage)]


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("end", ["\n", ""])
def test_plain_lines_are_known_by_content_not_by_name(
    tmp_path: Path, packed: Callable[[bytes], bytes], end: str
) -> None:
    data = ("\r\n".join(LINES) + end).encode()
    file = tmp_path / "named.csv"
    file.write_bytes(packed(data))
    assert frames_of(file) == [(None, Frame("x", f'{{"n":{n}}}', TS + n)) for n in range(5)]


def test_a_byte_order_mark_belongs_to_no_line(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + "\n".join(LINES).encode()
    for number, content in enumerate((data, gzip.compress(data))):
        file = tmp_path / str(number)
        file.write_bytes(content)
        assert len(frames_of(file)) == 5


def test_gzip_members_may_follow_one_another(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"".join(gzip.compress(f"{line}\n".encode()) for line in LINES) + b"\0" * 100)
    assert len(frames_of(file)) == 5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("garbage", "neither a capture entry"),
        (f"{TS}", "neither a capture entry"),
        (f"{TS} ", "neither a capture entry"),
        ("-5 {}", "neither a capture entry"),
        ("1723161255030 {}", "not a time in nanoseconds"),
        ("9999999999999999999 {}", "not a time in nanoseconds"),
        ("123456789012345678901234567890 {}", "not a time in nanoseconds"),
        ("{", "not a capture entry"),
        ("{}", "not a capture entry"),
        ('{"ts":0,"exchange":"x","session":"s","payload":""}', "0 is not a time"),
        ('{"ts":1,"exchange":"x","session":"s","payload":"!","form":"base64"}', "not a capture entry"),
        ('{"ts":1,"exchange":"x","session":"s","payload":"","form":"zip"}', "of a newer jrr"),
    ],
)
def test_a_line_that_holds_no_frame_is_damage_and_the_rest_is_read(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "f"
    file.write_text("\n".join([LINES[0], "", line, LINES[1]]))
    ((number, reason),) = damages_of(file)
    assert (number, said in reason) == (3, True)
    assert len(list(read_capture(file, "x"))) == 3


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(f"{TS} ".encode() + b"\xff\xfe\n" + LINES[0].encode())
    assert damages_of(file) == [(1, "not UTF-8 text")]


def test_a_truncated_gzip_gives_what_is_whole_and_one_damage(tmp_path: Path) -> None:
    lines = [f'{TS + n} {{"n":{n * n * 7919}}}' for n in range(5_000)]
    whole = gzip.compress("\n".join(lines).encode())
    file = tmp_path / "f"
    file.write_bytes(whole[: len(whole) // 2])
    found = list(read_capture(file, "x"))
    assert isinstance(found[-1], Damage)
    assert "ends inside its gzip stream" in found[-1].reason
    assert numbers_of(file) == list(range(len(found) - 1))
    assert found[-1].line == len(found)
    assert len(found) > 1_000


def pieces() -> list[bytes]:
    """Lines in zstd frames of a hundred each, with checksums."""
    packer = zstandard.ZstdCompressor(write_checksum=True)
    lines = [f'{TS + n} {{"n":{n * n * 7919}}}\n' for n in range(500)]
    return [packer.compress("".join(lines[at : at + 100]).encode()) for at in range(0, 500, 100)]


def numbers_of(path: Path) -> list[int]:
    return [item.frame.ts_recv - TS for item in read_capture(path, "x") if isinstance(item, Received)]


def test_a_damaged_piece_of_zstd_costs_only_itself(tmp_path: Path) -> None:
    whole = pieces()
    broken = bytearray(whole[2])
    broken[len(broken) // 2] ^= 0x10
    file = tmp_path / "f"
    file.write_bytes(b"".join([*whole[:2], bytes(broken), *whole[3:]]))
    assert numbers_of(file) == [*range(200), *range(300, 500)]
    ((_, reason),) = damages_of(file)
    assert "a piece of the zstd stream is damaged and left out" in reason


def test_a_wrong_digit_behind_a_right_packing_is_noticed(tmp_path: Path) -> None:
    """A flipped bit that still unpacks must not become a price: the checksum of its piece tells."""
    stored = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(f'{TS} {{"p":"61837.63"}}\n'.encode())
    at = stored.index(b"61837")
    file = tmp_path / "f"
    file.write_bytes(stored[:at] + b"71837" + stored[at + 5 :])
    assert numbers_of(file) == []
    assert len(damages_of(file)) == 1


def test_a_zstd_stream_that_is_cut_off_reads_up_to_there(tmp_path: Path) -> None:
    whole = pieces()
    file = tmp_path / "f"
    file.write_bytes(b"".join(whole[:2]) + whole[2][:-20])
    assert numbers_of(file)[:200] == list(range(200))
    assert "ends inside its zstd stream" in damages_of(file)[-1][1]


def test_a_zstd_frame_may_begin_anywhere_in_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pieces()
    broken = bytearray(whole[1])
    broken[30:60] = b"\0" * 30
    file = tmp_path / "f"
    file.write_bytes(b"".join([whole[0], bytes(broken), *whole[2:]]))
    for chunk in (1, 3, 7, 64, 1000):
        monkeypatch.setattr("jrr_core.lines._CHUNK", max(chunk, 4))
        assert numbers_of(file) == [*range(100), *range(200, 500)]


def test_a_wrong_checksum_costs_no_line(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{line}\n" for line in LINES).encode())
    file = tmp_path / "f"
    file.write_bytes(whole[:-8] + b"\0" * 8)
    *found, last = read_capture(file, "x")
    assert len(found) == 5
    assert last == Damage(6, "the gzip stream is damaged: Error -3 while decompressing data: incorrect data check")


def test_lines_before_a_flipped_bit_are_read(tmp_path: Path) -> None:
    lines = [f'{TS + n} {{"n":{n * n * 7919}}}' for n in range(5_000)]
    damaged = bytearray(gzip.compress("\n".join(lines).encode()))
    damaged[len(damaged) // 2 :] = b"\xff" * 2_000
    file = tmp_path / "f"
    file.write_bytes(damaged)
    found = list(read_capture(file, "x"))
    assert len(found) > 1_000
    assert numbers_of(file)[:1_000] == list(range(1_000))
    assert isinstance(found[-1], Damage)


def test_behind_a_line_too_long_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.lines._MAX_LINE", 300_000)
    file = tmp_path / "f"
    file.write_text("\n".join([LINES[0], "x" * 2_000_000, *LINES[1:], "y" * 1_000_000]))
    assert damages_of(file) == [(2, "a line of more than 300000 bytes"), (7, "a line of more than 300000 bytes")]
    assert sum(not isinstance(item, Damage) for item in read_capture(file, "x")) == 5


@given(st.binary(max_size=200), st.integers(0, 400), st.sampled_from([bytes, gzip.compress, zstandard.compress]))
def test_any_bytes_give_frames_or_damage(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, where: int, packed: Callable[[bytes], bytes]
) -> None:
    data = packed("\n".join(LINES).encode())
    file = tmp_path_factory.mktemp("c") / "f"
    file.write_bytes(data[:where] + noise + data[where:])
    for item in read_capture(file, "x"):
        assert isinstance(item, (Damage, Received))


def test_what_the_user_must_change_is_a_config_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigError, match="cannot read the capture"):
            list(read_capture(path, "x"))
    file = tmp_path / "f"
    file.write_text(LINES[0])
    with pytest.raises(ConfigError, match="add --exchange NAME"):
        list(read_capture(file))


def test_recorded_exchange_data_reads_whole(realdata: Path) -> None:
    counts = {}
    for file in sorted((realdata / "hftbacktest").glob("*.gz")):
        items = list(read_capture(file, "x"))
        counts[file.name] = len(items)
        assert not [item for item in items if isinstance(item, Damage)]
    assert sorted(counts.values()) == [41_249, 93_954]
