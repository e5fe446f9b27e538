"""Coverage in the journal: the ranges that stream events draw, in the writer's transaction."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import fields

from jrr_core.sink import StreamKey
from jrr_core.store import Range
from jrr_core.timelines import Timelines

from .relations import kind_of


def timelines(db: sqlite3.Connection) -> Timelines:
    """Return the timelines of a journal, none of whose sessions is live."""

    def load(stream: StreamKey) -> Iterable[Range]:
        found = db.execute(
            "SELECT * FROM coverage WHERE exchange = ? AND channel = ? AND symbol = ? ORDER BY ts_from", _names(stream)
        )
        return [Range(*row) for row in found]

    return Timelines(load)


def put(db: sqlite3.Connection, lines: Timelines) -> None:
    """Store the ranges that changed."""
    for stream, after, changed in lines.changes():
        db.execute(
            "DELETE FROM coverage WHERE exchange = ? AND channel = ? AND symbol = ? AND ts_from > ?",
            (*_names(stream), -(2**63) if after is None else after),
        )
        rows = [(*_names(stream), r.ts_from, r.ts_to, r.state, r.reason, r.missing) for r in changed]
        db.executemany("INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def ranges(db: sqlite3.Connection) -> list[Range]:
    """Return the coverage ranges in order of stream and time."""
    return [Range(*row) for row in db.execute("SELECT * FROM coverage ORDER BY exchange, channel, symbol, ts_from")]


def table(db: sqlite3.Connection) -> Mapping[str, tuple[str, Sequence[Any]]]:
    """Return the coverage ranges as {column: (Arrow type, values)}."""
    found = ranges(db)
    return {
        field.name: (kind_of(field.type).arrow, [getattr(item, field.name) for item in found])
        for field in fields(Range)
    }


def _names(stream: StreamKey) -> tuple[str, str, str]:
    return stream.exchange, stream.channel, stream.symbol
