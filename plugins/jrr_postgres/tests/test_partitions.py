"""Partitions: made ahead and when a row needs one, let go of when their time is over."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.partitions import retire, summarize

from jrr_core.events import Candle, Connected, Disconnected
from jrr_core.testing import samples

DAY_NS = 86_400 * 10**9
OLD = samples.trade(1)  # 2024-01-01


def leaves(view: str, schema: str = "jrr") -> str:
    chosen = f"schemaname = '{schema}' AND tablename ~ '^stored_{view}_2'"
    return f"SELECT array_agg(tablename ORDER BY 1) FROM pg_tables WHERE {chosen}"


def with_sink(dsn: str, work: Callable[[PostgresSink, Any], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        sink = PostgresSink(StorageConfig(dsn=dsn, compact=False, **settings))
        await sink.open()
        connection = await asyncpg.connect(dsn)
        try:
            return await work(sink, connection)
        finally:
            await connection.close()
            await sink.close()

    return asyncio.run(run())


def test_the_next_days_are_made_ahead(dsn: str) -> None:
    async def work(sink: PostgresSink, connection: Any) -> Any:
        return await connection.fetchval(leaves("trades")), await connection.fetchval(leaves("candles"))

    today = datetime.now(UTC).date()
    trades, candles = with_sink(dsn, work, partitions_ahead_days=2)
    assert trades == [f"stored_trades_{today + timedelta(days=n):%Y%m%d}" for n in range(3)]
    assert f"stored_candles_{today:%Y%m}" in candles


def test_a_row_of_any_past_time_has_its_partition(dsn: str) -> None:
    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([OLD, *samples.samples(Candle)])
        return await connection.fetchval(leaves("trades")), await connection.fetchval(leaves("candles"))

    trades, candles = with_sink(dsn, work)
    assert trades[0] == "stored_trades_20240101"
    assert candles[0] == "stored_candles_202401"


def test_a_partition_dropped_behind_the_writer_is_made_again(dsn: str) -> None:
    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([OLD])
        await connection.execute("DROP TABLE jrr.stored_trades_20240101")
        return [(await sink.write([OLD])).written, await connection.fetchval("SELECT count(*) FROM jrr.trades")]

    assert with_sink(dsn, work) == [1, 1]


def test_the_newest_rows_are_found_by_the_index_on_time(dsn: str) -> None:
    now = time.time_ns()

    async def work(sink: PostgresSink, connection: Any) -> Any:
        for first in range(0, 20_000, 5000):
            numbers = range(first, first + 5000)
            await sink.write([samples.trade(n, ts_event=now + n, ts_recv=now + n) for n in numbers])
        index = f"stored_trades_{datetime.now(UTC):%Y%m%d}_time"
        await summarize(connection, "jrr")
        return await connection.fetchval("SELECT brin_summarize_new_values($1::regclass)", f"jrr.{index}")

    assert with_sink(dsn, work) == 0


def test_what_is_past_its_retention_goes_and_coverage_stops_claiming_it(dsn: str) -> None:
    begin, end = OLD.ts_recv - DAY_NS, OLD.ts_recv + 3 * DAY_NS
    alive = [
        Connected(OLD.exchange, OLD.symbol, None, begin, "trade", "s", ts_from=begin),
        Disconnected(OLD.exchange, OLD.symbol, None, end, "trade", "s", "stopped", ts_to=end),
    ]
    undated = samples.trade(2, ts_event=None, side=None)

    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([OLD, undated, *alive])
        kept = await retire(connection, "jrr", {"trades": 2}, keep=False, today=date(2024, 1, 3))
        gone = await retire(connection, "jrr", {"trades": 2}, keep=False, today=date(2024, 1, 4))
        left = await connection.fetchval("SELECT count(*) FROM jrr.trades")
        again = await sink.write([OLD])
        return kept, gone, left, again.written, await connection.fetchval("SELECT min(ts_from) FROM jrr.coverage")

    kept, gone, left, again, since = with_sink(dsn, work)
    assert (kept, gone, left, again) == ([], ["stored_trades_20240101"], 0, 1)
    assert since == datetime(2024, 1, 2, tzinfo=UTC)


def test_a_retired_partition_can_be_kept_elsewhere(dsn: str) -> None:
    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([OLD])
        await retire(connection, "jrr", {"trades": 1}, keep=True, today=date(2024, 2, 1))
        assert (await sink.write([OLD])).written == 1
        return await connection.fetchval("SELECT count(*) FROM jrr_retired.stored_trades_20240101")

    assert with_sink(dsn, work) == 1


def test_trades_fetched_again_a_day_later_are_known(dsn: str) -> None:
    later = [samples.trade(n, ts_recv=OLD.ts_recv + 2 * DAY_NS) for n in range(50)]

    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([samples.trade(n) for n in range(0, 50, 2)])
        return await sink.write(later)

    result = with_sink(dsn, work)
    assert (result.written, result.duplicate) == (25, 25)


def test_two_collectors_share_one_coverage(dsn: str) -> None:
    """What one of them has is complete; what none has is a gap."""
    t0, second = OLD.ts_recv, 10**9

    def line(session: str, begin: int, end: int) -> list[Any]:
        where = (OLD.exchange, OLD.symbol, None)
        return [
            Connected(*where, t0 + begin * second, "trade", session, ts_from=t0 + begin * second),
            Disconnected(*where, t0 + end * second, "trade", session, "reset", ts_to=t0 + end * second),
        ]

    async def work(first: PostgresSink, connection: Any) -> Any:
        other = PostgresSink(first.settings)
        await other.open()
        await first.write(line("a", 0, 10))
        await other.write(line("b", 5, 20))
        await first.write(line("c", 15, 30))
        await other.write(line("d", 40, 50))
        await other.close()
        return [((r.ts_from - t0) // second, (r.ts_to - t0) // second, r.state) for r in await first.coverage()]

    assert with_sink(dsn, work) == [(0, 30, "complete"), (30, 40, "gap"), (40, 50, "complete")]
