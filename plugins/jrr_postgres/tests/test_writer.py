"""Batches: stored whole or not at all, every event once whichever way it takes, counted exactly."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from jrr_postgres import PostgresSink
from jrr_postgres.testing import fetch, with_sink

from jrr_core.errors import SinkRejected
from jrr_core.events import ALL_EVENTS, BookSnapshot, Candle, Connected, Message, Quote, Trade
from jrr_core.instrument import Instrument
from jrr_core.levels import EMPTY
from jrr_core.sink import WriteResult
from jrr_core.testing import samples

SECOND = 10**9
DAY = 86_400 * SECOND
T0 = 1_700_000_000 * SECOND
MIDNIGHT = 1_700_006_400 * SECOND
D = Decimal
ONE = D(1)


def trade(number: int, symbol: str = "BTCUSDT", **more: Any) -> Trade:
    return Trade("sim", symbol, T0 + number, T0 + number + 5, D("1.5"), D("2"), "buy", str(number), **more)


def candle(volume: str, closed: bool, seen: int) -> Candle:
    return Candle("sim", "BTCUSDT", None, T0 + seen, "1m", T0, T0 + 60, ONE, ONE, ONE, ONE, D(volume), None, None,
                  closed)  # fmt: skip


def store(dsn: str, *batches: list[Any], **settings: Any) -> list[WriteResult]:
    async def work(sink: PostgresSink, _: Any) -> list[WriteResult]:
        return [await sink.write(batch) for batch in batches]

    found: list[WriteResult] = with_sink(dsn, work, **settings)
    return found


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    return asyncio.run(fetch(dsn, query))


def test_every_event_of_every_kind_is_stored_once(dsn: str) -> None:
    every = [event for kind in (*ALL_EVENTS, Instrument) for event in samples.samples(kind)]
    assert store(dsn, every, every, every + every) == [
        WriteResult(len(every)), WriteResult(0, len(every)), WriteResult(0, 2 * len(every)),
    ]  # fmt: skip


def test_duplicates_are_counted_within_a_batch_and_beside_new_rows(dsn: str) -> None:
    first = [trade(n // 2) for n in range(3001)]
    second = [trade(n) for n in range(1000, 2000)]
    assert store(dsn, first, second, []) == [WriteResult(1501, 1500), WriteResult(499, 501), WriteResult(0)]
    assert rows(dsn, "SELECT count(*), count(DISTINCT trade_id) FROM jrr.trades") == [(2000, 2000)]


def test_a_duplicate_after_the_way_back_to_copying_is_known_as_well(dsn: str) -> None:
    """One known row makes a relation careful for some batches; behind them rows are copied straight again."""
    new = [[trade(n)] for n in range(1, 120)]
    results = store(dsn, [trade(0)], [trade(0)], *new, [trade(0), trade(500)], [trade(1)])
    assert results[:2] == [WriteResult(1), WriteResult(0, 1)]
    assert results[2:-2] == [WriteResult(1)] * len(new)
    assert results[-2:] == [WriteResult(1, 1), WriteResult(0, 1)]
    assert rows(dsn, "SELECT count(*) FROM jrr.trades") == [(121,)]


def test_trades_fetched_again_a_day_later_are_known(dsn: str) -> None:
    """A trade is where its exchange's time puts it, whenever it was received."""
    live, fetched = [trade(n) for n in range(0, 50, 2)], [trade(n) for n in range(50)]
    fetched = [evolve(event, ts_recv=event.ts_recv + DAY) for event in fetched]
    assert store(dsn, live, fetched) == [WriteResult(25), WriteResult(25, 25)]


@pytest.mark.parametrize("kind", ["quote", "snapshot"])
def test_copies_received_on_both_sides_of_midnight_are_one(kind: str, dsn: str) -> None:
    def made(ts_recv: int, sequence: int) -> Message:
        if kind == "quote":
            return Quote("sim", "A", None, ts_recv, ONE, ONE, ONE, ONE, sequence)
        return BookSnapshot("sim", "A", None, ts_recv, EMPTY, EMPTY, 5, sequence)

    before, after, later = MIDNIGHT - SECOND // 10, MIDNIGHT + SECOND // 10, MIDNIGHT + 3600 * SECOND
    results = store(
        dsn, [made(before, 1)], [made(after, 1)], [made(after, 2)], [made(before, 2)],
        # A number used again by the next day's session is another event.
        [made(later, 1)], [made(before, 3), made(after, 3)],
    )  # fmt: skip
    assert [result.written for result in results] == [1, 0, 1, 0, 1, 1]


