"""Coverage in the journal: stream events in, ranges redrawn, both in the writer's transaction.

Nothing here is kept until `commit`, so a transaction that fails leaves the
sessions that are live as they were.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import fields

from jrr_core.coverage import Timeline
from jrr_core.events import StreamEvent
from jrr_core.sink import StreamKey
from jrr_core.store import Range

from .relations import kind_of

_BEAT_NS = 10**9


class Ledger:
    """The Timelines of every stream spoken of since the journal was opened."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Start with no session live; earlier ranges are read when their stream is first spoken of."""
        self._connection = connection
        self._lines: dict[StreamKey, Timeline] = {}
        self._staged: dict[StreamKey, Timeline] = {}
        self._beat = 0

    def write(self, events: Iterable[StreamEvent]) -> None:
        """Redraw the ranges that these events, none of which was stored before, change."""
        for event in events:
            self._stage(StreamKey(event.exchange, event.what, event.symbol)).apply(event)
        self._store()

    def heartbeat(self, ts: int) -> None:
        """Let the live ranges reach to `ts` (int ns), at most once a second."""
        if abs(ts - self._beat) >= _BEAT_NS:
            self._beat = ts
            for line in self._live():
                line.heartbeat(ts)
            self._store()

    def end(self, ts: int) -> None:
        """End the live ranges at `ts`: the store is being closed in order."""
        for line in self._live():
            line.heartbeat(ts)
            line.close()
        self._store()

    def commit(self) -> None:
        """Keep what was staged: the transaction is in the journal."""
        self._lines |= self._staged
        self._staged.clear()

    def rollback(self) -> None:
        """Forget what was staged: the transaction is not in the journal."""
        self._staged.clear()

    def _live(self) -> list[Timeline]:
        return [self._stage(stream) for stream, line in (self._lines | self._staged).items() if line.live]

    def _stage(self, stream: StreamKey) -> Timeline:
        if stream not in self._staged:
            line = self._lines.get(stream)
            self._staged[stream] = line.copy() if line else self._load(stream)
        return self._staged[stream]

    def _load(self, stream: StreamKey) -> Timeline:
        names = (stream.exchange, stream.channel, stream.symbol)
        found = self._connection.execute(
            "SELECT ts_from, ts_to, state, reason, missing FROM coverage "
            "WHERE exchange = ? AND channel = ? AND symbol = ? ORDER BY ts_from",
            names,
        )
        return Timeline(*names, [Range(*names, *row) for row in found])

    def _store(self) -> None:
        for stream, line in self._staged.items():
            changes = line.changes()
            if changes is None:
                continue
            after, ranges = changes
            names = (stream.exchange, stream.channel, stream.symbol)
            self._connection.execute(
                "DELETE FROM coverage WHERE exchange = ? AND channel = ? AND symbol = ? AND ts_from > ?",
                (*names, -(2**63) if after is None else after),
            )
            rows = [(*names, r.ts_from, r.ts_to, r.state, r.reason, r.missing) for r in ranges]
            self._connection.executemany("INSERT INTO coverage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


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
