"""A book of the past: the last whole snapshot before a moment, and the deltas behind it.

Deltas are found by their numbers, which the unique index of their stream is
in the order of; so nothing is read of what came before the snapshot.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from jrr_core.book import BookState, TrackedBook
from jrr_core.coverage import interruption
from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.store import Range

from .queries import reading
from .rows import made, names_of, streams
from .tables import TABLES, Table

_TABLES = {table.event: table for table in TABLES}
_SNAPSHOTS, _DELTAS = _TABLES[BookSnapshot], _TABLES[BookDelta]


def book_at(path: str, exchange: str, symbol: str, ts: int, depth: int | None) -> BookState | None:
    """Return the book at `ts` as `QueryStore.book_at` promises. Raises as `connect` does."""
    with reading(path) as connection:
        return _book_at(connection, exchange, symbol, ts, depth)


def _book_at(
    connection: sqlite3.Connection, exchange: str, symbol: str, ts: int, depth: int | None
) -> BookState | None:
    parts = streams(connection, exchange, symbol)
    whole = [number for number, part in parts.items() if part is None]
    start = _snapshot(connection, whole, ts)
    if start is None:
        start = _snapshot(connection, [number for number, part in parts.items() if part is not None], ts)
        whole = []
    if start is None:
        return None
    book = TrackedBook(start)
    for number in whole:
        _follow(connection, number, book, ts)
    state = book.state(depth)
    reason = _interruption(connection, start, ts)
    return state if reason is None or not state.intact else evolve(state, intact=False, reason=reason)


def _snapshot(connection: sqlite3.Connection, numbers: list[int], ts: int) -> BookSnapshot | None:
    """Return the last snapshot of these streams at or before `ts`."""
    chosen = f"t.stream IN ({', '.join(map(str, numbers))}) AND {_SNAPSHOTS.time} <= ?"
    last = f"(SELECT t.id FROM {_SNAPSHOTS.name} t WHERE {chosen} ORDER BY {_SNAPSHOTS.time} DESC, t.id DESC LIMIT 1)"
    return next(_rows(connection, _SNAPSHOTS, f"t.id = {last}", ts), None)


def _follow(connection: sqlite3.Connection, number: int, book: TrackedBook, ts: int) -> None:
    """Apply the deltas up to `ts` that follow the book: by number, then those with which the exchange counts anew."""
    first = -(2**63) if book.sequence is None else book.sequence
    _apply(book, ts, _rows(connection, _DELTAS, "t.stream = ? AND t.sequence > ? ORDER BY t.sequence", number, first))
    if book.sequence is None:
        return
    known = connection.execute(
        f"SELECT id, first_sequence FROM {_DELTAS.name} WHERE stream = ? AND sequence <= ? "
        "ORDER BY sequence DESC LIMIT 1",
        (number, book.sequence),
    ).fetchone()
    # Only numbers that are mere links begin anew: ranges of them count without end.
    if known is not None and known[1] is None:
        # The plus keeps to the index of the stream, which holds the id as well: other streams' rows are not read.
        behind = "t.stream = ? AND t.sequence <= ? AND +t.id >= ? ORDER BY t.id"
        _apply(book, ts, _rows(connection, _DELTAS, behind, number, book.sequence, known[0]))


def _apply(book: TrackedBook, ts: int, deltas: Iterator[BookDelta]) -> None:
    for delta in deltas:
        if not book.intact or (delta.ts_recv if delta.ts_event is None else delta.ts_event) > ts:
            break
        book.apply(delta)


def _interruption(connection: sqlite3.Connection, start: BookSnapshot, ts: int) -> str | None:
    """Return what the coverage of the snapshot's channel says against the time since."""
    found = connection.execute(
        "SELECT exchange, channel, symbol, ts_from, ts_to, state, reason, missing FROM coverage "
        "WHERE exchange = ? AND channel = ? AND symbol = ? ORDER BY ts_from",
        (start.exchange, start.channel, start.symbol),
    )
    return interruption([Range(*row) for row in found], start.ts_recv, ts)


def _rows(connection: sqlite3.Connection, table: Table, where: str, *values: int) -> Iterator[Any]:
    names = names_of(table.event)
    columns = ", ".join([table.shown[name] for name in names])
    return made(table.event, connection.execute(f"SELECT {columns} FROM {table.source} WHERE {where}", values))
