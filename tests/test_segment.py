"""The records of a spool file, whole, cut off anywhere and damaged anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.segment import HEAD_BYTES, START_BYTES, VERSION, Damage, Record, head, record, scan, start, version_of

PAYLOADS = [b"first", b"", b"a third one \xc1jr\n with a mark inside", bytes(50)]
COUNTS = [2, 1, 40, 7]


def written(payloads: list[bytes] = PAYLOADS, counts: list[int] = COUNTS) -> bytes:
    data, before = b"", 0
    for payload, count in zip(payloads, counts, strict=True):
        data += record(payload, count, before)
        before += count
    return data


def ends() -> list[int]:
    found = [0]
    for payload in PAYLOADS:
        found.append(found[-1] + HEAD_BYTES + len(payload))
    return found


def whole(data: bytes) -> list[Record]:
    return [item for item in scan(data) if isinstance(item, Record)]


def damage(data: bytes) -> list[Damage]:
    return [item for item in scan(data) if isinstance(item, Damage)]


def test_records_come_back_with_their_places() -> None:
    found = whole(written())
    assert [item.payload for item in found] == PAYLOADS
    assert [(item.count, item.before) for item in found] == [(2, 0), (1, 2), (40, 3), (7, 43)]
    assert [0, *[item.end for item in found]] == ends()
    assert damage(written()) == []


def test_reading_may_begin_behind_any_record() -> None:
    data, base = written(), 1000
    for number, at in enumerate(ends()[:-1]):
        found = list(scan(data, sum(COUNTS[:number]), base=base, at=at))
        assert [item.payload for item in found if isinstance(item, Record)] == PAYLOADS[number:]
        assert found[0].offset == base + at


@pytest.mark.parametrize("size", range(len(written())))
def test_a_file_cut_off_anywhere_gives_what_is_whole(size: int) -> None:
    data = written()[:size]
    kept = sum(end <= size for end in ends()[1:])
    assert [item.payload for item in whole(data)] == PAYLOADS[:kept]
    torn = damage(data)
    assert len(torn) == (size not in ends())
    for item in torn:
        assert (item.offset, item.end, item.count, item.torn) == (ends()[kept], size, None, True)


@pytest.mark.parametrize("at", range(len(written())))
def test_a_byte_damaged_anywhere_costs_its_record_and_tells_how_many_events(at: int) -> None:
    data = bytearray(written())
    data[at] ^= 0x5A
    hit = max(number for number, end in enumerate(ends()) if end <= at)
    assert [item.payload for item in whole(bytes(data))] == PAYLOADS[:hit] + PAYLOADS[hit + 1 :]
    (found,) = damage(bytes(data))
    assert (found.offset, found.end) == (ends()[hit], ends()[hit + 1])
    if hit < len(PAYLOADS) - 1:
        assert (found.count, found.torn) == (COUNTS[hit], False)


def test_a_damaged_last_record_is_told_from_one_cut_off() -> None:
    data = bytearray(written())
    data[-1] ^= 1
    (found,) = damage(bytes(data))
    assert (found.count, found.torn) == (7, False)


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_any_bytes_are_read_to_their_end(junk: bytes, tail: bytes) -> None:
    data = junk + record(b"whole", 3, 0) + tail
    found = list(scan(data))
    assert found[0].offset == 0
    assert found[-1].end == len(data)
    assert all(one.end == other.offset for one, other in pairwise(found))
    assert b"whole" in [item.payload for item in found if isinstance(item, Record)]


def test_the_header_states_its_version() -> None:
    assert len(start()) == START_BYTES
    assert version_of(start()) == VERSION
    assert version_of(start(9) + b"more") == 9
    assert version_of(start()[:-1]) is None
    assert version_of(b"X" + start()[1:]) is None


def test_a_head_tells_size_and_counts() -> None:
    assert head(record(b"abc", 5, 9)) == (HEAD_BYTES + 3, 5, 9)
    assert head(b"no head, for want of its mark") is None
    assert head(record(b"", 1, 1)[:-1]) is None
