"""When a stream's silence deserves a word."""

import math
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from jrr_core.stream import Stream, StreamBoard
from tests.toy import SECOND


def fed(count: int, every_s: float = 1.0, channel: str = "trade") -> Stream:
    """Return a stream subscribed at 0 that had `count` events, the last at (count-1) * every_s after 1 s."""
    stream = Stream(channel, "X", 0)
    for number in range(count):
        at = int((1 + number * every_s) * SECOND)
        stream.first_ns = stream.first_ns or at
        stream.count, stream.last_ns = number + 1, at
    return stream


def test_a_stream_that_never_came_is_found_until_it_comes() -> None:
    stream = Stream("trade", "X", 0)
    assert stream.look(60 * SECOND, 60.0, 120.0) is None
    assert stream.look(61 * SECOND, 60.0, 120.0) == "never received"
    assert stream.look(600 * SECOND, 60.0, 120.0) == "never received"
    stream.last_ns = 601 * SECOND
    assert stream.look(602 * SECOND, 60.0, 120.0) is None


def test_a_stream_that_comes_back_is_quiet_again_only_after_three_times_as_long() -> None:
    stream = fed(30)
    assert stream.look(200 * SECOND, 60.0, 120.0) == "quiet"
    stream.last_ns = 230 * SECOND
    assert stream.look(231 * SECOND, 60.0, 120.0) is None
    assert stream.look(800 * SECOND, 60.0, 120.0) is None
    assert stream.look(900 * SECOND, 60.0, 120.0) == "quiet"


@settings(max_examples=30)
@given(st.floats(1 / 3600, 10.0), st.integers(0, 10**9))
def test_a_steady_stream_raises_no_false_alarm_and_one_that_stops_is_found(per_s: float, seed: int) -> None:
    """Arrivals without memory, looked at every second or every tenth of an interval, for 300 of them."""
    random, stream, now_s, step_s = Random(seed), Stream("trade", "X", 0), 0.0, max(1.0, 0.1 / per_s)
    next_s = random.expovariate(per_s)
    while stream.count < 300:
        now_s += step_s
        while next_s <= now_s:
            stream.first_ns = stream.first_ns or int(next_s * SECOND)
            stream.count, stream.last_ns = stream.count + 1, int(next_s * SECOND)
            next_s += random.expovariate(per_s)
        found = stream.look(int(now_s * SECOND), 60.0, 120.0)
        assert found is None or (found, stream.count) == ("never received", 0)
    assert stream.look(int((now_s + 120 + 60 / per_s) * SECOND), 60.0, 120.0) == "quiet"


@settings(max_examples=15)
@given(st.integers(0, 10**9))
def test_the_nights_of_a_small_market_raise_no_alarm(seed: int) -> None:
    """Twenty times fewer trades by night than by day, as the rate swings in a day; looked at every minute for four."""
    random, stream, next_s = Random(seed), Stream("trade", "X", 0), 0.0
    for minute in range(4 * 24 * 60):
        while next_s <= minute * 60:
            stream.first_ns = stream.first_ns or int((next_s + 1) * SECOND)
            stream.count, stream.last_ns = stream.count + 1, int((next_s + 1) * SECOND)
            rate = 1 / 30 * 20 ** (-(1 + math.sin(next_s / 86_400 * 2 * math.pi)) / 2)
            next_s += random.expovariate(rate)
        assert stream.look(int((minute * 60 + 30) * SECOND), 60.0, 120.0) is None


def test_quiet_is_measured_against_the_stream_s_own_habit() -> None:
    assert fed(30, every_s=1.0).look(200 * SECOND, 60.0, 120.0) == "quiet"
    assert fed(30, every_s=10.0).look(500 * SECOND, 60.0, 120.0) is None
    assert fed(30, every_s=10.0).look(700 * SECOND, 60.0, 120.0) == "quiet"


def test_a_habit_is_known_only_after_some_events() -> None:
    assert fed(5).look(5000 * SECOND, 60.0, 120.0) is None


def test_liquidations_may_be_silent_for_hours() -> None:
    assert Stream("liquidation", "X", 0).look(10_000 * SECOND, 60.0, 120.0) is None
    assert fed(30, channel="liquidation").look(10_000 * SECOND, 60.0, 120.0) is None


def test_an_unwanted_stream_is_left_in_peace() -> None:
    board = StreamBoard()
    stream = board.expect("trade", "X", 0)
    board.forget("trade", "X")
    board.forget("trade", "unheard of")
    assert stream.look(1000 * SECOND, 60.0, 120.0) is None


def test_a_stream_asked_for_again_keeps_its_count_and_is_awaited_anew() -> None:
    board = StreamBoard()
    stream = board.expect("trade", "X", 0)
    stream.count, stream.first_ns, stream.last_ns = 7, SECOND, 2 * SECOND
    assert board.expect("trade", "X", 100 * SECOND) is stream
    assert stream.look(130 * SECOND, 60.0, 120.0) is None
    assert stream.look(161 * SECOND, 60.0, 120.0) == "never received"
    assert board.counts() == {"trade": 7}


def test_counts_add_up_by_channel() -> None:
    board = StreamBoard()
    board.expect("trade", "X", 0).count = 2
    board.expect("trade", "Y", 0).count = 3
    board.expect("quote", "X", 0).count = 4
    assert board.counts() == {"trade": 5, "quote": 4}
