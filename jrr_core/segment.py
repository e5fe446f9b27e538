"""The form of a spool file: a header, then records one after the other; read as far as they are whole.

    header:  "JRRSPOOL", version (u32), CRC-32 of both
    record:  mark (4 bytes), length of the payload, CRC-32 of what follows, events in it, events before it in
             this file (u32 each, little-endian), payload

What is damaged is passed over: the next mark whose record is whole goes on, and
its "events before" tells how many were lost. Bytes in, records out; no files.
"""

import struct
import zlib
from collections.abc import Iterator

from attrs import define

VERSION = 1
_MAGIC = b"JRRSPOOL"
_START = struct.Struct("<8sII")
# 0xC1 is the one byte that msgpack never writes.
_MARK = b"\xc1jr\n"
_HEAD = struct.Struct("<4sIIII")
_COUNTS = struct.Struct("<II")

START_BYTES = _START.size
HEAD_BYTES = _HEAD.size


@define(frozen=True)
class Record:
    """`count` events; `offset` and `end` are bytes of the file, `before` the events that precede it there."""

    offset: int
    end: int
    count: int
    before: int
    payload: bytes


@define(frozen=True)
class Damage:
    """Bytes that are no record; `count` events were in them, None unknown. `torn`: the file ends inside a record."""

    offset: int
    end: int
    count: int | None
    torn: bool


def start(version: int = VERSION) -> bytes:
    """Return the header of a file."""
    return _START.pack(_MAGIC, version, zlib.crc32(struct.pack("<8sI", _MAGIC, version)))


def version_of(data: bytes) -> int | None:
    """Return the version a file's beginning states, None where it is no whole header."""
    if len(data) < START_BYTES:
        return None
    magic, version, crc = _START.unpack_from(data)
    whole = magic == _MAGIC and crc == zlib.crc32(data[: START_BYTES - 4])
    return int(version) if whole else None


def record(payload: bytes, count: int, before: int) -> bytes:
    """Return one record."""
    crc = zlib.crc32(payload, zlib.crc32(_COUNTS.pack(count, before)))
    return _HEAD.pack(_MARK, len(payload), crc, count, before) + payload


def head(data: bytes) -> tuple[int, int, int] | None:
    """Return (bytes of the whole record, events, events before) as a head states them, None where it is no head."""
    if len(data) < HEAD_BYTES or data[:4] != _MARK:
        return None
    _, length, _, count, before = _HEAD.unpack_from(data)
    return HEAD_BYTES + length, count, before


def scan(data: bytes, before: int = 0, *, base: int = 0, at: int = 0) -> Iterator[Record | Damage]:
    """Yield what is in `data` from `at` on; it stands at `base` in the file, and `before` events precede it there."""
    while at < len(data):
        whole = _whole(data, at, base)
        if whole is None:
            damage = _damage(data, at, base, before)
            before += damage.count or 0
            at = damage.end - base
            yield damage
        else:
            before = whole.before + whole.count
            at = whole.end - base
            yield whole


def _whole(data: bytes, at: int, base: int) -> Record | None:
    """Return the record at `at`, if there is a whole one."""
    if data[at : at + 4] != _MARK or len(data) - at < HEAD_BYTES:
        return None
    _, length, crc, count, before = _HEAD.unpack_from(data, at)
    end = at + HEAD_BYTES + length
    if end > len(data):
        return None
    payload = data[at + HEAD_BYTES : end]
    if crc != zlib.crc32(payload, zlib.crc32(_COUNTS.pack(count, before))):
        return None
    return Record(base + at, base + end, count, before, payload)


def _damage(data: bytes, at: int, base: int, before: int) -> Damage:
    follows = data.find(_MARK, at + 1)
    while follows >= 0:
        found = _whole(data, follows, base)
        if found is not None:
            return Damage(base + at, base + follows, max(found.before - before, 0), torn=False)
        follows = data.find(_MARK, follows + 1)
    told = head(data[at : at + HEAD_BYTES])
    if told is not None and at + told[0] == len(data) and told[2] == before:
        return Damage(base + at, base + len(data), told[1], torn=False)
    return Damage(base + at, base + len(data), None, torn=True)
