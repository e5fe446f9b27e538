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
from jrr_sqlite.queries import reading
from jrr_sqlite.rows import read
from jrr_sqlite.writer import Writer

from jrr_core.events import (
    ALL_EVENTS,
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
from jrr_core.store import EVERYTHING, Selection

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
        with reading(path) as file:
            found = [event for kind in ALL_EVENTS for event in read(file, kind, EVERYTHING)]
    assert first.written + first.duplicate == len(events)
    assert first.written >= len(expected)
    assert (again.written, again.duplicate) == (0, len(events))
    assert sorted(map(repr, found)) == sorted(map(plain_repr, expected.values()))


moments = st.none() | small | times
selections = st.builds(
    Selection, st.none() | names, st.none() | names, moments, moments, st.none() | names, st.none() | small, flags
)


@given(events=st.lists(market | streams, max_size=12), kind=st.sampled_from(ALL_EVENTS), chosen=selections)
def test_a_selection_is_what_a_walk_through_all_events_finds(
    empty: Path, events: list[Any], kind: Any, chosen: Selection
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(empty, folder)
        writer = opened(path)
        try:
            writer.write(events)
        finally:
            writer.close()
        with reading(path) as file:
            found = list(read(file, kind, chosen))
            everything = list(read(file, kind, EVERYTHING))
    fitting = [event for event in everything if fits(event, chosen)]
    ordered = (chosen.exchange is not None and chosen.symbol is not None) or (
        chosen.newest and chosen.limit is not None
    )
    if ordered:
        fitting.sort(key=time_of)
        assert [time_of(event) for event in found] == sorted(time_of(event) for event in found)
    expected = fitting if chosen.limit is None else fitting[: chosen.limit]
    if chosen.limit is not None and chosen.newest:
        expected = fitting[len(fitting) - min(chosen.limit, len(fitting)) :]
    assert [time_of(event) for event in found] == [time_of(event) for event in expected] or not ordered
    assert len(found) == len(expected)
    assert not [event for event in found if event not in fitting]


def fits(event: Any, chosen: Selection) -> bool:
    return (
        chosen.exchange in (None, event.exchange)
        and chosen.symbol in (None, event.symbol)
        and (chosen.ts_from is None or time_of(event) >= chosen.ts_from)
        and (chosen.ts_to is None or time_of(event) < chosen.ts_to)
        and (not isinstance(event, Candle) or chosen.interval in (None, event.interval))
    )


def time_of(event: Any) -> int:
    moment: int = event.ts_recv if event.ts_event is None else event.ts_event
    return event.open_time if isinstance(event, Candle) else moment


def plain_repr(event: Any) -> str:
    """Return an event's text with its numbers written out, as the store gives them back."""
    for name in event.fields():
        value = getattr(event, name)
        if isinstance(value, Decimal):
            setattr(event, name, Decimal(format(value, "f")))
    return repr(event)
