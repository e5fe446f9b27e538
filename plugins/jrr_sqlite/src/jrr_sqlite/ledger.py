"""Stream events and coverage in the file: what is stored and the ranges drawn from it change together.

Works inside the writer's transaction. Nothing here is kept until `commit`, so
a transaction that fails leaves the sessions that are live as they were.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from jrr_core.coverage import Timeline
from jrr_core.events import StreamEvent
from jrr_core.store import Range

from .tables import Streams

_BEAT_NS = 1_000_000_000
_ROWS_AT_ONCE = 80  # 11 columns: within 999 variables, the limit of older libraries
_COLUMNS = "(stream, type, session, ts_recv, first, last, ts_event, reason, count, ts_from, ts_to)"
_KEY = 6  # columns of the key, which come first
_KNOWN = "ON CONFLICT (stream, type, session, ts_recv, first, last) DO NOTHING"


class Ledger:
    """The Timelines of every stream spoken of since the file was opened."""

    def __init__(self, connection: sqlite3.Connection, streams: Streams) -> None:
        """Start with no session live; earlier ranges are read when their stream is first spoken of."""
        self._connection = connection
        self._streams = streams
        self._lines: dict[int, Timeline] = {}
        self._staged: dict[int, Timeline] = {}
        self._drawn: set[int] = set()  # streams that have, or may have, stored ranges
        self._beat = 0

    def write(self, events: Sequence[StreamEvent]) -> int:
        """Store the events, redraw the ranges they change, and return how many were new."""
        rows = [self._row(event) for event in events]
        fresh = self._insert(rows)
        for index in fresh:
            event = events[index]
            self._stage(rows[index][0], event.exchange, event.what, event.symbol).apply(event)
        self._store(shorten=True)
        return len(fresh)

    def heartbeat(self, ts: int) -> None:
        """Let the live ranges reach to `ts` (int ns), at most once a second."""
        if abs(ts - self._beat) < _BEAT_NS:
            return
        self._beat = ts
        for stream, line in [*self._lines.items()]:
            if line.live:
                self._staged.setdefault(stream, line.copy()).heartbeat(ts)
        self._store()

    def end(self, ts: int) -> None:
        """End the live ranges at `ts`: the file is being closed in order."""
        self._beat = 0
        self.heartbeat(ts)
        for stream, line in [*self._lines.items()]:
            if line.live:
                self._staged.setdefault(stream, line.copy()).close()
        self._store()

    def commit(self) -> None:
        """Keep what was staged: the transaction is in the file."""
        self._lines |= self._staged
        self._staged.clear()

    def rollback(self) -> None:
        """Forget what was staged: the transaction is not in the file."""
        self._staged.clear()

    def _row(self, e: StreamEvent) -> tuple[Any, ...]:
        first, last = e.sequences if e.sequences is not None else ("", "")
        return (
            self._streams[e.exchange, e.symbol, e.what], e.type, e.session, e.ts_recv, first, last,
            e.ts_event, e.reason, e.count, e.ts_from, e.ts_to,
        )  # fmt: skip

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> list[int]:
        """Store the rows whose key is not there and return their indexes, in order."""
        unique: dict[tuple[Any, ...], int] = {}
        for index, row in enumerate(rows):
            unique.setdefault(row[:_KEY], index)
        indexes = [*unique.values()]
        execute = self._connection.execute
        execute("SAVEPOINT together")
        if self._put([rows[index] for index in indexes]) < len(indexes):
            execute("ROLLBACK TO together")  # some were there: find out which
            indexes = [index for index in indexes if self._put([rows[index]])]
        execute("RELEASE together")
        return indexes

    def _put(self, rows: Sequence[tuple[Any, ...]]) -> int:
        before = self._connection.total_changes
        for some in _portions(rows):
            sql = f"INSERT INTO stored_stream_events {_COLUMNS} VALUES {_values(11, len(some))} {_KNOWN}"
            self._connection.execute(sql, [*chain.from_iterable(some)])
        return self._connection.total_changes - before

    def _stage(self, stream: int, exchange: str, channel: str, symbol: str) -> Timeline:
        if stream not in self._staged:
            line = self._lines.get(stream)
            self._staged[stream] = line.copy() if line else self._load(stream, exchange, channel, symbol)
        return self._staged[stream]

    def _load(self, stream: int, exchange: str, channel: str, symbol: str) -> Timeline:
        found = self._connection.execute(
            "SELECT ts_from, ts_to, state, reason, missing FROM stored_coverage WHERE stream = ? ORDER BY ts_from",
            (stream,),
        ).fetchall()
        if found:
            self._drawn.add(stream)
        return Timeline(exchange, channel, symbol, [Range(exchange, channel, symbol, *row) for row in found])

    def _store(self, shorten: bool = False) -> None:
        """Write the ranges that changed in the staged lines; `shorten` where ranges may also have gone."""
        rows: list[tuple[Any, ...]] = []
        for stream, line in self._staged.items():
            changes = line.changes()
            if changes is None:
                continue
            after, ranges = changes
            if shorten and stream in self._drawn:
                start = -(2**63) if after is None else after + 1
                self._connection.execute(
                    "DELETE FROM stored_coverage WHERE stream = ? AND ts_from >= ?", (stream, start)
                )
            self._drawn.add(stream)
            rows += [(stream, r.ts_from, r.ts_to, r.state, r.reason, r.missing) for r in ranges]
        for some in _portions(rows):
            sql = f"INSERT OR REPLACE INTO stored_coverage VALUES {_values(6, len(some))}"
            self._connection.execute(sql, [*chain.from_iterable(some)])


def _portions(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    return (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE))


def _values(columns: int, rows: int) -> str:
    return ",".join(["(" + ",".join("?" * columns) + ")"] * rows)
