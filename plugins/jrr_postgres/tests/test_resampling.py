"""Candles made by the server are those the core makes of the same trades."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Home, fetch, fresh_database, opened, pack

from jrr_core.candles import resampled
from jrr_core.errors import ConfigError
from jrr_core.events import Candle, Trade
from jrr_core.store import EVERYTHING, Selection

INTERVALS = ["1s", "1m", "15m", "4h", "1d", "1w", "1M", "3M"]


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9


# The turn of a year, of a quarter and of a week, and a leap day.
STARTS = [
    ns(datetime(2023, 12, 31, 23, 58, tzinfo=UTC)),
    ns(datetime(2024, 2, 29, 11, tzinfo=UTC)),
    ns(datetime(2024, 3, 31, 23, 59, 50, tzinfo=UTC)),
]


def _trades() -> list[Trade]:
    """Return trades in order of time: bursts within a microsecond, pauses of hours, some without a time."""
    rng = random.Random(3)
    found: list[Trade] = []
    for start in STARTS:
        ts = start
        for _ in range(120):
            ts += rng.choice((1, 300, 700, 999_999_999, 5 * 10**9, 61 * 10**9, 3600 * 10**9))
            event = None if rng.random() < 0.2 else ts
            recv = ts if event is None else ts + 1234
            price, amount = Decimal(rng.randrange(900, 1100)) / 100, Decimal(rng.randrange(1, 10**9)) / 10**8
            # Ids fall while time rises: the order is that of time.
            number = str(10_000 - len(found))
            found.append(Trade("ex", "A", event, recv, price, amount, "buy", number, rng.randrange(1, 4)))
    return found


TRADES = _trades()
# The same trades in other numberings, of which each alone would make other volumes.
SPACED = [
    Trade("ex", symbol, trade.ts_event, trade.ts_recv, trade.price, amount, "sell", trade.trade_id, id_space=space)
    for symbol, space, amount in (("S", "zz", Decimal(1)), ("S", "agg", Decimal(2)), ("M", "agg", Decimal(1)))
    for trade in TRADES[:50]
]
PLAIN = [Trade("ex", "M", t.ts_event, t.ts_recv, t.price, Decimal(5), "sell", t.trade_id) for t in TRADES[:50]]


@pytest.fixture(scope="module", params=["rows", "blocks"])
def store(request: pytest.FixtureRequest, home: Home) -> Iterator[StorageConfig]:
    """The trades as rows; then the same with their days packed."""
    with fresh_database(home.shared()) as dsn:
        asyncio.run(_fill(dsn, request.param == "blocks"))
        yield StorageConfig(dsn=dsn)


async def _fill(dsn: str, packed: bool) -> None:
    async with opened(dsn) as sink:
        for batch in (TRADES, SPACED, PLAIN):
            assert (await sink.write(batch)).written == len(batch)
    if packed:
        await pack(dsn, date(2024, 6, 1))
        assert await fetch(dsn, "SELECT count(*) FROM jrr.stored_trades") == [(0,)]


def candles(settings: StorageConfig, symbol: str, interval: str, *chosen: Selection) -> list[list[Candle]]:
    async def ask() -> list[list[Candle]]:
        async with Queries(settings) as queries:
            return [[candle async for candle in queries.resample("ex", symbol, interval, one)] for one in chosen]

    return asyncio.run(ask())


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_interval_is_that_of_the_core(store: StorageConfig, interval: str) -> None:
    """All of it, between bounds (which are those of the beginnings), the first and the newest of a limit."""
    expected = list(resampled(TRADES, interval))
    inside = expected[len(expected) // 3].open_time
    bounds = [(inside, None), (inside + 1, None), (None, inside), (None, inside + 1), (inside, inside + 1)]
    limits = [0, 1, 3, 10_000]
    wanted = [expected]
    wanted += [
        [candle for candle in expected if (since or 0) <= candle.open_time < (until or 2**62)]
        for since, until in bounds
    ]
    wanted += [expected[:limit] for limit in limits]
    wanted += [expected[-limit:] if limit else [] for limit in limits]
    chosen = [EVERYTHING, *[Selection(ts_from=since, ts_to=until) for since, until in bounds]]
    chosen += [Selection(limit=limit) for limit in limits]
    chosen += [Selection(limit=limit, newest=True) for limit in limits]
    for one, found, right in zip(chosen, candles(store, "A", interval, *chosen), wanted, strict=True):
        assert found == right, one


def test_the_newest_before_a_time_are_found_across_a_long_pause(store: StorageConfig) -> None:
    expected = [candle for candle in resampled(TRADES, "1m") if candle.open_time < STARTS[1] + 3600 * 10**9]
    end = expected[-1].open_time + 1
    assert candles(store, "A", "1m", Selection(ts_to=end, limit=40, newest=True)) == [expected[-40:]]


def test_one_numbering_is_summed_the_plain_one_where_there_is_one(store: StorageConfig) -> None:
    for symbol, amount in (("S", 2), ("M", 5)):
        (found,) = candles(store, symbol, "1d", EVERYTHING)
        assert sum(candle.trade_count or 0 for candle in found) == 50
        assert sum(candle.volume for candle in found) == 50 * amount


def test_where_no_trades_are_there_are_no_candles(store: StorageConfig) -> None:
    assert candles(store, "none", "1m", EVERYTHING) == [[]]
    assert candles(store, "A", "1m", Selection(ts_from=TRADES[-1].ts_recv + 10**18)) == [[]]


def test_an_interval_that_is_none_is_refused(store: StorageConfig) -> None:
    with pytest.raises(ConfigError, match="not an interval"):
        candles(store, "A", "7x", EVERYTHING)
