"""What the store holds: counts, last times and last numbers are those of the events, in rows and in blocks."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from jrr_postgres import StorageConfig
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Home, fresh_database, opened, pack

from jrr_core.events import (
    MARKET_EVENTS,
    Candle,
    FundingRate,
    Liquidation,
    MarkPrice,
    Message,
    OpenInterest,
    Quote,
    Side,
    Trade,
)
from jrr_core.sink import StreamKey
from jrr_core.testing import samples

ONE = Decimal(1)
T0 = samples.START
DAY = 86_400 * 10**9
DUE = T0 + 10 * DAY
SIDES: tuple[Side | None, ...] = ("sell", "buy", None)
RISING = [
    # Ids that are text, one that sorts last but came first; then numbers, over two days.
    *[Trade("ex", "TEXT", T0 + n, T0 + n, ONE, ONE, "buy", name) for n, name in enumerate(["z9", "a-1", "b-7"])],
    *[Trade("ex", "BOTH", T0 + n, T0 + n, ONE, ONE, "buy", name) for n, name in enumerate(["12", "x", "13", "y"])],
    *[Trade("ex", "DAYS", T0 + n * DAY // 2, T0 + n * DAY, ONE, ONE, "buy", str(n)) for n in range(4)],
    Trade("ex", "UNDATED", None, T0 + 77, ONE, ONE, "buy", "u"),
    # Nothing but the time of receipt tells which of these is the last.
    *[Liquidation("ex", "FELL", None, T0 + n, ONE, ONE, side, None) for n, side in enumerate(SIDES)],
    *[FundingRate("ex", "FELL", None, T0 + n, ONE, due, True) for n, due in enumerate([DUE, DUE - DAY, DUE - 2 * DAY])],
    MarkPrice("ex", "FELL", None, T0 + 5, ONE, None),
    OpenInterest("ex", "FELL", None, T0 + 6, ONE, None),
]
SAMPLES = [event for kind in MARKET_EVENTS for event in samples.samples(kind)]
# An exchange numbers the quotes of a stream or does not.
EVENTS: list[Message] = [*RISING, *[e for e in SAMPLES if not isinstance(e, Quote) or e.sequence is not None]]
# As written with `candles = "closed"`.
STORED = [event for event in EVENTS if not isinstance(event, Candle) or event.closed]


@pytest.fixture(scope="module", params=["rows", "blocks"])
def packed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "blocks")


@pytest.fixture(scope="module")
def store(packed: bool, home: Home) -> Iterator[StorageConfig]:
    with fresh_database(home.shared()) as dsn:
        asyncio.run(_fill(dsn, packed))
        yield StorageConfig(dsn=dsn)


async def _fill(dsn: str, packed: bool) -> None:
    async with opened(dsn) as sink:
        assert (await sink.write(EVENTS)).written == len(STORED)
    if packed:
        assert await pack(dsn, date(2024, 1, 5))


def ask(settings: StorageConfig, name: str) -> Any:
    async def run() -> Any:
        async with Queries(settings) as store:
            return await getattr(store, name)()

    return asyncio.run(run())


def time_of(event: Message) -> int:
    if isinstance(event, Candle):
        return event.open_time
    return event.ts_recv if event.ts_event is None else event.ts_event


def test_every_event_is_counted_under_its_channel(store: StorageConfig) -> None:
    assert ask(store, "counts") == Counter((event.exchange, event.channel) for event in STORED)


def test_the_last_event_is_the_latest_of_its_stream_whatever_its_key(store: StorageConfig, packed: bool) -> None:
    expected: dict[StreamKey, int] = {}
    for event in STORED:
        key = StreamKey(event.exchange, event.channel, event.symbol)
        expected[key] = max(time_of(event), expected.get(key, 0))
    found = ask(store, "last")
    assert found.keys() == expected.keys()
    for key, ts in expected.items():
        if packed and (key.channel in ("trade", "quote", "book") or key.channel.startswith("book_snapshot")):
            # A block tells its end to the microsecond, and of quotes and snapshots when it was received.
            assert ts // 1000 * 1000 <= found[key] <= ts + samples.RECEIVED - T0, key
        else:
            assert found[key] == ts, key


def test_resume_points_are_the_highest_numbers(store: StorageConfig) -> None:
    found = ask(store, "resume_points")
    assert {key.symbol: number for key, number in found.items() if key.exchange == "ex"} == {
        "BOTH": 13, "DAYS": 3, "FELL": DUE,
    }  # fmt: skip
    assert found[StreamKey("ex", "funding", "FELL")] == DUE
    trades = [e for e in samples.samples(Trade) if e.id_space is None and e.symbol == samples.SPOT]
    assert found[StreamKey(samples.EXCHANGE, "trade", samples.SPOT)] == max(int(e.trade_id) for e in trades)
    assert found[StreamKey(samples.EXCHANGE, "trade@agg", samples.SPOT)] == 1003
    assert found[StreamKey(samples.EXCHANGE, "quote", samples.SPOT)] == 5004
    assert found[StreamKey(samples.EXCHANGE, "book", samples.SPOT)] == 7007


def test_an_open_candle_is_no_resume_point(dsn: str) -> None:
    (closed, *_) = [candle for candle in samples.samples(Candle) if candle.closed]
    later = evolve(closed, open_time=closed.open_time + samples.MINUTE, closed=False)

    async def run() -> tuple[Any, Any]:
        async with opened(dsn, candles="all") as sink:
            assert (await sink.write([closed, later])).written == 2
            return await sink.resume_points(), await sink.last()

    key = StreamKey(closed.exchange, closed.channel, closed.symbol)
    assert asyncio.run(run()) == ({key: closed.open_time}, {key: later.open_time})
