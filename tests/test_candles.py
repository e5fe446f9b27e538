"""Intervals begin where UTC's do, and candles are what a walk through the trades finds."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.candles import Interval, numbering, resampled
from jrr_core.errors import ConfigError
from jrr_core.events import Trade
from jrr_core.subscription import INTERVALS

S = 10**9
times = st.integers(0, 4 * 10**9 * S)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def trade(ts: int | None, price: str = "1", amount: str = "1", count: int = 1, ts_recv: int = 7) -> Trade:
    return Trade("x", "BTC", ts, ts_recv, Decimal(price), Decimal(amount), "buy", "1", count)


@pytest.mark.parametrize(
    ("interval", "begin", "end"),
    [
        ("1s", "2026-08-12T09:31:47", "2026-08-12T09:31:48"),
        ("15m", "2026-08-12T09:30", "2026-08-12T09:45"),
        ("4h", "2026-08-12T08:00", "2026-08-12T12:00"),
        ("1d", "2026-08-12", "2026-08-13"),
        ("1w", "2026-08-10", "2026-08-17"),
        ("1M", "2026-08-01", "2026-09-01"),
        ("3M", "2026-07-01", "2026-10-01"),
        ("12M", "2026-01-01", "2027-01-01"),
    ],
)
def test_boundaries_are_those_of_utc(interval: str, begin: str, end: str) -> None:
    length = Interval.parse(interval)
    ts = at("2026-08-12T09:31:47") + 999_999_999
    assert (length.begin(ts), length.end(at(begin))) == (at(begin), at(end))


@given(times, st.sampled_from([*INTERVALS, "7m", "36h", "2w", "5M"]))
def test_intervals_touch_and_hold_every_moment(ts: int, interval: str) -> None:
    length = Interval.parse(interval)
    begin = length.begin(ts)
    end = length.end(begin)
    assert begin <= ts < end
    assert length.begin(begin) == begin == length.next_begin(begin)
    assert length.begin(end) == end
    assert length.begin(end - 1) == begin
    assert length.next_begin(begin + 1) == end


@pytest.mark.parametrize("text", ["", "m", "1", "0m", "-1m", "1x", "1 m", "1.5h", "١m", "99999s"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not an interval; write for example"):
        Interval.parse(text)


def test_a_candle_sums_its_trades() -> None:
    trades = [trade(60 * S, "5", "0.10"), trade(61 * S, "7", "0.2", 3), trade(None, "3.0", "1", ts_recv=119 * S)]
    (candle,) = resampled(trades, "1m")
    assert [str(price) for price in (candle.open, candle.high, candle.low, candle.close)] == ["5", "7", "3.0", "3.0"]
    assert (str(candle.volume), candle.trade_count) == ("1.30", 5)
    assert (candle.open_time, candle.ts_event, candle.ts_recv) == (60 * S, None, 119 * S)
    assert (candle.interval, candle.closed, candle.close_time, candle.quote_volume) == ("1m", True, None, None)


def test_intervals_without_a_trade_have_no_candle() -> None:
    candles = list(resampled([trade(0), trade(59 * S), trade(600 * S)], "1m"))
    assert [(candle.open_time, int(candle.volume)) for candle in candles] == [(0, 2), (600 * S, 1)]
    assert list(resampled([], "1m")) == []


def test_no_digit_of_a_sum_is_lost() -> None:
    amounts = ["123456789012345678901234567890", "0.000000000000000000000000000001"]
    (candle,) = resampled([trade(0, amount=amount) for amount in amounts], "1d")
    assert str(candle.volume) == "123456789012345678901234567890.000000000000000000000000000001"


@pytest.mark.parametrize(
    ("spaces", "chosen"), [([None, "agg"], None), (["fill", "agg"], "agg"), (["block"], "block"), ([], None)]
)
def test_one_numbering_of_several_is_taken(spaces: list[str | None], chosen: str | None) -> None:
    assert numbering(spaces) == chosen
