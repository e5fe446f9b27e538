"""Reading back: what was written, between exact times, before and after its days are packed."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.maintenance import _CHECKPOINT
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Home, connected, execute, fetch, fresh_database, opened, pack

from jrr_core.candles import resampled
from jrr_core.errors import ConfigError
from jrr_core.events import BookDelta, BookSnapshot, Candle, Connected, FundingRate, Gap, Quote, Trade
from jrr_core.instrument import Instrument
from jrr_core.levels import EMPTY, Levels
from jrr_core.sink import StreamKey
from jrr_core.store import Selection
from jrr_core.testing import samples

T0 = 1_704_153_540 * 10**9  # 2024-01-01 23:59 UTC: the events lie in two days
STEP = 1_234_567_891
D = Decimal
TRADES = [
    Trade(
        "ex", "A", T0 + n * STEP, T0 + n * STEP + 7, D(100 + n * 7 % 13), D(n) / 8, "buy" if n % 2 else "sell", str(n)
    )
    for n in range(300)
]
UNDATED = Trade("ex", "U", None, T0 + 5, D(1), D(2), None, "x-1", kind="block")
QUOTES = [
    Quote("ex", "A", None if n % 3 else T0 + n * STEP, T0 + n * STEP + 3, D(n), D(1), None, None, n if n % 2 else None)
    for n in range(100)
]
CANDLES = [
    Candle("ex", "A", None, T0, "1m", T0 + n * 60 * 10**9, None, D(1), D(2), D(1), D(n), D(3), None, None, True)
    for n in range(5)
]
FUNDING = [FundingRate("ex", "A", T0 + n, T0, D("0.0001"), T0 + 10**12, True) for n in range(3)]
START = BookSnapshot("ex", "A", None, T0, Levels([("100", "1"), ("99", "2")]), Levels([("101", "1")]), None, 1000)
DELTAS = [
    BookDelta(
        "ex", "A", T0 + n * STEP, T0 + n * STEP + 9, Levels([(f"{99 - n % 20}", f"{n % 4}.00")]),
        Levels([(f"{101 + n % 30}", f"{n % 3}.50")]) if n % 2 else EMPTY, 1000 + n, 1000 + n, 999 + n,
    )
    for n in range(1, 250)
]  # fmt: skip


@pytest.fixture(scope="module", params=["rows", "blocks"])
def store(request: pytest.FixtureRequest, home: Home) -> Iterator[StorageConfig]:
    """Every kind of event, as rows; then the same with the days packed."""
    with fresh_database(home.shared()) as dsn:
        asyncio.run(_fill(dsn, request.param == "blocks"))
        yield StorageConfig(dsn=dsn)


async def _fill(dsn: str, packed: bool) -> None:
    alive = Connected("ex", "A", None, T0 - 1, "book", "s1", ts_from=T0 - 1)
    batches = ([alive], TRADES, [UNDATED], QUOTES, CANDLES, FUNDING, [START], DELTAS, samples.samples(Instrument))
    async with opened(dsn) as sink:
        for batch in batches:
            assert (await sink.write(batch)).written == len(batch), batch[0]
    if packed:
        await pack(dsn, date(2024, 1, 3))
        for relation in ("trades", "book_deltas", "book_snapshots"):
            assert await fetch(dsn, f"SELECT count(*) FROM jrr.stored_{relation}") == [(0,)]


def ask(settings: StorageConfig, work: Any) -> Any:
    async def run() -> Any:
        async with Queries(settings) as store:
            found = work(store)
            return [item async for item in found] if isinstance(found, AsyncIterator) else await found

    return asyncio.run(run())


def test_trades_between_two_times_to_the_nanosecond(store: StorageConfig) -> None:
    assert ask(store, lambda q: q.trades("ex", "A")) == TRADES
    begin, end = TRADES[50].ts_event or 0, TRADES[200].ts_event or 0
    assert ask(store, lambda q: q.trades("ex", "A", begin, end)) == TRADES[50:200]
    assert ask(store, lambda q: q.trades("ex", "A", begin + 1, end + 1)) == TRADES[51:201]
    assert ask(store, lambda q: q.trades("ex", "A", limit=7)) == TRADES[:7]
    assert ask(store, lambda q: q.trades("ex", "A", limit=70, newest=True)) == TRADES[-70:]
    assert ask(store, lambda q: q.trades("ex", "A", begin, end, limit=3, newest=True)) == TRADES[197:200]
    assert ask(store, lambda q: q.trades("no", "A")) == []


def test_other_events_come_back_whole(store: StorageConfig) -> None:
    assert ask(store, lambda q: q.trades("ex", "U")) == [UNDATED]
    found = ask(store, lambda q: q.quotes("ex", "A"))
    assert sorted(found, key=lambda quote: quote.ts_recv) == QUOTES
    assert ask(store, lambda q: q.candles("ex", "A", "1m", T0 + 1)) == CANDLES[1:]
    assert ask(store, lambda q: q.funding("ex", "A")) == FUNDING
    assert ask(store, lambda q: q.read(BookDelta, Selection("ex", "A"))) == DELTAS
    assert ask(store, lambda q: q.read(BookSnapshot)) == [START]
    assert len(ask(store, lambda q: q.read(Instrument))) == len(samples.samples(Instrument))


def test_columns_hold_the_same_field_by_field(store: StorageConfig) -> None:
    columns = ask(store, lambda q: q.columns(Trade, Selection("ex", "A", limit=5)))
    assert columns["price"] == [trade.price for trade in TRADES[:5]]
    assert {len(values) for values in columns.values()} == {5}


def test_ends_and_counts_of_streams(store: StorageConfig) -> None:
    last = ask(store, lambda q: q.last())
    assert last[StreamKey("ex", "trade", "A")] // 1000 == (TRADES[-1].ts_event or 0) // 1000
    points = ask(store, lambda q: q.resume_points())
    assert points[StreamKey("ex", "trade", "A")] == 299
    assert points[StreamKey("ex", "book", "A")] == 1249
    assert points[StreamKey("ex", "candle_1m", "A")] == CANDLES[-1].open_time
    counts = ask(store, lambda q: q.counts())
    assert counts["ex", "trade"] == len(TRADES) + 1
    assert counts["ex", "book"] == len(DELTAS) + 1
    rows: dict[tuple[str, str], int] = {}
    for item in ask(store, lambda q: q.volume()):
        rows[item.channel, item.symbol] = rows.get((item.channel, item.symbol), 0) + item.rows
    assert rows["trade", "A"] == len(TRADES)


@pytest.mark.parametrize("interval", ["1s", "1m", "15m", "4h", "1d", "1w", "1M", "3M"])
def test_candles_made_by_the_server_are_those_of_the_core(store: StorageConfig, interval: str) -> None:
    expected = list(resampled(TRADES, interval))
    assert ask(store, lambda q: q.resample("ex", "A", interval)) == expected
    newest = Selection(limit=2, newest=True)
    assert ask(store, lambda q: q.resample("ex", "A", interval, newest)) == expected[-2:]


def book_by_hand(ts: int) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    bids, asks = dict(START.bids.decimals()), dict(START.asks.decimals())
    for delta in DELTAS:
        if (delta.ts_event or 0) <= ts:
            for side, levels in ((bids, delta.bids), (asks, delta.asks)):
                for price, amount in levels.decimals():
                    if amount:
                        side[price] = amount
                    else:
                        side.pop(price, None)
    return bids, asks


@pytest.mark.parametrize("index", [0, 17, 120, 248])
def test_a_book_of_the_past_is_the_one_its_events_make(store: StorageConfig, index: int) -> None:
    ts = DELTAS[index].ts_event or 0
    state = ask(store, lambda q: q.book_at("ex", "A", ts))
    bids, asks = book_by_hand(ts)
    assert (dict(state.bids), dict(state.asks)) == (bids, asks)
    assert state.sequence == DELTAS[index].sequence
    assert [price for price, _ in state.bids] == sorted(bids, reverse=True)


def test_there_is_no_book_before_the_first_snapshot(store: StorageConfig) -> None:
    assert ask(store, lambda q: q.book_at("ex", "A", T0 - 1)) is None
    assert ask(store, lambda q: q.book_at("ex", "none", T0)) is None


def test_a_checkpoint_gives_the_same_book_from_fewer_deltas(dsn: str) -> None:
    async def run() -> tuple[Any, Any, int]:
        await _fill(dsn, False)
        settings = StorageConfig(dsn=dsn)
        ts = DELTAS[200].ts_event or 0
        async with Queries(settings) as store:
            before = await store.book_at("ex", "A", ts)
            rows = await store.checkpoints(T0, DELTAS[150].ts_event or 0)
        async with connected(dsn) as connection:
            await connection.executemany(_CHECKPOINT.format(schema="jrr"), rows)
        # What the checkpoint stands for is not needed any more.
        await execute(dsn, "DELETE FROM jrr.stored_book_deltas WHERE sequence < 1100")
        async with Queries(settings) as store:
            return before, await store.book_at("ex", "A", ts), len(rows)

    before, after, rows = asyncio.run(run())
    assert rows == 1
    assert after == before


def test_a_broken_chain_and_a_gap_make_a_book_not_intact(dsn: str) -> None:
    async def run() -> tuple[Any, Any]:
        async with opened(dsn) as sink:
            await sink.write([Connected("ex", "A", None, T0 - 1, "book", "s1", ts_from=T0 - 1)])
            await sink.write([START, *DELTAS[:50], *DELTAS[60:100]])
            broken = await sink.book_at("ex", "A", DELTAS[90].ts_event or 0)
            begin, end = DELTAS[50].ts_event, DELTAS[60].ts_event
            await sink.write([*DELTAS[50:60], Gap("ex", "A", None, end or 0, "book", "s1", "lost", 3, begin, end)])
            return broken, await sink.book_at("ex", "A", DELTAS[90].ts_event or 0)

    broken, interrupted = asyncio.run(run())
    assert not broken.intact
    assert broken.sequence == DELTAS[49].sequence
    assert not interrupted.intact
    assert "interrupted" in interrupted.reason


def test_a_database_without_a_store_says_what_to_do(dsn: str) -> None:
    with pytest.raises(ConfigError, match="collect something first"):
        ask(StorageConfig(dsn=dsn), lambda q: q.trades("ex", "A"))
    with pytest.raises(ConfigError, match="has no database"):
        ask(StorageConfig(dsn=re.sub(r"/jrr_\w+$", "/missing", dsn)), lambda q: q.counts())
