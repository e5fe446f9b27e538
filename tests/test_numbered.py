"""One numbering: each number once and in order, holes told before what lies behind them, and asked for."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.coverage import EARLIER, NO_EVENT, Timeline
from jrr_core.events import Backfilled, Connected, Gap, Message, StreamEvent, Trade
from jrr_core.frame import Hole
from jrr_core.holes import Missing
from jrr_core.numbered import GRACE_NS, PATIENCE_NS, Numbered

STREAM = ("sim", "trade", "X")
MS = 10**6


def trade(number: int, at: int | None = None, received: int | None = None) -> Trade:
    """Return trade `number`, done at `at` ms (by default its number) and received then."""
    ts = (number if at is None else at) * MS
    recv = ts if received is None else received * MS
    return Trade("sim", "X", ts, recv, Decimal(1), Decimal(1), "buy", str(number))


def take(of: Numbered, number: int, session: str = "a", **times: int) -> list[Message]:
    event = trade(number, **times)
    told = of.take(event, number, number, session)
    return [event] if told is None else list(told)


def brief(events: Sequence[Message]) -> list[object]:
    """Return trades as their numbers, gaps as ("gap", first, last), what was found as ("found", count)."""
    found: list[object] = []
    for event in events:
        if isinstance(event, Gap):
            found.append(("gap", *(event.sequences or ())))
        elif isinstance(event, Backfilled):
            found.append(("found", event.count))
        elif isinstance(event, Trade):
            found.append(int(event.trade_id))
    return found


def test_numbers_in_a_row_go_through_untouched() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    assert of.take(trade(11), 11, 11, "a") is None


def test_numbers_out_of_order_within_the_grace_are_put_in_order_without_a_word() -> None:
    of = Numbered(STREAM)
    got = [take(of, n, at=140) for n in (140, 145, 147, 143, 141, 142, 144, 146)]
    assert [n for some in got for n in brief(some)] == [140, 141, 142, 143, 144, 145, 146, 147]
    assert of.due(10**18) == []


def test_a_hole_is_told_after_the_grace_and_before_what_lies_behind_it() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    assert take(of, 15) == []
    assert of.due(15 * MS + GRACE_NS) == []
    events = of.due(15 * MS + GRACE_NS + 1)
    assert brief(events) == [("gap", 11, 14), 15]
    gap = events[0]
    assert isinstance(gap, Gap)
    assert (gap.count, gap.ts_from, gap.ts_to, gap.reason, gap.session) == (4, 10 * MS, 15 * MS, "sequence", "a")


def test_a_clock_set_back_makes_nothing_wait() -> None:
    of = Numbered(STREAM)
    take(of, 100_000)
    take(of, 100_005)
    assert brief(of.due(10_000 * MS)) == [("gap", 100_001, 100_004), 100_005]


def test_the_next_event_after_the_grace_tells_the_hole_too() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    take(of, 15)
    assert brief(take(of, 17, at=400)) == [("gap", 11, 14), 15, ("gap", 16, 16), 17]


def test_what_comes_again_is_published_once() -> None:
    of = Numbered(STREAM)
    assert [brief(take(of, n)) for n in (10, 11, 10, 11, 12)] == [[10], [11], [], [], [12]]
    assert of.repeated == 2


def test_what_comes_late_is_published_and_told() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    take(of, 15, at=400)
    of.due(10**18)
    assert brief(take(of, 12, at=12, received=500)) == [12, ("found", 1)]
    assert brief(take(of, 12, at=12, received=501)) == []


def test_holes_near_each_other_are_asked_for_together_one_question_at_a_time() -> None:
    of = Numbered(STREAM)
    for number in (10, 12, 15, 50_000):
        take(of, number)
        of.due(10**18)
    assert of.unasked("a", 0) == Hole("trade", "X", None, 11, 14, 3)
    assert of.unasked("a", 1) is None
    for number in (11, 13, 14):
        assert of.refill(number, number)
    assert [event.count for event in of.settle(5, "a") if isinstance(event, StreamEvent)] == [1, 2]
    assert of.unasked("a", 2) == Hole("trade", "X", None, 16, 49_999, 49_984)


def test_an_answer_is_taken_only_where_something_is_missing() -> None:
    of = Numbered(STREAM)
    for number in (10, 12):
        take(of, number)
    of.due(10**18)
    assert [of.refill(number, number) for number in (10, 11, 11, 12, 13)] == [False, True, False, False, False]


def test_what_a_session_that_ended_had_asked_for_is_asked_again() -> None:
    of = Numbered(STREAM)
    for number in (10, 12):
        take(of, number)
    of.due(10**18)
    asked = of.unasked("a", 0)
    of.release("b")
    assert of.unasked("b", 1) is None
    of.release("a")
    assert of.unasked("b", 2) == asked


def test_an_answer_that_never_comes_is_given_up() -> None:
    of = Numbered(STREAM)
    for number in (10, 12):
        take(of, number)
    of.due(10**12)
    of.unasked("a", 10**12)
    assert of.due(10**12 + PATIENCE_NS - 1) == []
    assert [e.reason for e in of.due(10**12 + PATIENCE_NS) if isinstance(e, Gap)] == ["no answer came"]
    assert of.unasked("a", 10**13) is None


def test_what_the_exchange_cannot_give_stays_missing_and_says_why() -> None:
    of = Numbered(STREAM)
    for number in (10, 20):
        take(of, number)
    of.due(10**18)
    of.unasked("a", 0)
    events = of.absent(11, 13, "too old", 5, "a")
    assert [(e.count, e.reason, e.sequences) for e in events if isinstance(e, Gap)] == [(0, "too old", (11, 13))]
    for number in range(14, 20):
        of.refill(number, number)
    assert brief(of.settle(6, "a")) == [("found", 6)]
    assert of.unasked("a", 7) is None
    assert brief(take(of, 12, at=12)) == [12, ("found", 1)]


def test_numbers_that_bear_no_event_are_not_missing() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    (told,) = of.absent(11, 11, None, 5, "a")
    assert isinstance(told, Backfilled)
    assert (told.reason, told.count, told.sequences) == (NO_EVENT, 0, (11, 11))
    assert of.take(trade(12), 12, 12, "a") is None
    take(of, 15)
    assert brief(of.absent(13, 14, None, 5, "a")) == [("found", 0), 15]


def test_an_interruption_that_cost_nothing_is_settled_by_the_next_number() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    assert of.interrupt() == []
    assert of.interrupted
    assert brief(take(of, 11, at=5000)) == [11, ("found", 0)]
    assert not of.interrupted


def test_an_interruption_is_told_in_numbers() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    of.interrupt()
    take(of, 14, session="b", at=5000)
    events = of.due(10**18)
    assert brief(events) == [("gap", 11, 13), 14]
    assert isinstance(events[0], Gap)
    assert events[0].reason == "interrupted"


def test_what_is_held_when_the_last_session_ends_is_published_behind_its_gap() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    take(of, 14)
    assert brief(of.interrupt()) == [("gap", 11, 13), 14]


def test_the_last_event_known_again_shows_that_nothing_was_left_out() -> None:
    of = Numbered(STREAM)
    take(of, 10)
    of.interrupt()
    assert brief(take(of, 10, received=900)) == [("found", 0)]


def test_a_run_goes_on_where_the_store_ended() -> None:
    of = Numbered(STREAM)
    assert of.resume(10) == []
    take(of, 14)
    assert brief(of.due(10**18)) == [("gap", 11, 13), 14]
    again = Numbered(STREAM)
    again.resume(10)
    assert brief(take(again, 11)) == [11, ("found", 0)]


def test_a_point_that_comes_late_shows_what_is_missing_before_the_first_number() -> None:
    of = Numbered(STREAM)
    take(of, 14)
    events = of.resume(10)
    assert brief(events) == [("gap", 11, 13)]
    assert of.unasked("a", 0) == Hole("trade", "X", None, 11, 13, 3)
    settled = Numbered(STREAM)
    take(settled, 14)
    assert brief(settled.resume(13)) == [("found", 0)]
    assert brief(settled.resume(20)) == [("found", 0)]
    assert settled.resume(8_000_000_000) == []


def test_a_store_ahead_of_us_leaves_nothing_missing_and_nothing_is_dropped() -> None:
    of = Numbered(STREAM)
    of.resume(100)
    assert brief(take(of, 90)) == [90, ("found", 0)]
    assert brief(take(of, 91)) == [91]


def test_numbers_far_from_those_of_the_store_are_another_count() -> None:
    for point, number in ((100, 8_000_000_000), (8_000_000_000, 100)):
        of = Numbered(STREAM)
        of.resume(point)
        assert brief(take(of, number)) == [number]
        assert brief(take(of, number + 1, at=number + 1)) == [number + 1]


def test_lower_numbers_at_a_later_time_are_a_new_count() -> None:
    of = Numbered(STREAM)
    take(of, 1000)
    events = take(of, 7, at=2000)
    assert brief(events) == [("gap",), 7]
    assert isinstance(events[0], Gap)
    assert events[0].count is None
    assert brief(take(of, 8, at=2001)) == [8]


def test_a_number_before_the_first_is_published() -> None:
    of = Numbered(STREAM)
    assert [brief(take(of, n, at=5)) for n in (145, 143, 144, 146)] == [[145], [143], [144], [146]]


@given(st.data())
def test_every_number_is_published_once_or_lies_in_a_told_hole(data: st.DataObject) -> None:
    """Two connections with losses, repetitions, disorder and ends; every hole is told before what lies behind it."""
    count = data.draw(st.integers(2, 40))
    of, line = Numbered(STREAM), Timeline(*STREAM)
    published: list[int] = []
    lacking: set[int] = set()
    clock = 0

    def note(events: Sequence[Message]) -> None:
        for event in events:
            if isinstance(event, StreamEvent):
                line.apply(event)
            if isinstance(event, Gap) and event.sequences and event.count:
                lacking.update(range(event.sequences[0], event.sequences[1] + 1))
            if isinstance(event, Trade):
                number = int(event.trade_id)
                assert number not in published
                if published and number > max(published):
                    between = set(range(max(published) + 1, number))
                    assert between <= lacking, "published behind a hole that nobody has told"
                published.append(number)
                lacking.discard(number)

    line.apply(Connected("sim", "X", None, 0, "trade", "a", ts_from=0))
    for number in range(1, count + 1):
        clock += data.draw(st.sampled_from((1, 1, 1, 400)))
        for session in "ab":
            if data.draw(st.integers(0, 9)) < 7:
                note(take(of, number, session, at=number, received=clock))
        if data.draw(st.integers(0, 9)) == 0 and number > 1:
            again = data.draw(st.integers(1, number - 1))
            note(take(of, again, "a", at=again, received=clock))
        if data.draw(st.integers(0, 9)) == 0:
            note(of.due(clock * MS))
    note(of.due(10**18))
    asked = of.unasked("a", clock * MS)
    while asked is not None:
        for number in range(asked.first, asked.last + 1):
            if of.refill(number, number):
                note([trade(number, received=clock)])
        note(of.settle(clock * MS, "a"))
        asked = of.unasked("a", clock * MS)
    assert not lacking
    if published:
        assert sorted(published) == list(range(min(published), max(published) + 1))
    assert all(r.state != "gap" for r in line.ranges), line.ranges


def test_what_an_earlier_run_missed_is_asked_for_once_the_stream_is_there() -> None:
    of = Numbered(STREAM)
    of.resume(100)
    of.reopen(Missing(40, 44, 39, 45, earlier=True))
    assert of.unasked("a", 0) is None
    take(of, 101)
    assert of.unasked("a", 0) == Hole("trade", "X", None, 40, 44, 5)
    for number in range(40, 45):
        assert of.refill(number, number)
    (found,) = of.settle(7, "a")
    assert isinstance(found, Backfilled)
    assert (found.reason, found.count, found.ts_from, found.ts_to) == (EARLIER, 5, 39, 45)


def test_a_hole_of_this_run_is_not_taken_for_one_of_an_earlier_run() -> None:
    of = Numbered(STREAM)
    for number in (10, 12):
        take(of, number)
    of.due(10**18)
    of.reopen(Missing(11, 11, 0, 1, earlier=True))
    assert [hole.earlier for hole in of.numbers.holes] == [False]
