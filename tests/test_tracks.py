"""What is missing of trades, candles and funding, and what is asked for."""

from collections.abc import Sequence
from decimal import Decimal

from jrr_core.events import Backfilled, Candle, FundingRate, Gap, Message, Trade
from jrr_core.frame import Hole
from jrr_core.numbered import GRACE_NS
from jrr_core.tracks import Candles, Funding, Trades

S = 10**9
HOUR = 3600 * S
ONE = Decimal(1)


def trade(number: int, count: int = 1, space: str | None = None, at: int | None = None) -> Trade:
    ts = number * S if at is None else at
    return Trade("sim", "X", ts, ts, ONE, ONE, "buy", str(number), count, None, space)


def candle(opened: int, closed: bool = True, at: int | None = None) -> Candle:
    """Return the candle of the minute `opened`; times are in minutes."""
    ts = (opened + 1 if at is None else at) * 60 * S
    return Candle("sim", "X", ts, ts, "1m", opened * 60 * S, None, ONE, ONE, ONE, ONE, ONE, None, None, closed)


def funding(due: int, at: int, predicted: bool = True) -> FundingRate:
    """Return the rate of the settlement at `due`; times are in hours."""
    return FundingRate("sim", "X", at * HOUR, at * HOUR, ONE, due * HOUR, predicted)


def take(of: Trades | Candles | Funding, event: Message, session: str = "a", answered: bool = False) -> list[Message]:
    told = of.take(event, session, answered)
    return [event] if told is None else list(told)


def words(events: Sequence[Message]) -> list[str]:
    return [event.type for event in events]


def test_a_merged_trade_covers_the_ids_of_its_fills() -> None:
    of = Trades(("sim", "trade", "X"), {None: "fills"})
    take(of, trade(635))
    assert of.take(trade(645, 10), "a", False) is None
    take(of, trade(650, 3))
    assert [e.sequences for e in of.due(651 * S) if isinstance(e, Gap)] == [(646, 647)]


def test_single_fills_of_an_answer_take_the_place_of_a_merged_trade() -> None:
    of = Trades(("sim", "trade", "X"), {None: "fills"})
    take(of, trade(635))
    take(of, trade(640, 2))
    of.due(10**18)
    assert of.asks("a", 0) == [Hole("trade", "X", None, 636, 638, 3)]
    answers = [take(of, trade(number), answered=True) for number in (635, 636, 637, 638, 639, 641)]
    assert [words(events) for events in answers] == [[], ["trade"], ["trade"], ["trade"], [], []]
    assert [event.count for event in of.settle(1, "a") if isinstance(event, Backfilled)] == [3]
    assert take(of, trade(638, 3, at=638 * S)) == []


def test_each_numbering_of_one_symbol_is_its_own() -> None:
    of = Trades(("sim", "trade", "X"), {None: "each", "agg": "each"})
    take(of, trade(1000))
    take(of, trade(7, space="agg", at=2000 * S))
    assert [of.take(event, "a", False) for event in (trade(1001), trade(8, space="agg", at=2001 * S))] == [None, None]
    assert not of.due(10**18)


def test_a_numbering_with_holes_of_its_own_is_not_watched() -> None:
    of = Trades(("sim", "trade", "X"), {"agg": "each"})
    of.join("a")
    assert [of.take(trade(number), "a", False) for number in (10, 15, 12)] == [None, None, None]
    assert not of.numbered


def test_an_id_that_is_no_number_goes_through() -> None:
    of = Trades(("sim", "trade", "X"), {None: "each"})
    event = trade(1)
    event.trade_id = "5f3e"
    assert of.take(event, "a", False) is None


def test_a_closing_frame_that_did_not_come_is_missed_and_asked_for() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    take(of, candle(10))
    assert words(take(of, candle(12, closed=False, at=12))) == ["candle"]
    assert of.due(12 * 60 * S + 5 * S) == []
    gap = of.due(12 * 60 * S + 6 * S)[0]
    assert isinstance(gap, Gap)
    minute = 60 * S
    assert (gap.count, gap.sequences, gap.ts_from, gap.ts_to) == (1, (11 * minute,) * 2, 11 * minute, 12 * minute)
    assert of.asks("a", 0) == [Hole("candle_1m", "X", None, 11 * minute, 11 * minute, 1)]
    assert words(take(of, candle(11), answered=True)) == ["candle"]
    assert words(of.settle(1, "a")) == ["backfilled"]
    assert of.take(candle(12), "a", False) is None


