"""What a store took per day: only the time it covers counts, and too little of it is not made a day of."""

import pytest

from jrr_core.plan import PlanSettings, Stream
from jrr_core.sink import StreamKey
from jrr_core.stocktake import Taken, compare, stocktake
from jrr_core.store import Range
from jrr_core.subscription import Subscription
from jrr_core.volume import RowBytes, StreamVolume

SECOND = 10**9
HOUR = 3600 * SECOND
T0 = 1_786_147_200 * SECOND
KEY = StreamKey("sim", "trade", "BTCUSDT")


def volume(rows: int, start: int, end: int, bytes: int = 0, symbol: str = "BTCUSDT") -> StreamVolume:
    return StreamVolume("sim", "trade", symbol, rows, bytes, T0 + start, T0 + end)


def span(start: int, end: int, state: str = "complete", symbol: str = "BTCUSDT") -> Range:
    return Range("sim", "trade", symbol, T0 + start, T0 + end, state)  # type: ignore[arg-type]  # one of the states


def stream(symbol: str, subscription: str) -> Stream:
    return Stream(Subscription.parse(subscription), "trade", symbol, "major", "spot")


def test_time_without_collecting_does_not_count() -> None:
    ranges = [span(0, 2 * HOUR), span(2 * HOUR, 46 * HOUR, "gap"), span(46 * HOUR, 48 * HOUR, "backfilled")]
    taken = stocktake([volume(14_400, 0, 48 * HOUR, 144_000)], ranges)[KEY]
    assert taken.covered_s == 4 * 3600
    assert (taken.rows_per_day, taken.bytes_per_day) == (86_400, 864_000)


def test_coverage_of_rows_that_were_deleted_does_not_count() -> None:
    taken = stocktake([volume(3601, 23 * HOUR, 24 * HOUR)], [span(0, 24 * HOUR)])[KEY]
    assert taken.covered_s == pytest.approx(3601)


def test_a_single_row_speaks_for_all_that_is_covered() -> None:
    assert stocktake([volume(1, 23 * HOUR, 23 * HOUR)], [span(0, 24 * HOUR)])[KEY].rows_per_day == 1


def test_a_covered_stream_that_brought_nothing_is_none_a_day() -> None:
    taken = stocktake([], [span(0, HOUR)])[KEY]
    assert (taken.covered_s, taken.rows_per_day) == (3600, 0)


def test_without_coverage_the_rows_tell_the_time() -> None:
    assert stocktake([volume(100, 0, HOUR)], [])[KEY] == Taken(100, 0, 3600)
    assert stocktake([volume(1, 0, 0)], [])[KEY].rows_per_day == 0


def test_volumes_of_one_stream_add_up() -> None:
    taken = stocktake([volume(10, 0, HOUR, 700), volume(20, HOUR, 2 * HOUR, 300)], [])
    assert taken == {KEY: Taken(30, 1000, 7200)}


def test_streams_too_young_are_neither_planned_nor_counted() -> None:
    streams = [stream(symbol, "sim:trade:*USDT") for symbol in ("BTCUSDT", "ETHUSDT", "NEWUSDT")]
    ranges = [span(0, 2 * HOUR), span(0, HOUR, symbol="ETHUSDT"), span(0, HOUR // 2, symbol="NEWUSDT")]
    volumes = [volume(7200, 0, 2 * HOUR, 720), volume(3600, 0, HOUR, 360, "ETHUSDT"), volume(9, 0, 9, 9, "NEWUSDT")]
    settings = PlanSettings(rates={"trade": 2.0})
    (one,) = compare(streams, stocktake(volumes, ranges), settings, {}, {"trade": RowBytes(50, 40)})
    assert (one.streams, one.measured, one.covered_s) == (3, 2, 3600)
    assert (one.planned_rows, one.planned_fresh, one.planned_kept) == (4 * 86_400, 4 * 86_400 * 50, 4 * 86_400 * 40)
    assert (one.rows, one.bytes, one.ratio, one.rate) == (2 * 86_400, 2 * 8640, 0.5, 1.0)


def test_less_than_an_hour_is_not_made_a_day_of() -> None:
    (one,) = compare([stream("BTCUSDT", "sim:trade:BTCUSDT")], {KEY: Taken(500, 500, 3599)}, PlanSettings(), {}, {})
    assert (one.rows, one.bytes, one.ratio, one.rate, one.covered_s) == (None, None, None, None, 3599)
    assert one.planned_rows == 45 * 86_400
    assert one.planned_fresh is None
