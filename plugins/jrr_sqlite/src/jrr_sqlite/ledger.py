"""Stream events and coverage in the file: what is stored and the ranges drawn from it change together.

Works inside the writer's transaction. Nothing here is kept until `commit`, so
a transaction that fails leaves the sessions that are live as they were.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from jrr_core.events import StreamEvent
from jrr_core.sink import StreamKey
from jrr_core.store import Range
from jrr_core.timelines import Timelines

from .tables import Streams

_ROWS_AT_ONCE = 80  # 11 columns: within 999 variables, the limit of older libraries
_COLUMNS = "(stream, type, session, ts_recv, first, last, ts_event, reason, count, ts_from, ts_to)"
_KEY = 6  # columns of the key, which come first
_KNOWN = "ON CONFLICT (stream, type, session, ts_recv, first, last) DO NOTHING"


class Ledger:
    """The stream events of the file, and the coverage of every stream they speak of."""

    def __init__(self, connection: sqlite3.Connection, streams: Streams) -> None:
        """Start with no session live; earlier ranges are read when their stream is first spoken of."""
        self._connection = connection
        self._streams = streams
        self._lines = Timelines(self._load)
        self._drawn: set[int] = set()  # streams that have, or may have, stored ranges

    def write(self, events: Sequence[StreamEvent]) -> int:
        """Store the events, redraw the ranges they change, and return how many were new."""
        fresh = self._insert([self._row(event) for event in events])
        self._lines.apply([events[index] for index in fresh])
        self._store(shorten=True)
        return len(fresh)

    def heartbeat(self, ts: int) -> None:
        """Let the live ranges reach to `ts` (int ns), at most once a second."""
        self._lines.heartbeat(ts)
        self._store()

    def end(self, ts: int) -> None:
        """End the live ranges at `ts`: the file is being closed in order."""
        self._lines.end(ts)
        self._store()

    def commit(self) -> None:
        """Keep what was staged: the transaction is in the file."""
        self._lines.commit()

    def rollback(self) -> None:
        """Forget what was staged: the transaction is not in the file."""
        self._lines.rollback()

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

    def _load(self, key: StreamKey) -> list[Range]:
        stream = self._streams[key.exchange, key.symbol, key.channel]
        found = self._connection.execute(
            "SELECT ts_from, ts_to, state, reason, missing FROM stored_coverage WHERE stream = ? ORDER BY ts_from",
            (stream,),
        ).fetchall()
        if found:
            self._drawn.add(stream)
        return [Range(key.exchange, key.channel, key.symbol, *row) for row in found]

    def _store(self, shorten: bool = False) -> None:
        """Write the ranges that changed; `shorten` where ranges may also have gone."""
        rows: list[tuple[Any, ...]] = []
        for key, after, ranges in self._lines.changes():
            stream = self._streams[key.exchange, key.symbol, key.channel]
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
