"""Lines: whatever an event holds comes back from the server as it was, digit for digit."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.lines import levels_text, stamp
from jrr_postgres.rows import levels_of
from jrr_postgres.testing import Home, fresh_database

from jrr_core.events import BookDelta, BookSnapshot, Quote, Trade
from jrr_core.exact import decimal
from jrr_core.levels import Levels
from jrr_core.store import Selection

T0 = 1_700_000_000 * 10**9
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
small = st.integers(0, 3)
times = st.integers(T0, T0 + 10**10)
positions = st.integers(0, 2**63 - 1)
long_number = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", fullmatch=True)
short_number = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
repetitive = st.builds("{}.{}{}".format, small, st.sampled_from(["", "1", "10"]), st.integers(1, 13).map("0".__mul__))
written = long_number | short_number | repetitive
# The server knows no negative zero.
numbers = written.map(decimal).filter(lambda value: bool(value) or not value.is_signed())
maybe_number = st.none() | numbers
levels = st.lists(st.tuples(written, written), max_size=5).map(Levels)
ids = small.map(str) | st.integers().map(str) | st.from_regex(r"0[0-9]{1,4}", fullmatch=True) | texts
sides = st.sampled_from(["buy", "sell", None])
head = (st.just("sim"), st.just("A"), st.none() | times, times)
# One sequence is one event: of two with the same key only the first is kept.
KINDS: dict[type, Any] = {
    Trade: st.builds(
        Trade, *head, numbers, numbers, sides, ids, st.integers(0, 2**31 - 1), st.none() | texts, st.none() | texts
    ),
    Quote: st.builds(Quote, *head, maybe_number, maybe_number, maybe_number, maybe_number, st.none() | positions),
    BookSnapshot: st.builds(
        BookSnapshot, *head, levels, levels, st.none() | st.integers(1, 400), st.none() | positions,
        st.none() | st.booleans(),
    ),
    BookDelta: st.builds(
        BookDelta, *head, levels, levels, st.none() | positions, positions, st.none() | positions
    ),
}  # fmt: skip
number = iter(range(10**9))


@pytest.fixture(scope="module")
def store(home: Home) -> Iterator[tuple[asyncio.Runner, PostgresSink, Any]]:
    with fresh_database(home.shared()) as dsn, asyncio.Runner() as runner:
        sink = PostgresSink(StorageConfig(dsn=dsn, compact=False))
        runner.run(sink.open())
        connection = runner.run(asyncpg.connect(dsn))
        yield runner, sink, connection
        runner.run(connection.close())
        runner.run(sink.close())


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_comes_back_as_it_was(kind: type[Any], store: tuple[asyncio.Runner, PostgresSink, Any]) -> None:
    runner, sink, _ = store

    async def stored(symbol: str, events: list[Any]) -> list[Any]:
        for event in events:
            event.symbol = symbol
        assert (await sink.write(events)).written == len(events)
        return [event async for event in sink.read(kind, Selection("sim", symbol))]

    # Each example asks the server: shrinking one would outlast the test.
    @settings(max_examples=10, deadline=None, phases=[Phase.generate])
    @given(events=st.lists(KINDS[kind], min_size=1, max_size=20, unique_by=_key))
    def check(events: list[Any]) -> None:
        found = runner.run(stored(f"S{next(number)}", events))
        assert sorted(map(_digits, found)) == sorted(map(_digits, events))

    check()


def _key(event: Any) -> Any:
    return event.key()


def _digits(event: Any) -> str:
    """Return the event's text with its numbers written out: an exponent is no digit."""
    values = [getattr(event, name) for name in ("exchange", "symbol", "ts_event", "ts_recv", *event.fields())]
    return repr([format(value, "f") if isinstance(value, Decimal) else value for value in values])


@settings(max_examples=50, deadline=None)
@given(bids=levels, asks=levels)
def test_levels_are_the_same_in_python_and_in_sql(
    store: tuple[asyncio.Runner, PostgresSink, Any], bids: Levels, asks: Levels
) -> None:
    runner, _, connection = store
    text = levels_text(bids, asks)
    assert levels_of(text) == (bids, asks)
    sides = runner.run(connection.fetchrow("SELECT jrr.levels_json($1, 1), jrr.levels_json($1, 2)", text))
    assert [[*map(tuple, json.loads(side))] for side in sides] == [[*bids], [*asks]]


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01 00:00:00.000000+00"),
        (T0 + 123_456_789, "2023-11-14 22:13:20.123456+00"),
        (-1, "1969-12-31 23:59:59.999999+00"),
    ],
)
def test_a_time_is_cut_to_microseconds(ns: int, text: str) -> None:
    assert stamp(ns) == text
