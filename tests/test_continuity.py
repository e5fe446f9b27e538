"""One exchange's streams over all its sessions: joined, left, resumed, asked for."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from jrr_core.continuity import Continuity
from jrr_core.events import Backfilled, Candle, FundingRate, Gap, Message, Quote, Trade
from jrr_core.frame import Absent, Hole
from jrr_core.sink import StreamKey
from jrr_core.stream import Stream

ONE = Decimal(1)
MS = 10**6
MINUTE = 60 * 10**9


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


class Twin:
    """The same streams over two connections, kept by two continuities: one looks at all tracks always."""

    def __init__(self) -> None:
        self.sleepy, self.restless = continuity(), continuity()
        channels = ("trade", "candle_1m", "funding")
        self.streams = [[Stream(channel, "X", 0) for channel in channels] for _ in "12"]
        self.now = MINUTE

    def both(self, act: Callable[[Continuity, list[Stream]], Any]) -> Any:
        """Do something with both; what comes of it must be the same."""
        first, second = (
            act(of, streams) for of, streams in zip((self.sleepy, self.restless), self.streams, strict=True)
        )
        assert first == second
        return first

    def look(self, session: str) -> list[Hole]:
        for stream in self.streams[1]:
            assert stream.track is not None
            stream.track.awake = True
        self.both(lambda of, streams: of.due(streams, self.now))
        asked: list[Hole] = self.both(lambda of, streams: of.asks(streams, session, self.now))
        return asked

    def take(self, event: Message, session: str, answered: bool = False) -> None:
        def act(of: Continuity, streams: list[Stream]) -> Any:
            track = next(each.track for each in streams if each.channel == event.channel)
            assert track is not None
            told = track.take(event, session, answered)
            return told, track.settle(self.now, session) if answered else []

        self.both(act)


def event_of(number: int, now: int, kind: int) -> Message:
    if kind == 0:
        return Trade("toy", "X", number * MS, now, ONE, ONE, "buy", str(number))
    if kind == 1:
        return Candle(
            "toy", "X", now, now, "1m", number * MINUTE, None, ONE, ONE, ONE, ONE, ONE, None, None, now % 3 > 0
        )
    return FundingRate("toy", "X", now, now, ONE, number // 20 * MINUTE, True)


def answer_to(hole: Hole, number: int, now: int) -> Message:
    if hole.channel == "trade":
        return event_of(number, now, 0)
    if hole.channel == "funding":
        return FundingRate("toy", "X", now, now, ONE, number, False)
    return Candle("toy", "X", now, now, "1m", number, None, ONE, ONE, ONE, ONE, ONE, None, None, True)


@pytest.mark.parametrize("seed", range(60))
def test_a_track_that_sleeps_would_have_had_nothing_to_say(seed: int) -> None:
    twin, chance = Twin(), Random(seed)
    if chance.random() < 0.5:
        had = chance.randrange(2, 7)
        points = {StreamKey("toy", "trade", "X"): had, StreamKey("toy", "candle_1m", "X"): had * MINUTE,
                  StreamKey("toy", "funding", "X"): MINUTE}  # fmt: skip
        gaps = [Gap("toy", "X", None, 0, channel, "", "sequence", 1, None, None, (lost, lost))
                for channel, lost in (("trade", 1), ("candle_1m", MINUTE))]  # fmt: skip
        twin.both(lambda of, _: of.resume(points))
        for of in (twin.sleepy, twin.restless):
            of.reopen(gaps)
    carrying: list[str] = []
    number = [5, 5, 5]
    for _ in range(400):
        twin.now += chance.choice((MS, 100 * MS, 10_000 * MS))
        act = chance.random()
        if act < 0.04 or not carrying:
            session = chance.choice("ab")
            if session in carrying:
                carrying.remove(session)
                twin.both(lambda of, streams: [of.leave(each, session, twin.now, False) for each in streams])  # noqa: B023
            else:
                carrying.append(session)
                for of, streams in ((twin.sleepy, twin.streams[0]), (twin.restless, twin.streams[1])):
                    for stream in streams:
                        of.join(stream, session)
                if chance.random() < 0.5:
                    twin.look(session)
        elif act < 0.75:
            kind = chance.randrange(3)
            number[kind] += chance.choice((0, 1, 1, 1, 1, 1, 2, -1))
            twin.take(event_of(number[kind], twin.now, kind), chance.choice(carrying))
        else:
            session = chance.choice(carrying)
            for hole in twin.look(session):
                if chance.random() < 0.3:
                    continue
                if chance.random() < 0.3:
                    why = chance.choice((None, "not to be had"))
                    twin.both(lambda of, _: of.absent(Absent(hole, why), twin.now, session))  # noqa: B023
                    continue
                step = (
                    MINUTE if hole.channel == "candle_1m" else 1 if hole.channel == "trade" else hole.last - hole.first
                )
                for each in range(hole.first, hole.last + 1, max(step, 1)):
                    twin.take(answer_to(hole, each, twin.now), session, answered=True)


def test_a_stream_in_turn_is_not_looked_at_and_a_hole_wakes_it() -> None:
    of, stream = continuity(), Stream("trade", "X", 0)
    of.join(stream, "a")
    assert stream.track is not None
    take(stream, trade(1))
    of.due([stream], 0)
    of.asks([stream], "a", 0)
    take(stream, trade(2))
    assert not stream.track.awake
    take(stream, trade(5))
    assert stream.track.awake
    of.due([stream], 10**12)
    assert [(hole.first, hole.last) for hole in of.asks([stream], "a", 10**12)] == [(3, 4)]
    assert stream.track.awake
    of.absent(Absent(Hole("trade", "X", None, 3, 4, 2), "not to be had"), 0, "a")
    of.asks([stream], "a", 10**12)
    assert not stream.track.awake
