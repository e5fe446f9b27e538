"""A book of the past: the last checkpoint or whole snapshot before a moment, and the deltas behind it.

Checkpoints are whole books that the sink writes from what is stored, every few
minutes, so that little is read for any moment. A book whose chain is broken
gets none until the exchange's next snapshot.
"""

from typing import Any

from attrs import evolve

from jrr_core.book import BookState, TrackedBook
from jrr_core.coverage import interruption
from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.store import Selection

from .ledger import read_coverage
from .lines import levels_text
from .rows import levels_of, ns_of, raw_time
from .scan import Scan
from .tables import TABLES, Table

_TABLES: dict[type, Table] = {table.event: table for table in TABLES}
# Deltas from before a snapshot may bear a later time than it, and the other way about.
_AROUND_NS = 10 * 10**9


async def book_at(
    connection: Any, schema: str, exchange: str, symbol: str, ts: int, depth: int | None
) -> BookState | None:
    """Return the book at `ts` as `QueryStore.book_at` promises; the connection is in a transaction, with raw times."""
    scan = await Scan.of(connection, schema, _TABLES[BookDelta], Selection(exchange, symbol))
    whole = {number: stream for number, stream in scan.streams.items() if stream[2] is None}
    found = await _start(connection, schema, whole, ts)
    if found is None:
        partial = {n: stream for n, stream in scan.streams.items() if (stream[2] or "").isdigit()}
        last = await _snapshot(connection, schema, partial, ts)
        return None if last is None else await _judged(connection, schema, TrackedBook(last), last, ts, depth)
    book = TrackedBook(found)
    await _follow(connection, evolve(scan, streams=whole), book, found, ts)
    return await _judged(connection, schema, book, found, ts, depth)


async def _judged(
    connection: Any, schema: str, book: TrackedBook, start: BookSnapshot, ts: int, depth: int | None
) -> BookState:
    state = book.state(depth)
    ranges = await read_coverage(
        connection, schema, exchange=start.exchange, channel=start.channel, symbol=start.symbol
    )
    reason = interruption(ranges, start.ts_recv, ts)
    return state if reason is None or not state.intact else evolve(state, intact=False, reason=reason)


async def _follow(connection: Any, scan: Scan, book: TrackedBook, start: BookSnapshot, ts: int) -> int:
    """Apply the deltas up to `ts` and return how many levels they changed."""
    levels = 0
    since = min(start.ts_recv, start.ts_recv if start.ts_event is None else start.ts_event) - _AROUND_NS
    behind = evolve(scan, chosen=evolve(scan.chosen, ts_from=since, ts_to=ts + 1))
    async for delta in behind.events(connection):
        if not book.intact:
            break
        before = book.sequence
        book.apply(delta)
        if book.sequence != before:
            levels += len(delta.bids) + len(delta.asks)
    return levels


def last_checkpoint(schema: str) -> str:
    """Return the SELECT of the last checkpoint: $1 the streams, $2 and $3 the time and the nanoseconds below it."""
    return (
        f"SELECT stream, ts, ts_ns, recv, recv_ns, sequence, levels FROM {schema}.checkpoints "
        "WHERE stream = ANY ($1) AND ts <= $2 AND (ts, ts_ns) <= ($2, $3) ORDER BY ts DESC, ts_ns DESC LIMIT 1"
    )


async def _start(connection: Any, schema: str, streams: Any, ts: int) -> BookSnapshot | None:
    """Return the last whole book at or before `ts`, of the exchange or of a checkpoint."""
    snapshot = await _snapshot(connection, schema, streams, ts)
    row = await connection.fetchrow(last_checkpoint(schema), [*streams], raw_time(ts), ts % 1000)
    if row is None:
        return snapshot
    exchange, symbol, _ = streams[row["stream"]]
    recv = ns_of(row["recv"], row["recv_ns"]) or 0
    if snapshot is not None and snapshot.ts_recv >= recv:
        return snapshot
    return BookSnapshot(
        exchange, symbol, ns_of(row["ts"], row["ts_ns"]), recv, *levels_of(row["levels"]), None, row["sequence"]
    )


async def _snapshot(connection: Any, schema: str, streams: Any, ts: int) -> BookSnapshot | None:
    """Return the last snapshot of these streams at or before `ts`."""
    table = _TABLES[BookSnapshot]
    if not streams:
        return None
    chosen = Selection(ts_to=ts + 1, limit=1, newest=True)
    async for event in Scan(schema, table, streams, chosen).events(connection):
        found: BookSnapshot = event
        return found
    return None


async def changed(connection: Any, schema: str, since: int) -> dict[int, Any]:
    """Return the streams of whole books, by number, that had a delta since `since` (int ns UTC)."""
    table = _TABLES[BookDelta]
    found = await connection.fetch(
        f"SELECT id, exchange, symbol FROM {schema}.streams s WHERE part IS NULL AND EXISTS "
        f"(SELECT FROM {schema}.{table.name} t WHERE t.stream = s.id AND t.ts_event >= $1)",
        raw_time(since),
    )
    return {number: (exchange, symbol, None) for number, exchange, symbol in found}


async def checkpoint(
    connection: Any, schema: str, number: int, stream: Any, ts: int
) -> tuple[int, int, int, int, str] | None:
    """Return stream, time, time of receipt, sequence and levels of a stream's whole book at `ts`.

    None where the book is not intact, or fewer levels changed since it was
    last kept whole than it holds: the deltas are then the shorter way to it.
    """
    streams = {number: stream}
    start = await _start(connection, schema, streams, ts)
    if start is None:
        return None
    book = TrackedBook(start)
    scan = Scan(schema, _TABLES[BookDelta], streams, Selection())
    levels = await _follow(connection, scan, book, start, ts)
    now = book.snapshot()
    if not book.intact or now.sequence is None or levels < len(now.bids) + len(now.asks):
        return None
    at = now.ts_recv if now.ts_event is None else now.ts_event
    return number, at, now.ts_recv, now.sequence, levels_text(now.bids, now.asks)
