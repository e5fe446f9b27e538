"""Captures read back as they were written; whatever is wrong with a file is counted, not raised."""

import gzip
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.capture import Capture, CaptureSettings, read_capture
from jrr_core.errors import ConfigError
from jrr_core.frame import Frame
from jrr_core.lines import Damage

TS = 1_723_161_255_030_314_667
LINES = [f'{TS + n} {{"n":{n}}}' for n in range(5)]


def write(folder: Path, frames: list[tuple[str, Frame]], flush_s: float = 60.0) -> Path:
    capture = Capture(CaptureSettings(path=str(folder), flush_s=flush_s))
    for session, frame in frames:
        capture.frame(session, frame)
    capture.close()
    assert (capture.kept, capture.lost) == (len(frames), 0)
    return capture.file


def frames_of(path: Path) -> list[tuple[str | None, Frame]]:
    found = []
    for item in read_capture(path, "x"):
        assert not isinstance(item, Damage)
        found.append(item)
    return found


def damages_of(path: Path) -> list[tuple[int, str]]:
    return [(item.line, item.reason) for item in read_capture(path, "x") if isinstance(item, Damage)]


frames = st.builds(
    Frame,
    exchange=st.text(max_size=5),
    payload=st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.binary(max_size=40),
    ts_recv=st.integers(1, 2**63 - 1),
    tag=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    status=st.integers(100, 599),
)


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), frames), max_size=8))
def test_what_is_captured_reads_back(
    tmp_path_factory: pytest.TempPathFactory, captured: list[tuple[str, Frame]]
) -> None:
    assert frames_of(write(tmp_path_factory.mktemp("c"), captured)) == captured


def test_captures_are_gzip_lines_that_people_can_read(tmp_path: Path) -> None:
    file = write(tmp_path / "new" / "folder", [("s.1", Frame("x", b'{"a":1}', TS, "depth:BTC", 200))])
    assert [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()] == [
        {"ts": TS, "exchange": "x", "session": "s.1", "payload": '{"a":1}', "tag": "depth:BTC"}
    ]


def test_each_run_has_its_own_file(tmp_path: Path) -> None:
    assert write(tmp_path, []) != write(tmp_path, [])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_killed_run_leaves_a_file_that_reads_up_to_the_last_flush(tmp_path: Path) -> None:
    capture = Capture(CaptureSettings(path=str(tmp_path), flush_s=0.01))
    capture.frame("s", Frame("x", "one", TS))
    capture.frame("s", Frame("x", "two", TS))
    deadline = time.monotonic() + 5
    while capture.kept < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    left = tmp_path / "left.gz"
    left.write_bytes(capture.file.read_bytes())
    capture.close()
    found = list(read_capture(left))
    assert [item[1].payload for item in found[:2] if not isinstance(item, Damage)] == ["one", "two"]
    assert isinstance(found[2], Damage)
    assert len(found) == 3


def test_capturing_stops_at_its_size_and_says_what_it_lost(tmp_path: Path) -> None:
    capture = Capture(CaptureSettings(path=str(tmp_path), flush_s=0.01, max_bytes=1))
    capture.frame("s", Frame("x", "one", TS))
    deadline = time.monotonic() + 5
    while not capture.lost and time.monotonic() < deadline:
        time.sleep(0.01)
        capture.frame("s", Frame("x", "more", TS))
    capture.close()
    assert capture.lost >= 1
    assert len(frames_of(capture.file)) == capture.kept


def test_a_folder_that_cannot_be_made_is_the_users_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"capture\.path: cannot write .*choose another folder"):
        Capture(CaptureSettings(path=str(tmp_path / "file" / "below")))


def test_a_full_disk_stops_capturing_and_nothing_else() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    capture = Capture(CaptureSettings(path="/tmp", flush_s=60.0))
    capture.file.unlink()
    capture._out.close()
    capture._out = full.open("wb")
    capture.frame("s", Frame("x", "one", TS))
    capture.close()
    assert capture.kept == 0


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", ["\n", ""])
def test_plain_lines_are_known_by_content_not_by_name(tmp_path: Path, packed: bool, end: str) -> None:
    data = ("\r\n".join(LINES) + end).encode()
    file = tmp_path / "named.csv"
    file.write_bytes(gzip.compress(data) if packed else data)
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
    assert [item[1].ts_recv - TS for item in found[:-1] if not isinstance(item, Damage)] == list(range(len(found) - 1))
    assert found[-1].line == len(found)
    assert len(found) > 1_000


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
    assert all(not isinstance(item, Damage) and item[1].ts_recv == TS + n for n, item in enumerate(found[:1_000]))
    assert isinstance(found[-1], Damage)


def test_behind_a_line_too_long_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.lines._MAX_LINE", 300_000)
    file = tmp_path / "f"
    file.write_text("\n".join([LINES[0], "x" * 2_000_000, *LINES[1:], "y" * 1_000_000]))
    assert damages_of(file) == [(2, "a line of more than 300000 bytes"), (7, "a line of more than 300000 bytes")]
    assert sum(not isinstance(item, Damage) for item in read_capture(file, "x")) == 5


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_any_bytes_give_frames_or_damage(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, where: int, packed: bool
) -> None:
    data = "\n".join(LINES).encode()
    data = gzip.compress(data) if packed else data
    file = tmp_path_factory.mktemp("c") / "f"
    file.write_bytes(data[:where] + noise + data[where:])
    for item in read_capture(file, "x"):
        assert isinstance(item, Damage) or isinstance(item[1], Frame)


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
