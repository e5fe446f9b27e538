"""The coverage ledger: what a stream's events say about what is stored."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.coverage import CRASH, NOT_RUNNING, Timeline, broken_off, interruption
from jrr_core.events import Backfilled, Connected, Disconnected, Gap, StreamEvent
from jrr_core.store import Range

STREAM = ("sim", "trade", "BTCUSDT")
S = 10**9


def make(kind: type[StreamEvent], session: str = "a", ts_recv: int = 10**6, **more: object) -> StreamEvent:
    return kind("sim", "BTCUSDT", None, ts_recv, "trade", session, **more)  # type: ignore[arg-type]


def connected(at: int | None, session: str = "a") -> StreamEvent:
    return make(Connected, session, ts_from=at)


def disconnected(at: int | None, session: str = "a", reason: str | None = "closed") -> StreamEvent:
    return make(Disconnected, session, ts_to=at, reason=reason)


def gap(start: int, end: int, count: int | None = None, reason: str = "sequence") -> StreamEvent:
    return make(Gap, ts_from=start, ts_to=end, count=count, reason=reason)


def backfilled(start: int | None, end: int | None, count: int | None = None) -> StreamEvent:
    return make(Backfilled, ts_from=start, ts_to=end, count=count)


def drawn(*steps: StreamEvent | int) -> list[tuple[object, ...]]:
    """Return the ranges after the steps; a bare number is a heartbeat."""
    line = Timeline(*STREAM)
    for step in steps:
        line.heartbeat(step) if isinstance(step, int) else line.apply(step)
    return brief(line)


def brief(line: Timeline) -> list[tuple[object, ...]]:
    return [(r.ts_from, r.ts_to, r.state, r.reason, r.missing) for r in line.ranges]


def test_a_live_range_grows_with_the_heartbeat_only() -> None:
    assert drawn(connected(10)) == [(10, 10, "complete", None, None)]
    assert drawn(connected(10), 30, 20) == [(10, 30, "complete", None, None)]


def test_a_range_ends_where_the_session_last_was_alive() -> None:
    assert drawn(connected(10), 90, disconnected(60)) == [(10, 60, "complete", "closed", None)]
    assert drawn(connected(10), disconnected(60), 90) == [(10, 60, "complete", "closed", None)]


def test_between_two_sessions_lies_a_gap_with_the_reason_of_the_end() -> None:
    assert drawn(connected(10), disconnected(20), connected(30), 40) == [
        (10, 20, "complete", "closed", None),
        (20, 30, "gap", "closed", None),
        (30, 40, "complete", None, None),
    ]


def test_sessions_that_overlap_make_one_complete_range() -> None:
    assert drawn(connected(10), connected(18, "b"), disconnected(20), 30, disconnected(40, "b")) == [
        (10, 40, "complete", "closed", None)
    ]
    assert drawn(connected(10), connected(15, "b"), disconnected(16, "b"), disconnected(30)) == [
        (10, 30, "complete", "closed", None)
    ]


def test_a_successor_that_came_too_late_leaves_a_gap() -> None:
    assert drawn(connected(10), 40, connected(50, "b"), 60, disconnected(20, reason="silent"), 70) == [
        (10, 20, "complete", None, None),
        (20, 50, "gap", "silent", None),
        (50, 70, "complete", None, None),
    ]


def test_a_session_that_starts_before_the_last_one_was_seen_to_end_continues_it() -> None:
    assert drawn(connected(10), disconnected(30), connected(25, "b"), 40) == [(10, 40, "complete", None, None)]


def test_a_gap_splits_a_live_range() -> None:
    assert drawn(connected(10), 50, gap(20, 30, 5)) == [
        (10, 20, "complete", None, None),
        (20, 30, "gap", "sequence", 5),
        (30, 50, "complete", None, None),
    ]


def test_a_gap_beyond_the_heartbeat_leaves_the_range_live_behind_it() -> None:
    assert drawn(connected(10), gap(20, 30, 5), 40) == [
        (10, 20, "complete", None, None),
        (20, 30, "gap", "sequence", 5),
        (30, 40, "complete", None, None),
    ]
    assert drawn(connected(10), gap(10, 10), 40)[0] == (10, 11, "gap", "sequence", None)


def test_gaps_that_overlap_become_one_and_add_up() -> None:
    assert drawn(connected(0), 90, gap(20, 30, 5), gap(25, 40, 2, "buffer full"))[1] == (20, 40, "gap", "sequence", 7)
    assert drawn(connected(0), 90, gap(20, 30, 5), gap(10, 22, 2, "buffer full"))[1] == (
        10,
        30,
        "gap",
        "buffer full",
        7,
    )
    assert drawn(connected(0), 90, gap(20, 30, 5), gap(25, 40))[1] == (20, 40, "gap", "sequence", None)
    assert drawn(connected(0), 90, gap(20, 30, 1), gap(40, 50, 1), gap(25, 45, 1))[1:] == [
        (20, 50, "gap", "sequence", 3),
        (50, 90, "complete", None, None),
    ]


def test_a_backfilled_gap_is_no_gap_any_more() -> None:
    assert drawn(connected(0), 90, gap(20, 30, 5), backfilled(20, 30, 5))[1] == (20, 30, "backfilled", "sequence", 0)
    assert drawn(connected(0), 90, gap(20, 30, 5), backfilled(None, None))[1] == (20, 30, "backfilled", "sequence", 0)
    assert drawn(connected(0), 90, backfilled(None, None)) == [(0, 90, "complete", None, None)]


def test_a_gap_backfilled_in_part_stays_until_nothing_is_missing() -> None:
    steps: list[StreamEvent | int] = [connected(0), 90, gap(20, 30, 5), backfilled(20, 30, 3)]
    assert drawn(*steps)[1] == (20, 30, "gap", "sequence", 2)
    assert drawn(*steps, backfilled(20, 30, 2))[1] == (20, 30, "backfilled", "sequence", 0)


def test_single_events_that_come_late_close_their_gap_one_by_one() -> None:
    steps: list[StreamEvent | int] = [connected(0), 90, gap(20, 30, 2), backfilled(30, 30, 1)]
    assert drawn(*steps)[1] == (20, 30, "gap", "sequence", 1)
    assert drawn(*steps, backfilled(25, 25, 1))[1] == (20, 30, "backfilled", "sequence", 0)
    assert drawn(*steps, backfilled(31, 31, 1))[1] == (20, 30, "gap", "sequence", 1)


def test_a_late_event_does_not_close_a_gap_of_unknown_size() -> None:
    assert drawn(connected(0), 90, gap(20, 30), backfilled(30, 30, 1))[1] == (20, 30, "gap", "sequence", None)


def test_what_a_backfill_does_not_reach_stays_a_gap() -> None:
    assert drawn(connected(0), 90, gap(20, 40), backfilled(25, 30))[1:4] == [
        (20, 25, "gap", "sequence", None),
        (25, 30, "backfilled", "sequence", 0),
        (30, 40, "gap", "sequence", None),
    ]


def test_a_gap_after_the_end_reaches_back_to_it() -> None:
    assert drawn(connected(0), disconnected(10), gap(20, 30), connected(40), 50) == [
        (0, 10, "complete", "closed", None),
        (10, 40, "gap", "sequence", None),
        (40, 50, "complete", None, None),
    ]


def test_a_gap_before_any_session_begins_the_history() -> None:
    assert drawn(gap(5, 8, 1), connected(10), 20) == [
        (5, 8, "gap", "sequence", 1),
        (8, 10, "gap", "sequence", None),
        (10, 20, "complete", None, None),
    ]


def test_after_a_crash_the_time_until_the_next_session_is_a_gap() -> None:
    line = Timeline(*STREAM, [Range(*STREAM, 10, 20, "complete")])
    line.apply(connected(50, "b"))
    assert brief(line) == [
        (10, 20, "complete", None, None),
        (20, 50, "gap", CRASH, None),
        (50, 50, "complete", None, None),
    ]


def test_after_an_orderly_close_the_gap_says_not_running() -> None:
    line = Timeline(*STREAM)
    line.apply(connected(10))
    line.heartbeat(20)
    line.close()
    assert not line.live
    assert brief(line) == [(10, 20, "complete", NOT_RUNNING, None)]
    line.apply(connected(30))
    assert brief(line)[1] == (20, 30, "gap", NOT_RUNNING, None)


def test_a_stop_by_the_user_is_named_in_the_gap_after_it() -> None:
    assert drawn(connected(10), disconnected(20, reason="stopped"), connected(30))[1][3] == "stopped"


def test_a_session_that_ended_within_a_gap_leaves_the_gap_standing() -> None:
    steps: list[StreamEvent | int] = [connected(0), 90, gap(20, 30, 2), disconnected(25)]
    assert drawn(*steps) == [(0, 20, "complete", None, None), (20, 30, "gap", "sequence", 2)]
    assert drawn(*steps, connected(50))[1:] == [
        (20, 30, "gap", "sequence", 2),
        (30, 50, "gap", "sequence", None),
        (50, 50, "complete", None, None),
    ]


def test_an_event_that_is_not_about_coverage_changes_nothing() -> None:
    assert drawn(connected(0), make(StreamEvent)) == [(0, 0, "complete", None, None)]


def test_an_unknown_session_cannot_end_a_range() -> None:
    assert drawn(connected(10), 20, disconnected(15, "ghost")) == [(10, 20, "complete", None, None)]


def test_a_session_that_received_nothing_leaves_no_trace_in_the_gap() -> None:
    steps: list[StreamEvent | int] = [
        connected(10),
        disconnected(20),
        connected(30),
        disconnected(30),
        connected(40),
        50,
    ]
    assert drawn(*steps) == [
        (10, 20, "complete", "closed", None),
        (20, 40, "gap", "closed", None),
        (40, 50, "complete", None, None),
    ]


def test_nothing_new_means_nothing_to_store() -> None:
    line = Timeline(*STREAM)
    line.apply(connected(10))
    assert line.changes() == (None, line.ranges)
    assert line.changes() is None
    line.heartbeat(20)
    assert line.changes() == (None, line.ranges)
    line.apply(gap(12, 15))
    assert line.changes() == (None, line.ranges)
    line.heartbeat(30)
    assert line.changes() == (12, line.ranges[-1:])


def test_a_copy_is_independent() -> None:
    line = Timeline(*STREAM)
    line.apply(connected(10))
    twin = line.copy()
    twin.apply(disconnected(20))
    twin.changes()
    assert brief(line) == [(10, 10, "complete", None, None)]
    assert line.live
    assert line.changes() is not None


times = st.integers(0, 60) | st.integers(0, 6).map(lambda at: at * S)
counts = st.none() | st.integers(0, 9)
steps = st.lists(
    st.one_of(
        times,
        st.builds(connected, times, st.sampled_from("abc")),
        st.builds(disconnected, times, st.sampled_from("abc"), st.sampled_from([None, "x"])),
        st.builds(lambda a, b, n: gap(min(a, b), max(a, b), n), times, times, counts),
        st.builds(lambda a, b, n: backfilled(min(a, b), max(a, b), n), times, times, counts),
        st.builds(lambda a, n: make(Gap, ts_to=a, count=n, sequences=(1, 1)), times, counts),
        st.builds(lambda a, b, n: make(Gap, ts_from=a, ts_to=b, count=n, sequences=(1, 1)), times, times, counts),
        st.builds(lambda a, n: make(Backfilled, ts_to=a, count=n, sequences=(1, 1)), times, counts),
        st.builds(lambda a, n: make(Backfilled, ts_to=a, count=n), times, counts),
        st.sampled_from(["close", "restart"]),
    ),
    max_size=30,
)


@given(steps)
def test_ranges_are_ordered_touch_and_resume_from_what_was_stored(script: list[StreamEvent | int | str]) -> None:
    line = Timeline(*STREAM)
    stored: list[Range] = []
    first = None
    for step in script:
        if isinstance(step, int):
            line.heartbeat(step)
        elif step == "close":
            line.close()
        elif step == "restart":
            line = Timeline(*STREAM, stored)
        else:
            assert isinstance(step, StreamEvent)
            line.apply(step)
        changes = line.changes()
        if changes is not None:
            after, ranges = changes
            stored = [r for r in stored if after is not None and r.ts_from <= after] + ranges
        assert stored == line.ranges
        assert all(a.ts_to == b.ts_from and a.ts_from < b.ts_from for a, b in pairwise(stored))
        assert all(r.ts_from < r.ts_to for r in stored[:-1])
        assert all(r.ts_from <= r.ts_to for r in stored)
        if stored:
            assert first is None or stored[0].ts_from <= first
            first = stored[0].ts_from
        assert not line.live or stored[-1].state == "complete"


def test_only_a_stream_that_ended_out_of_order_last_is_broken_off() -> None:
    cut = Range("x", "trade", "A", 0, 5, "complete", "connection cut")
    stopped = Range("x", "trade", "B", 0, 5, "complete", "stopped")
    resumed = [Range("x", "trade", "C", 0, 5, "complete", "connection cut"), Range("x", "trade", "C", 5, 9, "gap"),
               Range("x", "trade", "C", 9, 12, "complete")]  # fmt: skip
    assert broken_off([cut, stopped, *resumed]) == [cut]


def spoken(*ranges: tuple[float, float, str, str | None]) -> list[Range]:
    """Return ranges whose times are given in seconds."""
    return [Range(*STREAM, int(start * S), int(end * S), state, reason) for start, end, state, reason in ranges]  # type: ignore[arg-type]


def test_a_gap_between_is_an_interruption_and_one_outside_is_none() -> None:
    ranges = spoken((0, 10, "complete", None), (10, 20, "gap", "closed"), (20, 40, "complete", None))
    told = "the stream was interrupted at 1970-01-01 00:00:10 UTC: closed"
    assert [interruption(ranges, since * S, until * S) for since, until in ((5, 9), (5, 10), (5, 30), (15, 30))] == [
        None, told, told, told,
    ]  # fmt: skip
    assert interruption(ranges, 20 * S, 40 * S) is None
    assert interruption(ranges, 20 * S - 50_000_000, 40 * S) is None  # one clock, read twice


def test_a_backfilled_gap_is_none() -> None:
    ranges = spoken((0, 10, "complete", None), (10, 20, "backfilled", "closed"), (20, 40, "complete", None))
    assert interruption(ranges, 0, 40 * S) is None


def test_after_the_end_of_a_stream_nothing_is_known() -> None:
    ranges = spoken((0, 10, "complete", "stopped"))
    assert interruption(ranges, 0, 14 * S) is None
    assert interruption(ranges, 0, 16 * S) == "the stream is not stored after 1970-01-01 00:00:10 UTC: stopped"
    live = spoken((0, 10, "complete", None))
    assert interruption(live, 0, 16 * S) == "the stream is not stored after 1970-01-01 00:00:10 UTC: no later data"


def test_no_coverage_says_nothing() -> None:
    assert interruption([], 0, 10**18) is None


def counted(start: int | None, end: int, count: int, first: int = 101) -> StreamEvent:
    return make(Gap, ts_from=start, ts_to=end, count=count, reason="interrupted", sequences=(first, first + count - 1))


def found(start: int | None, end: int, count: int, first: int = 101) -> StreamEvent:
    return make(Backfilled, ts_from=start, ts_to=end, count=count, sequences=(first, first + count - 1))


INTERRUPTED = (connected(0), 90, disconnected(100), connected(200, "b"), 300)


def test_numbers_tell_the_size_of_an_interruption() -> None:
    assert drawn(*INTERRUPTED)[1] == (100, 200, "gap", "closed", None)
    assert drawn(*INTERRUPTED, counted(95, 198, 7))[1] == (95, 200, "gap", "closed", 7)


def test_what_is_found_of_a_counted_gap_lowers_what_is_missing_until_it_is_backfilled() -> None:
    steps = (*INTERRUPTED, counted(95, 198, 7), found(95, 198, 5))
    assert drawn(*steps)[1] == (95, 200, "gap", "closed", 2)
    assert drawn(*steps, found(95, 198, 2, 106))[1] == (95, 200, "backfilled", "closed", 0)


def test_numbers_that_go_on_settle_an_interruption() -> None:
    assert drawn(*INTERRUPTED, backfilled(95, 200, 0))[1] == (100, 200, "backfilled", "closed", 0)


def test_after_a_restart_the_beginning_of_the_hole_is_where_the_store_ended() -> None:
    line = Timeline(*STREAM, [Range(*STREAM, 10 * S, 20 * S, "complete")])
    for event in (connected(50 * S, "b"), counted(None, 50 * S, 7)):
        line.apply(event)
    assert brief(line)[:2] == [(10 * S, 19 * S, "complete", None, None), (19 * S, 50 * S, "gap", CRASH, 7)]
    line.apply(found(None, 50 * S, 7))
    assert brief(line)[1] == (19 * S, 50 * S, "backfilled", CRASH, 0)


def test_a_later_gap_does_not_take_the_events_found_for_an_earlier_one() -> None:
    line = Timeline(*STREAM, [Range(*STREAM, 10 * S, 20 * S, "complete")])
    for event in (connected(50 * S, "b"), counted(None, 50 * S, 7), counted(60 * S, 61 * S, 3, 500)):
        line.apply(event)
    line.apply(found(None, 50 * S, 7))
    assert [(r.state, r.missing) for r in line.ranges][1:4:2] == [("backfilled", 0), ("gap", 3)]


def test_what_is_found_says_nothing_of_an_interruption_nobody_has_counted() -> None:
    assert drawn(*INTERRUPTED, found(95, 198, 5))[1] == (100, 200, "gap", "closed", None)


def test_a_gap_without_events_tells_why_one_stands() -> None:
    steps = (*INTERRUPTED, counted(95, 198, 7), make(Gap, ts_from=95, ts_to=198, count=0, reason="too old"))
    assert drawn(*steps)[1] == (95, 200, "gap", "too old", 7)


def test_an_interruption_right_behind_a_counted_gap_leaves_its_count() -> None:
    steps = (connected(0), 90, counted(40, 60, 3), disconnected(55), connected(200, "b"), 300, counted(60, 198, 4, 500))
    assert [(r[2], r[4]) for r in drawn(*steps)] == [("complete", None), ("gap", 3), ("gap", 4), ("complete", None)]
    assert [(r[2], r[4]) for r in drawn(*steps, found(60, 198, 4, 500))][1:3] == [("gap", 3), ("backfilled", 0)]
