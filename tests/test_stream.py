"""When a stream's silence deserves a word."""

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


def test_a_stream_that_never_came_is_reported_once() -> None:
    stream = Stream("trade", "X", 0)
    assert stream.silence(60 * SECOND, 60.0, 120.0) is None
    assert stream.silence(61 * SECOND, 60.0, 120.0) == "never received"
    assert stream.silence(600 * SECOND, 60.0, 120.0) is None


def test_a_stream_that_comes_back_may_be_reported_again() -> None:
    stream = fed(30)
    assert stream.silence(500 * SECOND, 60.0, 120.0) == "quiet"
    assert stream.silence(501 * SECOND, 60.0, 120.0) is None
    stream.last_ns = 600 * SECOND
    assert stream.silence(601 * SECOND, 60.0, 120.0) is None
    assert stream.silence(2000 * SECOND, 60.0, 120.0) == "quiet"


def test_quiet_is_measured_against_the_stream_s_own_habit() -> None:
    assert fed(30, every_s=1.0).silence(200 * SECOND, 60.0, 120.0) == "quiet"
    assert fed(30, every_s=10.0).silence(500 * SECOND, 60.0, 120.0) is None
    assert fed(30, every_s=10.0).silence(700 * SECOND, 60.0, 120.0) == "quiet"


def test_a_habit_is_known_only_after_some_events() -> None:
    assert fed(5).silence(5000 * SECOND, 60.0, 120.0) is None


def test_liquidations_may_be_silent_for_hours() -> None:
    assert Stream("liquidation", "X", 0).silence(10_000 * SECOND, 60.0, 120.0) is None
    assert fed(30, channel="liquidation").silence(10_000 * SECOND, 60.0, 120.0) is None


def test_an_unwanted_stream_is_left_in_peace() -> None:
    board = StreamBoard()
    stream = board.expect("trade", "X", 0)
    board.forget("trade", "X")
    board.forget("trade", "unheard of")
    assert stream.silence(1000 * SECOND, 60.0, 120.0) is None


def test_a_stream_asked_for_again_keeps_its_count_and_is_awaited_anew() -> None:
    board = StreamBoard()
    stream = board.expect("trade", "X", 0)
    stream.count, stream.first_ns, stream.last_ns = 7, SECOND, 2 * SECOND
    assert board.expect("trade", "X", 100 * SECOND) is stream
    assert stream.silence(130 * SECOND, 60.0, 120.0) is None
    assert stream.silence(161 * SECOND, 60.0, 120.0) == "never received"
    assert board.counts() == {"trade": 7}


def test_counts_add_up_by_channel() -> None:
    board = StreamBoard()
    board.expect("trade", "X", 0).count = 2
    board.expect("trade", "Y", 0).count = 3
    board.expect("quote", "X", 0).count = 4
    assert board.counts() == {"trade": 5, "quote": 4}
