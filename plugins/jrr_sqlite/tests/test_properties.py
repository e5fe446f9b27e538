"""Whatever the events: stored once, read back equal, a second time all duplicate."""

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_sqlite import StorageConfig
from jrr_sqlite.queries import read_events
from jrr_sqlite.writer import Writer

from jrr_core.events import (
    MARKET_EVENTS,
    STREAM_EVENTS,
    BookDelta,
    BookSnapshot,
    Candle,
    FundingRate,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Trade,
)
from jrr_core.exact import decimal
from jrr_core.levels import Levels

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
names = st.sampled_from(["a", "b"]) | texts
small = st.integers(0, 3)
times = small | st.integers(0, 2**62)
maybe = st.none() | times
written = st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9])?", fullmatch=True)
zeros = st.integers(1, 13).map(lambda n: "0" * n)
repetitive = st.builds("{}.{}{}".format, small, st.sampled_from(["", "1", "10"]), zeros)
numbers = (written | repetitive).map(decimal)
maybe_number = st.none() | numbers
levels = st.lists(st.tuples(written | repetitive, written | repetitive), max_size=4).map(Levels)
ids = small.map(str) | st.integers().map(str) | texts
sides = st.sampled_from(["buy", "sell", None])
flags = st.booleans()
head = (names, names, maybe, times)

market = st.one_of(
    st.builds(Trade, *head, numbers, numbers, sides, ids, small, st.none() | texts, st.none() | names),
    st.builds(Quote, *head, maybe_number, maybe_number, maybe_number, maybe_number, maybe),
    st.builds(BookSnapshot, *head, levels, levels, st.none() | st.integers(1, 400), maybe, st.none() | flags),
    st.builds(BookDelta, *head, levels, levels, maybe, times, maybe),
    st.builds(Candle, *head, names, times, maybe, *[numbers] * 5, maybe_number, maybe, flags),
    st.builds(FundingRate, *head, numbers, maybe, flags),
    st.builds(MarkPrice, *head, numbers, maybe_number),
    st.builds(OpenInterest, *head, numbers, maybe_number),
    st.builds(Liquidation, *head, numbers, numbers, sides, st.none() | texts),
)
streams = st.one_of(
    [
        st.builds(
            kind, *head, names, names, st.none() | texts, maybe, maybe, maybe, st.none() | st.tuples(times, times)
        )
        for kind in STREAM_EVENTS
    ]
)


def kept(events: list[Any]) -> dict[Any, Any]:
    """Return what a store should hold, by the words of the data model: the first of each KEY, closed before open."""
    rows: dict[Any, Any] = {}
    for event in events:
        key = (event.type, event.exchange, event.symbol, *event.key())
        old = rows.setdefault(key, event)
        if isinstance(event, Candle) and not old.closed and (event.closed or event.ts_recv > old.ts_recv):
            rows[key] = event
    return rows


def opened(path: str) -> Writer:
    writer = Writer(StorageConfig(path=path, candles="all", synchronous="off"))
    writer.open()
    return writer


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with its schema made, to start each example from."""
    path = tmp_path_factory.mktemp("empty") / "market.db"
    opened(str(path)).close()
    return path


@given(events=st.lists(market | streams, max_size=12))
def test_events_are_stored_once_and_read_back_equal(empty: Path, events: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(empty, folder)
        writer = opened(path)
        try:
            first, again = writer.write(events), writer.write(events)
        finally:
            writer.close()
        expected = kept(events)
        found = [event for kind in (*MARKET_EVENTS, *STREAM_EVENTS) for event in read_events(path, kind)]
    assert first.written + first.duplicate == len(events)
    assert first.written >= len(expected)
    assert (again.written, again.duplicate) == (0, len(events))
    assert sorted(map(repr, found)) == sorted(map(plain_repr, expected.values()))


def plain_repr(event: Any) -> str:
    """Return an event's text with its numbers written out, as the store gives them back."""
    for name in event.fields():
        value = getattr(event, name)
        if isinstance(value, Decimal):
            setattr(event, name, Decimal(format(value, "f")))
    return repr(event)
