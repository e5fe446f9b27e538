"""What the answers of three kinds of endpoints tell of a hole."""

from decimal import Decimal
from typing import ClassVar

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.endpoints import CandlesByTime, FundingByTime, TradesById
from jrr_core.events import Candle, FundingRate, Trade
from jrr_core.frame import Hole

S = 10**9
HOUR = 3600 * S
ZERO = Decimal(0)


class Trades(TradesById):
    most: ClassVar[int] = 10


class Minutes(CandlesByTime):
    most: ClassVar[int] = 3


class Rates(FundingByTime):
    most: ClassVar[int] = 5


def trades(first: int, last: int) -> Hole:
    return Hole("trade", "BTC", None, first, last, last - first + 1)


def trade(number: int) -> tuple[int, Trade]:
    return number, Trade("x", "BTC", number, number, ZERO, ZERO, None, str(number))


def candle(minute: int, closed: bool = True) -> Candle:
    return Candle("x", "BTC", None, 0, "1m", minute * 60 * S, None, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, None, closed)


def rate(hour: int) -> FundingRate:
    return FundingRate("x", "BTC", hour * HOUR, 0, ZERO, hour * HOUR, False)


MINUTES = Hole("candle_1m", "BTC", None, 0, 540 * S, 10)
HOURS = Hole("funding", "BTC", None, 0, 8 * HOUR, 2)


def test_a_window_holds_as_many_as_an_answer_has_room_for() -> None:
    assert list(Trades().window(trades(5, 100))) == list(range(5, 15))
    assert list(Trades().window(trades(5, 7))) == [5, 6, 7]
    assert Minutes().window(MINUTES) == [0, 60 * S, 120 * S]
    assert Rates().window(evolve(HOURS, last=100 * HOUR)) == [0, 4 * HOUR]


def test_a_window_spans_no_more_time_than_allowed() -> None:
    short = Minutes()
    short.span_ns = 120 * S
    assert short.window(MINUTES) == [0, 60 * S]


@given(st.sets(st.integers(0, 60)), st.integers(0, 50), st.integers(0, 10))
def test_trades_tell_of_all_ids_up_to_the_highest_listed(ids: set[int], first: int, more: int) -> None:
    hole = trades(first, first + more)
    answer = Trades().answer(hole, [trade(number) for number in ids])
    inside = sorted(number for number in ids if first <= number <= first + more)
    assert [int(event.trade_id) for event in answer.events if isinstance(event, Trade)] == inside == answer.listed
    reached = min(max([number for number in ids if number >= first], default=first - 1), hole.last)
    assert list(answer.known) == list(range(first, reached + 1))
    assert answer.settled == len(answer.known)


def test_an_id_without_a_trade_is_listed_and_bears_no_event() -> None:
    answer = Trades().answer(trades(1, 3), [trade(1), (2, None), trade(3)])
    assert (len(answer.events), answer.listed, answer.unused) == (2, [1, 2, 3], [2])


def test_an_open_candle_is_left_out_and_settles_those_before() -> None:
    answer = Minutes().answer(MINUTES, [candle(2, closed=False), candle(0)])
    assert [event.open_time for event in answer.events if isinstance(event, Candle)] == [0]
    assert answer.known == [0, 60 * S]
    assert answer.listed == [0]


def test_candles_behind_the_window_only_prove_it() -> None:
    answer = Minutes().answer(MINUTES, [candle(0), candle(1), candle(2), candle(3)])
    assert answer.known == answer.listed == [0, 60 * S, 120 * S]


def test_no_candles_tell_nothing() -> None:
    assert list(Minutes().answer(MINUTES, []).known) == []


def test_settlements_tell_nothing_before_all_that_are_missing_are_listed() -> None:
    wide = Rates()
    few, all_of_them = (
        wide.answer(evolve(HOURS, last=3 * HOUR), [rate(0)]),
        wide.answer(evolve(HOURS, last=3 * HOUR), [rate(3), rate(0), rate(9)]),
    )
    assert (len(few.events), list(few.known), few.settled) == (1, [], 1)
    assert (len(all_of_them.events), list(all_of_them.known), all_of_them.settled) == (2, [0, 3 * HOUR], 2)


def test_a_window_in_the_middle_is_told_by_any_settlement() -> None:
    answer = Rates().answer(evolve(HOURS, last=100 * HOUR, count=12), [rate(0)])
    assert list(answer.known) == [0, 4 * HOUR]
