"""What lies in a spool, for people to look at: read without taking the folder from whoever uses it."""

from pathlib import Path
from typing import Any

from attrs import define

from . import segment
from .errors import ParseError
from .packing import Kinds, unpack
from .segment import Record
from .spool import check_version, files


@define(frozen=True)
class Inventory:
    """The spool of one sink: files, events and bytes in it, when its first and last event came (int ns UTC).

    `damaged` are places that cannot be read. A file counts as a whole, also
    where a collector has stored part of it. Times are None where no event
    that can be read has one.
    """

    sink: str
    segments: int
    events: int
    bytes: int
    oldest_ns: int | None
    newest_ns: int | None
    damaged: int


def folders(path: Path) -> list[Path]:
    """Return the folders in a spool that hold events, by name."""
    try:
        return sorted(folder for folder in path.iterdir() if folder.is_dir() and files(folder))
    except FileNotFoundError:
        return []


def inventory(folder: Path, kinds: Kinds) -> Inventory:
    """Read all files of a folder; raises ConfigError for those of a newer jrr."""
    segments = events = size = damaged = 0
    oldest: int | None = None
    newest: int | None = None
    for _, path in files(folder):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            # All in it was stored in this moment.
            continue
        check_version(path, data)
        found = list(segment.scan(data, at=segment.START_BYTES))
        records = [each for each in found if isinstance(each, Record)]
        segments, size = segments + 1, size + len(data)
        events += sum(each.count for each in records)
        damaged += sum(not isinstance(each, Record) and not each.torn for each in found)
        if records:
            oldest = _received(records[0], 0, kinds) if oldest is None else oldest
            newest = _received(records[-1], -1, kinds) or newest
    return Inventory(folder.name, segments, events, size, oldest, newest, damaged)


def _received(record: Record, which: int, kinds: Kinds) -> int | None:
    """Return when the first (0) or last (-1) event of a record came, as far as that is known."""
    try:
        found: list[Any] = list(unpack(record.payload, kinds))
    except ParseError:
        return None
    times = [event.ts_recv for event in found if isinstance(getattr(event, "ts_recv", None), int)]
    return times[which] if times else None
