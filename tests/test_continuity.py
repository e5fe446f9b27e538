"""One exchange's streams over all its sessions: joined, left, resumed, asked for."""

from decimal import Decimal

from jrr_core.continuity import Continuity
from jrr_core.events import Backfilled, Gap, Message, Quote, Trade
from jrr_core.frame import Absent, Hole
from jrr_core.sink import StreamKey
from jrr_core.stream import Stream

ONE = Decimal(1)
MS = 10**6


def trade(number: int, space: str | None = None) -> Trade:
    return Trade("toy", "X", number * MS, number * MS, ONE, ONE, "buy", str(number), 1, None, space)


def take(stream: Stream, event: Message, session: str = "a") -> list[Message]:
    told = None if stream.track is None else stream.track.take(event, session, False)
    return [event] if told is None else list(told)


def continuity(most: int = 100) -> Continuity:
    return Continuity("toy", {None: "each", "agg": "each"}, most)


def test_a_stream_without_numbers_gets_a_track_when_a_second_session_carries_it() -> None:
    of, stream = continuity(), Stream("quote", "X", 0)
    of.join(stream, "a")
    assert stream.track is None
    of.join(stream, "b")
    quote = Quote("toy", "X", 1, 1, ONE, ONE, ONE, ONE, 1)
    assert [len(take(stream, quote, session)) for session in "ab"] == [1, 0]
    assert of.repeated == 1


def test_months_have_no_grid() -> None:
    of = continuity()
    for channel, watched in (
        ("candle_1m", True),
        ("candle_1d@+08:00", True),
        ("candle_1w", True),
        ("candle_1M", False),
    ):
        stream = Stream(channel, "X", 0)
        of.join(stream, "a")
        assert (stream.track is not None) == watched, channel


def test_a_store_s_points_are_kept_until_their_stream_comes() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    points = {StreamKey("toy", "trade", "X"): 10, StreamKey("toy", "trade@agg", "X"): 5,
              StreamKey("other", "trade", "X"): 1, StreamKey("toy", "trade", "Y"): 7}  # fmt: skip
    assert of.resume(points) == []
    of.join(stream, "a")
    take(stream, trade(13))
    take(stream, trade(9, "agg"))
    assert [e.sequences for e in of.due([stream], 10**18) if isinstance(e, Gap)] == [(11, 12), (6, 8)]


def test_of_several_stores_the_lowest_point_counts() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    of.resume({StreamKey("toy", "trade", "X"): 10})
    of.resume({StreamKey("toy", "trade", "X"): 8})
    of.resume({StreamKey("toy", "trade", "X"): 9})
    of.join(stream, "a")
    take(stream, trade(12))
    assert [e.sequences for e in of.due([stream], 10**18) if isinstance(e, Gap)] == [(9, 11)]


def test_points_that_come_late_show_what_is_missing() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    of.join(stream, "a")
    take(stream, trade(12))
    assert [e.sequences for e in of.resume({StreamKey("toy", "trade", "X"): 10}) if isinstance(e, Gap)] == [(11, 11)]


def test_holes_are_asked_for_by_a_session_that_carries_the_stream() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    of.join(stream, "a")
    for number in (1, 5):
        take(stream, trade(number))
    of.due([stream], 10**18)
    assert of.asks([], "b", 0) == []
    hole = Hole("trade", "X", None, 2, 4, 3)
    assert of.asks([stream], "a", 0) == [hole]
    assert [e.reason for e in of.absent(Absent(hole, "gone"), 1, "a") if isinstance(e, Gap)] == ["gone"]
    assert of.asks([stream], "a", 1) == []


def test_a_hole_larger_than_the_setting_is_named_with_it() -> None:
    of = continuity(most=2)
    assert of.too_large(Hole("trade", "X", None, 1, 2, 2)) is None
    assert "exchanges.toy.backfill_events" in (of.too_large(Hole("trade", "X", None, 1, 3, 3)) or "")


def test_an_interruption_is_one_when_the_last_session_has_left() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    for session in "ab":
        of.join(stream, session)
    take(stream, trade(1))
    of.leave(stream, "a", 1, in_order=False)
    assert of.interrupted == 0
    of.leave(stream, "b", 2, in_order=False)
    assert of.interrupted == 1
    of.join(stream, "c")
    assert [type(event) for event in take(stream, trade(2), "c")] == [Trade, Backfilled]
    assert of.interrupted == 0


def test_a_stream_that_ended_in_order_is_not_interrupted() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    of.join(stream, "a")
    take(stream, trade(1))
    of.leave(stream, "a", 1, in_order=True)
    assert of.interrupted == 0
    of.join(stream, "b")
    assert [type(event) for event in take(stream, trade(2), "b")] == [Trade, Backfilled]


def told(first: int, last: int, what: str = "trade") -> Gap:
    return Gap("toy", "X", None, 1, what, "old", "sequence", last - first + 1, 0, 1, (first, last))


def test_what_earlier_runs_missed_is_asked_for_before_or_after_the_stream_comes() -> None:
    for late in (False, True):
        of, stream = continuity(), Stream("trade", "X", 0)
        of.resume({StreamKey("toy", "trade", "X"): 10})
        if late:
            of.join(stream, "a")
            take(stream, trade(11))
        of.reopen([told(4, 6), told(4, 6, "candle_1m")])
        if not late:
            of.join(stream, "a")
            take(stream, trade(11))
        assert of.asks([stream], "a", 0) == [Hole("trade", "X", None, 4, 6, 3)]


def test_a_gap_that_may_be_of_two_numberings_is_not_asked_for() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    of.resume({StreamKey("toy", "trade", "X"): 10, StreamKey("toy", "trade@agg", "X"): 10})
    of.reopen([told(4, 6)])
    of.join(stream, "a")
    take(stream, trade(11))
    assert of.asks([stream], "a", 0) == []
