"""The main queries use indexes and leave other days alone, in rows and in blocks."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from jrr_postgres.books import last_checkpoint
from jrr_postgres.resampling import Resampling
from jrr_postgres.rows import raw_time
from jrr_postgres.scan import Scan
from jrr_postgres.server import _raw_times
from jrr_postgres.tables import TABLES
from jrr_postgres.testing import Home, connected, execute, fresh_database, opened, pack

from jrr_core.events import BookDelta, BookSnapshot, Trade
from jrr_core.levels import Levels
from jrr_core.store import Selection

DAY = 86_400 * 10**9
START = 1_763_942_400 * 10**9  # 2025-11-24 00:00 UTC
ROWS = 12_000
NOON = START + 2 * DAY + DAY // 2
SIDE = Levels([("1.5", "2")])


def at(number: int) -> int:
    return START + number * 3 * DAY // (3 * ROWS)


@pytest.fixture(scope="module")
def filled(home: Home) -> Iterator[str]:
    """A store of three days; the first two of them are compacted."""
    with fresh_database(home.shared()) as dsn:
        asyncio.run(_fill(dsn))
        yield dsn


async def _fill(dsn: str) -> None:
    async with opened(dsn) as sink:
        for symbol in ("A", "B"):
            await sink.write([BookSnapshot("ex", symbol, None, at(0), SIDE, SIDE, None, 0)])
            for first in range(0, 3 * ROWS, 4000):
                await sink.write([trade(symbol, n) for n in range(first, first + 4000)])
                await sink.write([delta(symbol, n) for n in range(max(first, 1), first + 4000)])
    await pack(dsn, date(2025, 11, 26))
    days = "SELECT brin_summarize_new_values(oid) FROM pg_class WHERE relname ~ '_2025112[0-9]_time$'"
    await execute(dsn, "ANALYZE", days)


def trade(symbol: str, number: int) -> Trade:
    return Trade("ex", symbol, at(number), at(number) + 5, Decimal(number), Decimal(1), "buy", str(number))


def delta(symbol: str, number: int) -> BookDelta:
    return BookDelta("ex", symbol, at(number), at(number) + 5, SIDE, SIDE, number, number, number - 1)


def plan(dsn: str, query: str, *arguments: Any) -> list[dict[str, Any]]:
    """Return every node of a query's plan that was executed."""

    async def explain() -> Any:
        async with connected(dsn) as connection:
            await _raw_times(connection)
            return json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments))

    nodes, waiting = [], [asyncio.run(explain())[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", [])
        if node["Actual Loops"]:
            nodes.append(node)
    return nodes


def relations(nodes: list[dict[str, Any]]) -> set[str]:
    return {node["Relation Name"] for node in nodes if "Relation Name" in node}


def whole_reads(nodes: list[dict[str, Any]]) -> set[str]:
    return {
        n["Relation Name"]
        for n in nodes
        if n["Node Type"] == "Seq Scan" and "stored_" in n["Relation Name"] and "_2025" in n["Relation Name"]
    }


async def _scan(dsn: str, table: Any) -> Scan:
    async with connected(dsn) as connection:
        return await Scan.of(connection, "jrr", table, Selection("ex", "A"))


@pytest.mark.parametrize("kind", [Trade, BookDelta])
def test_the_newest_rows_come_by_index_from_the_last_day_alone(filled: str, kind: type) -> None:
    table = next(table for table in TABLES if table.event is kind)
    scan = asyncio.run(_scan(filled, table))
    end = START + 3 * DAY
    nodes = plan(filled, scan.query(backwards=True), [*scan.streams], raw_time(end - DAY // 1440), raw_time(end))
    assert not whole_reads(nodes)
    assert {name for name in relations(nodes) if "_2025" in name} == {f"{table.name}_20251126"}


@pytest.mark.parametrize("kind", [Trade, BookDelta])
def test_rows_between_two_times_come_by_index_from_their_day_alone(filled: str, kind: type) -> None:
    table = next(table for table in TABLES if table.event is kind)
    scan = asyncio.run(_scan(filled, table))
    minutes = (raw_time(NOON), raw_time(NOON + DAY // 1440 * 10))
    nodes = plan(filled, scan.query(), [*scan.streams], *minutes)
    assert f"{table.name}_20251126" in relations(nodes)
    assert not whole_reads(nodes)
    (read,) = [node for node in nodes if node.get("Relation Name") == f"{table.name}_20251126"]
    assert read["Rows Removed by Index Recheck"] < ROWS // 2
    assert not {name for name in relations(nodes) if name.endswith(("20251124", "20251125"))}


def test_rows_of_a_packed_day_come_from_the_blocks_that_hold_them(filled: str) -> None:
    table = next(table for table in TABLES if table.event is Trade)
    scan = asyncio.run(_scan(filled, table))
    hour = (raw_time(START + DAY // 2), raw_time(START + DAY // 2 + DAY // 24))
    nodes = plan(filled, scan.query(), [*scan.streams], *hour)
    blocks = [node for node in nodes if node.get("Relation Name") == "packed_trades_20251124"]
    assert blocks
    assert sum(node["Actual Rows"] for node in blocks) <= 2
    assert not {name for name in relations(nodes) if name.endswith(("20251125", "20251126"))}


def test_the_sql_function_between_two_times_leaves_other_days_alone(filled: str) -> None:
    times = "'2025-11-26 12:00+00', '2025-11-26 12:10+00'"
    nodes = plan(filled, f"SELECT * FROM jrr.trades_between({times}) WHERE symbol = 'A'")
    assert not whole_reads(nodes)
    assert {name for name in relations(nodes) if "_2025" in name} == {"stored_trades_20251126"}


def test_candles_of_an_hour_read_an_hour(filled: str) -> None:
    resampling = Resampling("jrr", "ex", "A", "1m")
    scan = asyncio.run(_scan(filled, next(table for table in TABLES if table.event is Trade)))
    nodes = plan(filled, resampling.query(scan), [*scan.streams], raw_time(NOON), raw_time(NOON + DAY // 24))
    assert not whole_reads(nodes)
    assert {name for name in relations(nodes) if "_2025" in name} == {"stored_trades_20251126"}


def test_the_last_checkpoint_is_found_by_its_key(filled: str) -> None:
    rows = (
        "INSERT INTO jrr.checkpoints SELECT s, timestamptz '2025-11-24 00:00+00' + n * interval '1 minute', 0, "
        "now(), 0, n, '|' FROM generate_series(100, 104) s, generate_series(1, 3000) n"
    )
    asyncio.run(execute(filled, rows, "ANALYZE jrr.checkpoints"))
    nodes = plan(filled, last_checkpoint("jrr"), [102], raw_time(NOON), 0)
    assert {node["Node Type"] for node in nodes} & {"Index Scan", "Bitmap Index Scan"}
    assert "Seq Scan" not in {node["Node Type"] for node in nodes}


def test_blocks_are_found_by_their_index_among_those_of_many_streams(filled: str) -> None:
    columns = "ts_from, ts_to, first_key, last_key, first_position, last_position, {}, rows, data"
    copied = (
        f"INSERT INTO jrr.packed_trades_20251124 ({columns.format('stream')}) SELECT {columns.format('n')} "
        "FROM jrr.packed_trades_20251124, generate_series(1000, 1499) n WHERE stream < 1000"
    )
    asyncio.run(execute(filled, copied, "ANALYZE jrr.packed_trades"))
    scan = asyncio.run(_scan(filled, next(table for table in TABLES if table.event is Trade)))
    hour = (raw_time(START + DAY // 2), raw_time(START + DAY // 2 + DAY // 24))
    nodes = plan(filled, scan.query(), [*scan.streams], *hour)
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan" and "packed_" in node["Relation Name"]]
    assert "packed_trades_20251124_stream" in {node.get("Index Name") for node in nodes}
