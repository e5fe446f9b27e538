"""The book equals a model that replays everything from the beginning."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.book import Book
from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.levels import EMPTY, Levels

prices = st.sampled_from(["1", "1.0", "1.5", "2", "2.50", "2.5", "10", "9.99"])
amounts = st.sampled_from(["0", "0.00", "1", "0.000000000000000001", "1e-8", "30"])
sides = st.lists(st.tuples(prices, amounts), max_size=6).map(Levels)
updates = st.lists(st.tuples(st.booleans(), sides, sides), max_size=12)


def snapshot(sequence: int, bids: Levels = EMPTY, asks: Levels = EMPTY) -> BookSnapshot:
    return BookSnapshot("example", "BTC-USDT", 1, 2, bids, asks, None, sequence)


def delta(sequence: int, bids: Levels = EMPTY, asks: Levels = EMPTY) -> BookDelta:
    return BookDelta("example", "BTC-USDT", 1, 2, bids, asks, None, sequence, sequence - 1)


def model(history: Sequence[Levels]) -> dict[Decimal, Decimal]:
    """Keep for each price the last amount said, and drop the zeros at the end only."""
    last = {price: amount for levels in history for price, amount in levels.decimals()}
    return {price: amount for price, amount in last.items() if amount != 0}


@given(updates)
def test_book_equals_the_naive_model(history: list[tuple[bool, Levels, Levels]]) -> None:
    book, since = Book(), list[tuple[Levels, Levels]]()
    for sequence, (whole, bids, asks) in enumerate(history):
        book.apply(snapshot(sequence, bids, asks) if whole else delta(sequence, bids, asks))
        since = [(bids, asks)] if whole else [*since, (bids, asks)]
        assert book.bids == model([pair[0] for pair in since])
        assert book.asks == model([pair[1] for pair in since])
        assert book.sequence == sequence


@given(sides, sides, st.integers(0, 10))
def test_top_is_best_first_on_both_sides(bids: Levels, asks: Levels, depth: int) -> None:
    book = Book()
    book.apply(snapshot(1, bids, asks))
    best_bids, best_asks = book.top(depth)
    assert best_bids == sorted(book.bids.items(), key=lambda level: -level[0])[:depth]
    assert best_asks == sorted(book.asks.items(), key=lambda level: level[0])[:depth]


@given(sides, sides)
def test_crossed_means_a_bid_at_or_above_an_ask(bids: Levels, asks: Levels) -> None:
    book = Book()
    book.apply(snapshot(1, bids, asks))
    assert book.crossed == any(bid >= ask for bid in book.bids for ask in book.asks)


def test_a_new_book_is_empty_and_unsynchronised() -> None:
    book = Book()
    assert book.top(5) == ([], [])
    assert book.sequence is None
    assert not book.crossed


def test_removing_a_price_that_is_not_there_changes_nothing() -> None:
    book = Book()
    book.apply(snapshot(1, Levels([("1", "2")])))
    book.apply(delta(2, Levels([("3", "0")])))
    assert book.bids == {Decimal(1): Decimal(2)}


def test_the_same_price_written_otherwise_is_the_same_level() -> None:
    book = Book()
    book.apply(snapshot(1, Levels([("1.50", "2")])))
    book.apply(delta(2, Levels([("1.5", "0")])))
    assert book.bids == {}
