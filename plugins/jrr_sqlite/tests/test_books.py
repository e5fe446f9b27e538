"""A book of the past is what its snapshot and the deltas up to the moment make, and says when nobody can know."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.book import BookState, rebuild
from jrr_core.events import BookDelta, BookSnapshot, Connected, Disconnected, Gap
from jrr_core.levels import EMPTY, Levels
from jrr_core.sink import WriteResult

Write = Callable[..., list[WriteResult]]
S = 10**9
AT = ("x", "BTC")
_symbols = itertools.count()


def snapshot(sequence: int, ts: int, depth: int | None = None, price: str = "1") -> BookSnapshot:
    return BookSnapshot(*AT, ts * S, ts * S, Levels([(price, "1")]), EMPTY, depth, sequence)


def delta(sequence: int, ts: int, previous: int | None = None, first: int | None = None) -> BookDelta:
    """Return a delta that sets the price of its own number."""
    return BookDelta(*AT, ts * S, ts * S, Levels([(str(sequence), "1")]), EMPTY, first, sequence, previous)


def book_at(path: str, ts: int, depth: int | None = None) -> BookState | None:
    return asyncio.run(SqliteSink(StorageConfig(path=path)).book_at(*AT, ts * S, depth))


def prices(state: BookState | None) -> list[int]:
    assert state is not None
    return sorted(int(price) for price, _ in state.bids)


def chain(count: int, start: int = 100) -> list[BookDelta]:
    return [delta(start + n, n, start + n - 1, start + n) for n in range(1, count + 1)]


def test_a_book_holds_what_came_up_to_the_moment(path: str, store: Write) -> None:
    store([snapshot(100, 0), *chain(5)])
    for ts in range(6):
        state = book_at(path, ts)
        assert prices(state) == [1, *range(101, 101 + ts)]
        assert state is not None
        assert (state.intact, state.ts, state.sequence) == (True, ts * S, 100 + ts)
    assert prices(book_at(path, 5, depth=2)) == [104, 105]
    assert book_at(path, -1) is None


def test_the_last_snapshot_up_to_the_moment_is_the_beginning(path: str, store: Write) -> None:
    store([snapshot(100, 0), *chain(3), snapshot(103, 4, price="7"), delta(104, 5, 103, 104)])
    assert prices(book_at(path, 3)) == [1, 101, 102, 103]
    assert prices(book_at(path, 4)) == [7]
    assert prices(book_at(path, 9)) == [7, 104]


def test_deltas_received_before_their_snapshot_follow_it(path: str, store: Write) -> None:
    rest = BookSnapshot(*AT, None, 3 * S, Levels([("1", "1")]), EMPTY, None, 102)
    store([rest, *chain(5)])
    assert prices(book_at(path, 3)) == [1, 103]
    assert prices(book_at(path, 5)) == [1, 103, 104, 105]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.data())
def test_it_equals_a_walk_through_everything(path: str, store: Write, data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 12))
    kept = [item for item in chain(count) if data.draw(st.booleans() | st.just(True))]
    whole = [snapshot(100 + at, at) for at in data.draw(st.sets(st.integers(0, count), min_size=1))]
    symbol = f"S{next(_symbols)}"  # a book of its own in the one file
    events: list[Any] = sorted([*whole, *kept], key=lambda event: (event.ts_recv, event.type == "book_delta"))
    for event in events:
        event.symbol = symbol
    store(events)
    ts = data.draw(st.integers(0, count))
    found = asyncio.run(SqliteSink(StorageConfig(path=path)).book_at("x", symbol, ts * S))
    starts = [item for item in whole if item.ts_recv <= ts * S]
    start = max(starts, key=lambda item: item.ts_recv, default=None)
    assert found == (None if start is None else rebuild(start, [item for item in kept if item.ts_recv <= ts * S]))


def test_a_missing_delta_is_told(path: str, store: Write) -> None:
    deltas = chain(5)
    store([snapshot(100, 0), *deltas[:2], *deltas[3:]])
    state = book_at(path, 9)
    assert prices(state) == [1, 101, 102]
    assert state is not None
    assert state.reason == "after update 102 comes 104, which continues 103: updates are missing"
    assert book_at(path, 2) == rebuild(snapshot(100, 0), deltas[:2])


def test_an_exchange_that_counts_anew_is_followed(path: str, store: Write) -> None:
    links = [delta(100, 0, 90), delta(110, 1, 100), delta(2, 2, 110), delta(5, 3, 2)]
    store([links[0], snapshot(100, 0), *links[1:]])
    assert prices(book_at(path, 9)) == [1, 2, 5, 110]
    assert prices(book_at(path, 2)) == [1, 2, 110]


def test_an_interrupted_stream_makes_no_intact_book(path: str, store: Write) -> None:
    def note(kind: Any, ts: int, **more: Any) -> Any:
        return kind(*AT, None, ts * S, "book", "s1", **more)

    store([
        note(Connected, 0, ts_from=0), snapshot(100, 1), delta(101, 2, 100, 101),
        note(Gap, 9, reason="sequence", ts_from=5 * S, ts_to=9 * S), snapshot(200, 9), delta(201, 10, 200, 201),
        note(Disconnected, 20, reason="closed", ts_to=20 * S),
    ])  # fmt: skip
    told = {ts: state.reason for ts in (2, 4, 7, 9, 20, 60) if (state := book_at(path, ts)) is not None}
    assert told == {
        2: None,
        4: None,
        7: "the stream was interrupted at 1970-01-01 00:00:05 UTC: sequence",
        9: None,
        20: None,
        60: "the stream is not stored after 1970-01-01 00:00:20 UTC: closed",
    }


def test_where_only_partial_books_are_stored_the_last_one_answers(path: str, store: Write) -> None:
    store([snapshot(1, 1, 5, "10"), snapshot(2, 2, 5, "20"), delta(3, 3, 2, 3)])
    assert prices(book_at(path, 9)) == [20]
    assert prices(book_at(path, 1)) == [10]
    store([snapshot(2, 2)])
    assert prices(book_at(path, 9)) == [1, 3]


@pytest.mark.parametrize("where", [("x", "ETH"), ("y", "BTC")])
def test_no_book_is_none(path: str, store: Write, where: tuple[str, str]) -> None:
    store([snapshot(100, 0)])
    assert asyncio.run(SqliteSink(StorageConfig(path=path)).book_at(*where, 9 * S)) is None
