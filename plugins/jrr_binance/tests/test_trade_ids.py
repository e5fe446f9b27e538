"""Dense trade ids: holes are gaps, late ids fill them, repetitions are neither."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from jrr_binance.trade_ids import TradeIds

from jrr_core.events import Backfilled, Gap, Message, Trade


def trade(number: int) -> Trade:
    return Trade("binance", "BTCUSDT", number * 10, number * 10 + 1, Decimal(1), Decimal(1), "buy", str(number))


def feed(*numbers: int) -> list[Message]:
    ids = TradeIds()
    return [event for number in numbers for event in ids.take(trade(number), number)]


def test_hole_is_a_gap_before_the_trade_that_shows_it() -> None:
    first, gap, second = feed(5, 9)
    assert isinstance(gap, Gap)
    assert (gap.what, gap.symbol, gap.reason, gap.count) == ("trade", "BTCUSDT", "sequence", 3)
    assert (gap.sequences, gap.ts_from, gap.ts_to, gap.ts_recv) == ((6, 8), 50, 90, 91)
    assert (first, second) == (trade(5), trade(9))


def test_repeated_and_earlier_ids_are_no_gap() -> None:
    assert feed(5, 6, 6, 4, 7) == [trade(5), trade(6), trade(6), trade(4), trade(7)]


def test_late_id_fills_its_hole_once() -> None:
    events = feed(140, 145, 143, 143)
    assert [event.type for event in events] == ["trade", "gap", "trade", "trade", "backfilled", "trade"]
    filled = events[4]
    assert isinstance(filled, Backfilled)
    assert (filled.what, filled.count, filled.sequences) == ("trade", 1, (143, 143))


def test_used_up_id_leaves_no_hole() -> None:
    ids = TradeIds()
    ids.take(trade(5), 5)
    ids.skip(6)
    assert ids.take(trade(7), 7) == (trade(7),)


def test_hole_before_a_used_up_id_is_told_with_the_next_trade() -> None:
    ids = TradeIds()
    ids.take(trade(5), 5)
    ids.skip(8)
    gap, _ = ids.take(trade(9), 9)
    assert isinstance(gap, Gap)
    assert gap.sequences == (6, 8)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_what_never_came_is_what_gaps_and_fillings_leave(numbers: list[int]) -> None:
    missing: set[int] = set()
    for event in feed(*numbers):
        if isinstance(event, Gap | Backfilled):
            assert event.sequences is not None
            ids = range(event.sequences[0], event.sequences[1] + 1)
            assert event.count == len(ids)
            missing = missing | set(ids) if isinstance(event, Gap) else missing - set(ids)
    assert missing == set(range(numbers[0], max(numbers) + 1)) - set(numbers)
