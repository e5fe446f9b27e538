"""Rows come in order of time across partitions, rows beside them and blocks, whatever the limit."""

import asyncio
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Home, fresh_database, opened, pack

from jrr_core.events import Quote, Trade
from jrr_core.store import Selection

MIDNIGHT = 1_704_153_600 * 10**9  # 2024-01-02 00:00 UTC
HOUR = 3600 * 10**9
D = Decimal


def _moments() -> list[int]:
    """Return times of four days: at the edges of days to the nanosecond, within microseconds, with pauses between."""
    near = (-1001, -1000, -999, -1, 0, 1, 999, 1000, 1001)
    return sorted({MIDNIGHT + day * 24 * HOUR + n + pause for day in range(3) for pause in (0, 5 * HOUR) for n in near})


def trade(number: int, ts: int, space: str | None) -> Trade:
    """Every third has no time of the exchange's; ids fall while time rises."""
    event = None if number % 3 == 0 else ts
    recv = ts if event is None else ts + 50
    return Trade("ex", "A", event, recv, D(number), D(1), "buy", str(900 - number), id_space=space)


TRADES = [trade(n, ts, "agg" if n % 5 == 0 else None) for n, ts in enumerate(_moments())]
# Received up to most of a day before or after the time the exchange gives.
QUOTES = [
    Quote("ex", "A", ts, ts + (n % 5 - 2) * 11 * HOUR, D(n), D(1), D(n + 1), D(1), n + 1)
    for n, ts in enumerate(_moments())
]


@pytest.fixture(scope="module", params=["rows", "blocks", "both"])
def store(request: pytest.FixtureRequest, home: Home) -> Iterator[StorageConfig]:
    """The events as rows; with all days packed; with the first day packed alone."""
    before = {"rows": None, "blocks": date(2024, 2, 1), "both": date(2024, 1, 2)}[request.param]
    with fresh_database(home.shared()) as dsn:
        asyncio.run(_fill(dsn, before))
        yield StorageConfig(dsn=dsn)


async def _fill(dsn: str, before: date | None) -> None:
    async with opened(dsn) as sink:
        for batch in (TRADES[::-1], QUOTES):
            assert (await sink.write(batch)).written == len(batch)
    if before is not None:
        assert await pack(dsn, before)


def read(settings: StorageConfig, kind: type[Any], *chosen: Selection) -> list[list[Any]]:
    async def ask() -> list[list[Any]]:
        async with Queries(settings) as queries:
            return [[event async for event in queries.read(kind, one)] for one in chosen]

    return asyncio.run(ask())


@pytest.mark.parametrize(("kind", "events"), [(Trade, TRADES), (Quote, QUOTES)])
def test_all_come_in_order_of_time(store: StorageConfig, kind: type[Any], events: list[Any]) -> None:
    assert read(store, kind, Selection("ex", "A")) == [events]


@pytest.mark.parametrize(("kind", "events"), [(Trade, TRADES), (Quote, QUOTES)])
def test_any_two_times_cut_to_the_nanosecond(store: StorageConfig, kind: type[Any], events: list[Any]) -> None:
    moments = _moments()
    pairs = [(moments[n], moments[m]) for n in range(0, len(moments), 5) for m in range(n, len(moments), 7)]
    found = read(store, kind, *[Selection("ex", "A", since, until) for since, until in pairs])
    for (since, until), events_found in zip(pairs, found, strict=True):
        assert events_found == events[moments.index(since) : moments.index(until)], (since, until)


@pytest.mark.parametrize(("kind", "events"), [(Trade, TRADES), (Quote, QUOTES)])
def test_limits_take_the_first_or_the_last(store: StorageConfig, kind: type[Any], events: list[Any]) -> None:
    limits = [0, 1, 2, 9, 10, 28, len(events), 1000]
    first = read(store, kind, *[Selection("ex", "A", limit=limit) for limit in limits])
    last = read(store, kind, *[Selection("ex", "A", limit=limit, newest=True) for limit in limits])
    for limit, firsts, lasts in zip(limits, first, last, strict=True):
        assert firsts == events[:limit], limit
        assert lasts == (events[-limit:] if limit else []), limit


def test_the_newest_before_a_time_within_a_microsecond(store: StorageConfig) -> None:
    moments = _moments()
    ends = range(1, len(moments), 4)
    chosen = [Selection("ex", "A", None, moments[end], limit=3, newest=True) for end in ends]
    for end, found in zip(ends, read(store, Trade, *chosen), strict=True):
        assert found == TRADES[max(0, end - 3) : end], end


def test_streams_that_are_not_there_give_nothing(store: StorageConfig) -> None:
    assert read(store, Trade, Selection("no"), Selection("ex", "none"), Selection("ex", "A", interval="1m")) == [[]] * 3
