"""One side of a book: sorted, exact, in the exchange's own text, whatever is set and removed."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.book_side import BookSide

prices = st.sampled_from(
    [
        "1",
        "1.0",
        "1.5",
        "01.50",
        "2",
        "10",
        "9.99",
        "1e1",
        "0.00000001",
        "12345678901234567890.1",
        "12345678901234567890.2",
        "12345678901234567890.10",
    ]
)
amounts = st.sampled_from(
    ["0", "0.00", "-0.0", "0e5", "0.0E-9", "1", "0.1", "10", "1e-8", "0.10e1", "-1", "0." + "0" * 29 + "1e-99"]
)
histories = st.lists(st.tuples(prices, amounts), max_size=30)


@given(histories, st.booleans(), st.integers(0, 6) | st.none())
def test_the_side_is_what_was_said_last_of_each_price_best_first(
    history: list[tuple[str, str]], descending: bool, depth: int | None
) -> None:
    side, model = BookSide(descending), dict[Decimal, tuple[str, str]]()
    for price, amount in history:
        side.apply([(price, amount)])
        if Decimal(amount):
            model[Decimal(price)] = (price, amount)
        else:
            model.pop(Decimal(price), None)
        assert side.levels(2) == side.levels(None)[:2]
    expected = [model[price] for price in sorted(model, reverse=descending)]
    assert side.rows(depth) == expected[:depth]
    assert side.levels(depth) == [(Decimal(price), Decimal(amount)) for price, amount in expected[:depth]]
    assert len(side) == len(model)
    assert side.best == (Decimal(expected[0][0]) if expected else None)


@given(histories, st.booleans(), st.integers(0, 3))
def test_what_is_cut_off_is_told_as_removals_and_is_gone(
    history: list[tuple[str, str]], descending: bool, depth: int
) -> None:
    side, other = BookSide(descending), BookSide(descending)
    for each in (side, other):
        each.apply(history)
    removals = side.cut(depth)
    other.apply(removals)
    assert side.rows(None) == other.rows(None) == other.rows(depth)
    assert side.cut(depth) == []


def test_a_cleared_side_is_empty() -> None:
    side = BookSide(descending=True)
    side.apply([("1", "1")])
    side.clear()
    assert (side.rows(None), side.best, len(side)) == ([], None, 0)