def test_an_open_candle_is_kept_only_if_asked_for(dsn: str) -> None:
    batch = [candle("1", False, 1), candle("2", True, 2)]
    assert store(dsn, batch[:1], batch) == [WriteResult(0, 1), WriteResult(1, 1)]
    assert rows(dsn, "SELECT volume, closed FROM jrr.candles") == [(D(2), True)]


def test_a_closed_candle_replaces_an_open_one_and_is_final(dsn: str) -> None:
    first, second, closed = candle("1", False, 1), candle("2", False, 2), candle("3", True, 3)
    later = candle("4", True, 4)
    batches = [[first], [second], [first], [closed], [closed], [second], [later]]
    assert [r.written for r in store(dsn, *batches, candles="all")] == [1, 1, 0, 1, 0, 0, 0]
    assert rows(dsn, "SELECT volume, closed, ts_recv_ns FROM jrr.candles") == [(D(3), True, T0 + 3)]


def but(event: Any, **wrong: Any) -> Any:
    return evolve(event, **wrong)


BAD: dict[str, Any] = {
    "price is text": but(trade(2), price="1.5"),
    "price is a float": but(trade(2), price=1.5),
    "price is missing": but(trade(2), price=None),
    "time beyond the calendar": but(trade(2), ts_recv=2**70),
    "count is text": but(trade(2), count="many"),
    "side is unknown": but(trade(2), side="up"),
    "id is a number": but(trade(2), trade_id=2),
    "symbol is missing": but(trade(2), symbol=None),
    "not text that can be encoded": but(trade(2), symbol="\ud800"),
    "time is text": but(candle("1", True, 1), open_time="now"),
    "a class not known": Message("sim", "BTCUSDT", None, 1),
    "not an event": "trade",
}


def test_a_bad_row_is_refused_with_its_whole_batch_and_the_next_is_stored(dsn: str) -> None:
    """One after another into one store: what a batch left behind would show in the next."""

    async def work(sink: PostgresSink, connection: Any) -> None:
        for number, (what, bad) in enumerate(BAD.items(), start=1):
            symbol = f"NEW{number}"
            start = Connected("sim", symbol, None, T0, "trade", "s", ts_from=T0)
            good = [start, trade(1, symbol), evolve(candle("1", True, 1), symbol=symbol)]
            with pytest.raises(SinkRejected, match="PostgreSQL"):
                await sink.write([*good[:2], bad, good[2]])
            assert await sink.write(good) == WriteResult(3), what
            for view in ("trades", "candles", "stream_events", "coverage"):
                assert await connection.fetchval(f"SELECT count(*) FROM jrr.{view}") == number, (what, view)

    with_sink(dsn, work)


def test_symbols_of_any_text_are_told_apart(dsn: str) -> None:
    symbols = ["A'B", 'A"B', "A\\B", "A\tB", "A\nB", "币安人生USDT", "", "\\N", "a'b; DROP SCHEMA jrr CASCADE"]
    batch = [trade(1, symbol, kind=symbol) for symbol in symbols]
    assert store(dsn, batch, batch) == [WriteResult(len(symbols)), WriteResult(0, len(symbols))]
    assert sorted(rows(dsn, "SELECT symbol, kind FROM jrr.trades")) == sorted((text, text) for text in symbols)


def test_a_cancelled_write_is_there_whole_or_not_and_can_come_again(dsn: str) -> None:
    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([trade(0)])
        async with connection.transaction():
            await connection.execute("LOCK TABLE jrr.stored_trades_20231114 IN EXCLUSIVE MODE")
            writing = asyncio.create_task(sink.write([trade(n) for n in range(1, 1000)]))
            while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert not writing.done()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        result = await sink.write([trade(n) for n in range(1000)])
        return result, await connection.fetchval("SELECT count(*) FROM jrr.trades")

    result, count = with_sink(dsn, work)
    assert count == 1000
    # The server may have had all of it before it learnt that nobody waits.
    assert result in (WriteResult(999, 1), WriteResult(0, 1000))


def test_a_session_has_its_name_and_limits_and_there_are_few(dsn: str) -> None:
    async def work(sink: PostgresSink, connection: Any) -> Any:
        await sink.write([trade(n) for n in range(10)])
        await asyncio.gather(*[sink.counts() for _ in range(3)])
        return await connection.fetchval(
            "SELECT array_agg(DISTINCT application_name) || count(*)::text FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    name, count = with_sink(dsn, work, pool_size=2)
    assert name == "jrr"
    assert 1 <= int(count) <= 2
