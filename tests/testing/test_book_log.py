from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from jrr_core.testing.book_log import BookLog
from jrr_core.testing.market import Listing, Market

D = Decimal
BIDS = [(D(9), D(1)), (D(8), D(2))]
ASKS = [(D(10), D(3))]


def test_a_book_is_known_at_each_of_its_numbers() -> None:
    log = BookLog(100, 0, BIDS, ASKS)
    log.change(107, 1, [(D(9), D(0)), (D("8.5"), D("0.1"))], [])
    log.change(108, 2, [], [(D(10), D(0)), (D(11), D(4))])
    assert log.at(108) == (((D("8.5"), D("0.1")), (D(8), D(2))), ((D(11), D(4)),))
    assert log.at(100) == (tuple(BIDS), tuple(ASKS))
    assert log.at(107) == (((D("8.5"), D("0.1")), (D(8), D(2))), tuple(ASKS))
    assert log.at(103) is None


def test_numbers_may_begin_anew() -> None:
    log = BookLog(100, 0, BIDS, ASKS)
    log.change(110, 1, [(D(9), D(5))], [])
    log.change(55, 2, [], [])
    log.change(60, 3, [(D(9), D(6))], [])
    assert [log.at(number)[0][0][1] for number in (100, 110, 55, 60)] == [1, 5, 5, 6]  # type: ignore[index]
    log.change(70, 4, [(D(9), D(7))], [])
    assert log.at(70)[0][0][1] == 7  # type: ignore[index]


def test_a_book_is_outdated_once_it_was_changed() -> None:
    log = BookLog(100, 10, BIDS, ASKS)
    log.change(107, 20, [(D(9), D(5))], [])
    assert [log.outdated(100, ts) for ts in (5, 10, 19, 20, 30)] == [False, False, False, True, True]
    assert not log.outdated(107, 1000)
    assert log.outdated(3, 0)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 150))
def test_it_follows_a_market_and_survives_its_file(seed: int, steps: int) -> None:
    market = Market([Listing("BTC", D(100), D("0.01"), D("0.00001"))], seed, depth=8)
    log, books = BookLog(7, 0, *market.book("BTC")), {7: market.book("BTC")}
    for number in range(steps):
        happening = market.step(number)
        log.change(10 + number, number, happening.bids, happening.asks)
        books[10 + number] = market.book("BTC")
    first, *others = log.lines()
    again = BookLog.begun(first)
    for line in others:
        again.extend(line)
    order = list(books)
    Random(seed).shuffle(order)
    for kept in (log, again):
        assert len(kept) == len(books)
        for number in order[:20]:
            bids, asks = books[number]
            assert kept.at(number) == (tuple(bids), tuple(asks))


def test_time_in_which_the_market_stood_still_makes_no_book_outdated() -> None:
    log = BookLog(100, 10, BIDS, ASKS)
    for number in (20, 21, 90, 91):
        log.change(number, number, [(D(9), D(number))], [])
    assert [log.outdated(20, ts, 5) for ts in (25, 89, 90)] == [False, False, True]
    assert [log.outdated(90, ts, 5) for ts in (95, 1000)] == [False, False]
    assert [log.outdated(90, ts, 5, 100) for ts in (99, 100, 1000)] == [False, True, True]
