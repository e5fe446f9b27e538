"""The sorted book: its best levels are those of a whole book, told when they change, cut where the exchange cuts."""

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.book import Book
from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.ladder import Ladder
from jrr_core.levels import Levels

Rows = list[tuple[str, str]]
changes = st.lists(
    st.tuples(st.sampled_from(["9", "10", "10.50", "11", "100"]), st.sampled_from(["0", "1", "2.0"])), max_size=4
)


@given(st.lists(st.tuples(changes, changes), max_size=20))
def test_best_levels_are_those_of_a_whole_book(steps: list[tuple[Rows, Rows]]) -> None:
    ladder, book = Ladder("x", "X", (3,)), Book()
    ladder.apply(Levels(), Levels())
    book.apply(BookSnapshot("x", "X", 0, 0, Levels(), Levels(), None, 0))
    shown: BookSnapshot | None = None
    for number, (bids, asks) in enumerate(steps, 1):
        ladder.apply(Levels(bids), Levels(asks))
        book.apply(BookDelta("x", "X", 0, 0, Levels(bids), Levels(asks), None, number, number - 1))
        told = ladder.tops(0, 0, number)
        shown = told[0] if told else shown
        assert shown is not None
        assert (shown.bids.decimals(), shown.asks.decimals()) == book.top(3)


@given(st.lists(st.tuples(changes, changes), max_size=20), st.integers(1, 3))
def test_a_reader_that_applies_the_cuts_has_the_cut_book(steps: list[tuple[Rows, Rows]], depth: int) -> None:
    ladder, book = Ladder("x", "X"), Book()
    for number, (bids, asks) in enumerate(steps, 1):
        ladder.apply(Levels(bids), Levels(asks))
        gone_bids, gone_asks = ladder.cut(depth)
        bids, asks = [*bids, *gone_bids], [*asks, *gone_asks]
        book.apply(BookDelta("x", "X", 0, 0, Levels(bids), Levels(asks), None, number, number - 1))
        assert book.top(None) == tuple([Levels(side).decimals() for side in ladder.best(depth)])
        assert ladder.best(depth + 1) == ladder.best(depth)


def test_levels_keep_the_text_they_came_in() -> None:
    ladder = Ladder("x", "X")
    ladder.apply(Levels([("10.50", "1.0"), ("10.5", "2.00")]), Levels())
    assert ladder.best(5) == ((("10.5", "2.00"),), ())


def test_a_depth_is_told_once_until_it_changes_or_the_book_is_cleared() -> None:
    ladder = Ladder("x", "X", (1, 2))
    ladder.apply(Levels([("10", "1"), ("9", "1")]), Levels())
    assert [event.depth for event in ladder.tops(1, 2, 3)] == [1, 2]
    ladder.apply(Levels([("9", "5")]), Levels())
    assert [event.depth for event in ladder.tops(1, 2, 4)] == [2]
    assert ladder.tops(1, 2, 5) == []
    ladder.clear()
    ladder.apply(Levels([("10", "1"), ("9", "5")]), Levels())
    assert [(event.depth, event.sequence) for event in ladder.tops(1, 2, 6)] == [(1, 6), (2, 6)]
