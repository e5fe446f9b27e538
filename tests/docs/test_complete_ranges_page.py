"""The queries on the page of complete ranges give exactly the rows of complete time, from either store."""

import asyncio
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
from jrr_postgres import PostgresSink
from jrr_postgres import StorageConfig as PostgresConfig
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.events import Backfilled, BookDelta, Candle, Connected, Disconnected, Gap, Trade
from jrr_core.levels import EMPTY

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "complete-ranges.md").read_text("utf-8")
QUERIES = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
S = 10**9
M = 60 * S
T0 = 1_786_526_400 * S  # 2026-08-12T09:20
AT = ("binance", "BTCUSDT")
ONE = Decimal(1)


def said(kind: Any, ts: int, channel: str, **more: Any) -> Any:
    return kind(*AT, None, ts, channel, "s", **more)


def stream(channel: str) -> list[Any]:
    """Return a stream heard from 9:20:30 to 9:31:00, with a gap at 9:23, and one at 9:26 that was filled."""
    return [
        said(Connected, T0 + M // 2, channel, ts_from=T0 + M // 2),
        said(Gap, T0 + 3 * M + 20 * S, channel, reason="lost", count=2, ts_from=T0 + 3 * M, ts_to=T0 + 3 * M + 20 * S),
        said(Gap, T0 + 6 * M + 20 * S, channel, reason="lost", count=1, ts_from=T0 + 6 * M, ts_to=T0 + 6 * M + 20 * S),
        said(Backfilled, T0 + 9 * M, channel, count=1, ts_from=T0 + 6 * M, ts_to=T0 + 6 * M + 20 * S),
        said(Disconnected, T0 + 11 * M, channel, reason="stopped", ts_to=T0 + 11 * M),
    ]


# A trade every half minute, but for two in the gap and, at 9:29, none; one of the gap that was filled came late.
HALVES = [n for n in range(22) if n not in (18, 19)]
TRADES = [
    Trade(*AT, ts, T0 + 9 * M if n == 12 else ts + 5, ONE, Decimal(n + 1), "buy", str(n))
    for n in HALVES
    for ts in [T0 + n * M // 2 + S]
]
CANDLES = [
    Candle(*AT, None, T0 + (n + 1) * M + 5, "1m", T0 + n * M, None, ONE, ONE, ONE, ONE, ONE, None, None, True)
    for n in range(11)
]
DELTAS = [BookDelta(*AT, T0 + n * M + S, T0 + n * M + S + 5, EMPTY, EMPTY, n, n, None) for n in range(11)]
EVENTS = [*stream("trade"), *stream("candle_1m"), *stream("book"), *TRADES, *CANDLES, *DELTAS]

# What the queries give, in their order on the page: trade 6 and update 3 are in the gap, number 0 came before all.
KEPT = [n for n in HALVES if n not in (0, 6)]
CLOSED = [n for n in range(10) if n != 2]
UPDATES = [n for n in range(1, 11) if n != 3]
# 9:22 ends less than a second before the gap.
MINUTES = [1, 4, 5, 6, 7, 8, 9]
COUNTS = [sum(1 for n in HALVES if n // 2 == minute) for minute in MINUTES]
SUMS = [float(sum(n + 1 for n in HALVES if n // 2 == minute)) for minute in MINUTES]


def test_the_page_has_four_queries_for_each_store() -> None:
    assert ["jrr." in query for query in QUERIES] == [False] * 4 + [True] * 4


def test_queries_of_sqlite_give_the_rows_of_complete_time(tmp_path: Path) -> None:
    async def fill() -> None:
        await put(SqliteSink(StorageConfig(path=str(tmp_path / "market.db"))))

    asyncio.run(fill())
    with closing(sqlite3.connect(tmp_path / "market.db")) as store:
        trades, candles, deltas, minutes = [store.execute(query).fetchall() for query in QUERIES[:4]]
    assert [int(row[0]) for row in trades] == KEPT
    assert [(row[0] - T0) // M for row in candles] == CLOSED
    assert [row[1] for row in deltas] == UPDATES
    assert [row[0] for row in minutes] == [f"2026-08-12 09:{20 + minute}:00" for minute in MINUTES]
    assert [row[1:] for row in minutes] == list(zip(COUNTS, SUMS, strict=True))


def test_queries_of_postgresql_give_the_same(dsn: str) -> None:
    async def ask() -> list[Any]:
        await put(PostgresSink(PostgresConfig(dsn=dsn, compact=False)))
        connection = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
        found = [await connection.fetch(query) for query in QUERIES[4:]]
        await connection.close()
        return found

    trades, candles, deltas, minutes = asyncio.run(ask())
    assert [int(row[0]) for row in trades] == KEPT
    assert [(int(row[0].timestamp()) * S - T0) // M for row in candles] == CLOSED
    assert [row[1] for row in deltas] == UPDATES
    assert [(int(row[0].timestamp()) * S - T0) // M for row in minutes] == MINUTES
    assert [(row[1], float(row[2])) for row in minutes] == list(zip(COUNTS, SUMS, strict=True))


async def put(sink: Any) -> None:
    await sink.open()
    await sink.write(EVENTS)
    await sink.close()
