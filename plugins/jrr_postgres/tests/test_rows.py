"""Rows: the events of every table come back from rows and views as they were."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.rows import ns_of, raw_time
from jrr_postgres.tables import TABLES, Table
from jrr_postgres.testing import Home, fetch, fresh_database

from jrr_core.events import Candle, FundingRate, Liquidation, MarkPrice, Message, OpenInterest
from jrr_core.exact import decimal
from jrr_core.levels import Levels
from jrr_core.store import Selection
from jrr_core.testing import samples

T0 = 1_700_000_000 * 10**9
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
times = st.integers(T0, T0 + 10**10)
numbers = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9])?", fullmatch=True).map(decimal)
# A numeric has no negative zero: it comes back as zero.
numbers = numbers.filter(lambda number: number != 0 or not number.is_signed())
maybe_number = st.none() | numbers
maybe_time = st.none() | times
head = (st.just("sim"), st.just("A"), maybe_time, times)
KINDS: dict[type[Message], st.SearchStrategy[Any]] = {
    Candle: st.builds(
        Candle, *head, st.sampled_from(["1m", "1M", "1d@+08:00"]), times, maybe_time, *[numbers] * 5, maybe_number,
        st.none() | st.integers(0, 2**31 - 1), st.just(True),
    ),
    FundingRate: st.builds(FundingRate, *head, numbers, maybe_time, st.booleans()),
    MarkPrice: st.builds(MarkPrice, *head, numbers, maybe_number),
    OpenInterest: st.builds(OpenInterest, *head, numbers, maybe_number),
    Liquidation: st.builds(
        Liquidation, *head, numbers, numbers, st.sampled_from(["buy", "sell", None]), st.none() | texts
    ),
}  # fmt: skip
number = iter(range(10**9))


@pytest.fixture(scope="module")
def store(home: Home) -> Iterator[tuple[asyncio.Runner, PostgresSink]]:
    with fresh_database(home.shared()) as dsn, asyncio.Runner() as runner:
        sink = PostgresSink(StorageConfig(dsn=dsn, compact=False, candles="all"))
        runner.run(sink.open())
        yield runner, sink
        runner.run(sink.close())


def digits(event: Message) -> str:
    """Return the event's text with its numbers written out: an exponent is no digit, and 0.0 is not 0.00."""
    values = [getattr(event, name) for name in ("exchange", "symbol", "ts_event", "ts_recv", *event.fields())]
    return repr([format(value, "f") if isinstance(value, Decimal) else value for value in values])


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_comes_back_as_it_was(kind: type[Message], store: tuple[asyncio.Runner, PostgresSink]) -> None:
    runner, sink = store

    async def stored(symbol: str, events: list[Any]) -> list[Any]:
        for event in events:
            event.symbol = symbol
        assert (await sink.write(events)).written == len(events)
        return [event async for event in sink.read(kind, Selection("sim", symbol))]

    @settings(max_examples=20, deadline=None)
    @given(events=st.lists(KINDS[kind], min_size=1, max_size=20, unique_by=lambda event: event.key()))
    def check(events: list[Any]) -> None:
        found = runner.run(stored(f"S{next(number)}", events))
        assert sorted(map(digits, found)) == sorted(map(digits, events))

    check()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.view)
def test_a_view_shows_every_field_of_the_event(table: Table, store: tuple[asyncio.Runner, PostgresSink]) -> None:
    runner, sink = store
    events = samples.samples(table.event)
    runner.run(sink.write(events))
    names = ["exchange", "symbol", "ts_event", "ts_recv", *table.event.fields()]
    shown = [f"{name}_ns" if name.startswith("ts_") or name.endswith("_time") else name for name in names]

    async def rows() -> Sequence[Any]:
        query = f"SELECT {', '.join(shown)} FROM jrr.{table.view} WHERE exchange = '{samples.EXCHANGE}'"
        return await fetch(sink.settings.dsn, query)

    def plain(value: Any) -> Any:
        if isinstance(value, Levels):
            return [list(level) for level in value]
        return format(value, "f") if isinstance(value, Decimal) else value

    def read(name: str, value: Any) -> Any:
        return json.loads(value) if name in ("bids", "asks") else plain(value)

    found = [[read(name, value) for name, value in zip(names, row, strict=True)] for row in runner.run(rows())]
    expected = [[plain(getattr(event, name)) for name in names] for event in events]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


@given(ns=st.none() | st.integers(-(2**61), 2**62))
def test_a_raw_time_and_what_is_below_it_are_the_time(ns: int | None) -> None:
    assert ns_of(None if ns is None else raw_time(ns), 0 if ns is None else ns % 1000) == ns
