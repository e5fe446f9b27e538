"""Partitions: made ahead and when a row needs one, let go of when their time is over."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from jrr_postgres import PostgresSink
from jrr_postgres.partitions import retire, summarize
from jrr_postgres.testing import connected, with_sink

from jrr_core.errors import SinkRejected
from jrr_core.events import Candle, Connected, Disconnected
from jrr_core.testing import samples

DAY_NS = 86_400 * 10**9
OLD = samples.trade(1)  # 2024-01-01


def leaves(view: str, schema: str = "jrr") -> str:
    chosen = f"schemaname = '{schema}' AND tablename ~ '^stored_{view}_2'"
    return f"SELECT array_agg(tablename ORDER BY 1) FROM pg_tables WHERE {chosen}"


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


def test_a_retired_partition_can_be_kept_elsewhere_with_what_comes_late(dsn: str) -> None:
    late = samples.trade(3)

    async def work(sink: PostgresSink, connection: Any) -> Any:
        found = []
        for batch in ([OLD, samples.trade(2)], [OLD, late], [late]):
            await sink.write(batch)
            gone = await retire(connection, "jrr", {"trades": 1}, keep=True, today=date(2024, 2, 1))
            assert gone == ["stored_trades_20240101"]
            found.append(await connection.fetchval("SELECT count(*) FROM jrr_retired.stored_trades_20240101"))
        return found, await connection.fetchval("SELECT count(*) FROM jrr.trades")

    assert with_sink(dsn, work) == ([2, 3, 3], 0)


def test_a_detach_that_was_cut_off_is_finished(dsn: str) -> None:
    """One of a pending detach, and one detached already, are still retired."""

    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([OLD, samples.trade(1, ts_event=OLD.ts_recv + DAY_NS, trade_id="next")])
        async with connected(dsn) as reader, reader.transaction():
            await reader.fetch("SELECT FROM jrr.trades")
            await connection.execute("SET statement_timeout = '500ms'")
            # The detach waits for the reader with its first half committed.
            with pytest.raises(asyncpg.QueryCanceledError):
                await connection.execute(
                    "ALTER TABLE jrr.stored_trades DETACH PARTITION jrr.stored_trades_20240101 CONCURRENTLY"
                )
        pending = await connection.fetchval("SELECT count(*) FROM pg_inherits WHERE inhdetachpending")
        gone = await retire(connection, "jrr", {"trades": 2}, keep=False, today=date(2024, 2, 1))
        left = await connection.fetchval("SELECT count(*) FROM jrr.trades")
        return pending, gone, left, (await sink.write([OLD])).written

    assert with_sink(dsn, work) == (1, ["stored_trades_20240101", "stored_trades_20240102"], 0, 1)


def test_months_end_with_their_last_day(dsn: str) -> None:
    (candle, *_) = samples.samples(Candle)

    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([candle])
        ends = [date(2024, 2, 1), date(2024, 2, 2)]
        return [await retire(connection, "jrr", {"candles": 1}, keep=False, today=today) for today in ends]

    assert with_sink(dsn, work) == [[], ["stored_candles_202401"]]


def test_a_time_beyond_the_calendar_is_a_bad_row(dsn: str) -> None:
    async def work(sink: PostgresSink, connection: Any) -> Any:
        with pytest.raises(SinkRejected):
            await sink.write([samples.trade(1, ts_event=400_000 * DAY_NS * 10)])
        return (await sink.write([OLD])).written

    assert with_sink(dsn, work) == 1