def test_a_closing_frame_that_is_a_little_late_costs_nothing() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    take(of, candle(10))
    take(of, candle(12, closed=False, at=12))
    assert of.take(candle(11), "a", False) is None
    assert of.due(10**18) == []


def test_the_first_open_candle_shows_what_must_close_next() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    take(of, candle(10, closed=False, at=10))
    take(of, candle(12))
    assert [e.sequences for e in of.due(10**18) if isinstance(e, Gap)] == [(10 * 60 * S, 11 * 60 * S)]


def test_an_open_candle_settles_an_interruption_within_its_interval() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    take(of, candle(10))
    of.leave("a", True, 0)
    assert of.interrupted
    assert words(take(of, candle(11, closed=False, at=11))) == ["candle", "backfilled"]
    assert not of.interrupted


def test_a_hole_behind_an_interruption_lasts_until_what_shows_it_was_received() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    take(of, candle(10))
    of.leave("a", True, 0)
    take(of, candle(12, closed=False, at=12))
    take(of, candle(12, at=13))
    (gap, _) = of.due(10**18)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.ts_from, gap.ts_to) == ("interrupted", 11 * 60 * S, 13 * 60 * S)


def test_a_closing_frame_still_awaited_at_the_end_is_missing() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    take(of, candle(10))
    take(of, candle(12, closed=False, at=12))
    assert [e.sequences for e in of.leave("a", True, 0) if isinstance(e, Gap)] == [(11 * 60 * S,) * 2]
    assert of.due(10**18) == []


def test_candles_go_on_where_the_store_ended() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    of.resume(None, 10 * 60 * S)
    take(of, candle(13, closed=False, at=13))
    assert [e.sequences for e in of.due(10**18) if isinstance(e, Gap)] == [(11 * 60 * S, 12 * 60 * S)]


def test_a_closed_candle_that_comes_again_is_published_once() -> None:
    of = Candles(("sim", "candle_1m", "X"), 60 * S)
    take(of, candle(10))
    assert take(of, candle(10, at=12), "b") == []
    assert of.repeated == 1


def test_when_the_settlement_moves_on_the_rate_that_was_paid_is_asked_for() -> None:
    of = Funding(("sim", "funding", "X"))
    of.join("a")
    take(of, funding(8, 7))
    assert of.take(funding(16, 9), "a", False) is None
    assert of.asks("a", 0) == [Hole("funding", "X", None, 8 * HOUR, 16 * HOUR - 1, 1)]
    assert of.asks("a", 1) == []
    assert words(take(of, funding(8, 8, predicted=False), answered=True)) == ["funding"]
    assert of.settle(1, "a") == []
    assert of.asks("a", 2) == []


def test_an_interruption_without_a_settlement_is_mended_at_once() -> None:
    of = Funding(("sim", "funding", "X"))
    of.join("a")
    take(of, funding(8, 5))
    of.leave("a", True, 0)
    of.join("b")
    assert words(take(of, funding(8, 7), "b")) == ["funding", "backfilled"]


def test_an_interruption_with_a_settlement_is_mended_by_its_rate() -> None:
    of = Funding(("sim", "funding", "X"))
    of.resume(None, 8 * HOUR)
    of.join("a")
    assert words(take(of, funding(24, 17))) == ["funding"]
    assert of.interrupted
    assert of.asks("a", 0) == [Hole("funding", "X", None, 8 * HOUR, 24 * HOUR - 1, 1)]
    take(of, funding(8, 8, predicted=False), answered=True)
    assert words(of.settle(1, "a")) == ["backfilled"]
    assert words(take(of, funding(16, 16, predicted=False), answered=True)) == ["funding"]
    assert take(of, funding(24, 24, predicted=False), answered=True) == []
    assert not of.interrupted


def test_what_another_connection_has_brought_of_a_held_trade_is_not_published_again() -> None:
    of = Trades(("sim", "trade", "X"), {None: "each"})
    take(of, trade(1))
    assert take(of, trade(3), "a") == []
    assert words(take(of, trade(2), "b")) == ["trade", "trade"]
    assert take(of, trade(3), "b") == []
    assert of.due(10**18 + GRACE_NS) == []
