"""The numbered steps of both products, then random losses against a book kept beside."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.book import Book
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message
from jrr_core.levels import EMPTY, Levels
from jrr_core.seeded_book import BUFFER, CONTIGUOUS, LINKED, Rules, SeededBook

S = 10**9


def delta(first: int, last: int, previous: int | None = None, at: int | None = None) -> BookDelta:
    when = (last if at is None else at) * S
    return BookDelta("x", "X", when, when + 1, Levels([("1", str(last))]), EMPTY, first, last, previous)


def snapshot(sequence: int, at: int = 0) -> BookSnapshot:
    return BookSnapshot("x", "X", None, at * S, Levels([("1", "9")]), EMPTY, None, sequence)


class Side:
    """A SeededBook with what it asked for."""

    def __init__(self, rules: Rules) -> None:
        self.asked: list[float] = []
        self.sync = SeededBook(rules, self.asked.append)

    def feed(self, *events: BookDelta | BookSnapshot) -> list[Message]:
        found: list[Message] = []
        for event in events:
            found += self.sync.snapshot(event) if isinstance(event, BookSnapshot) else self.sync.update(event)
        return found


def shown(events: Sequence[Message]) -> list[str]:
    short = []
    for event in events:
        if isinstance(event, BookDelta):
            short.append(f"{event.first_sequence}-{event.sequence}")
        elif isinstance(event, BookSnapshot):
            short.append(f"={event.sequence}")
        else:
            assert isinstance(event, Gap)
            short.append(f"gap {event.reason} {event.sequences}")
    return short


@pytest.mark.parametrize(
    ("fed", "published"),
    [
        ([delta(1, 3), delta(4, 6), snapshot(5), delta(7, 8)], ["=5", "4-6", "7-8"]),
        ([delta(1, 3), snapshot(3), delta(4, 6)], ["=3", "4-6"]),
        ([delta(1, 3), snapshot(9), delta(4, 9), delta(10, 12)], ["=9", "10-12"]),
        ([delta(4, 6), snapshot(3)], ["=3", "4-6"]),
        ([delta(4, 6), snapshot(2)], []),
        ([delta(4, 6), snapshot(2), delta(7, 8), snapshot(6)], ["=6", "7-8"]),
        ([delta(1, 3), snapshot(3), delta(4, 6), delta(4, 6), delta(2, 3, at=2)], ["=3", "4-6"]),
        ([delta(1, 3), snapshot(3), delta(4, 6), delta(8, 9)], ["=3", "4-6", "gap sequence (7, 7)"]),
        ([delta(1, 3), snapshot(3), delta(8, 9)], ["=3", "gap sequence (4, 7)"]),
        (
            [delta(1, 3), snapshot(3), delta(5, 6), delta(7, 8), snapshot(6, at=9)],
            ["=3", "gap sequence (4, 4)", "gap resync None", "=6", "7-8"],
        ),
    ],
)
def test_spot_book_by_the_steps(fed: list[BookDelta | BookSnapshot], published: list[str]) -> None:
    assert shown(Side(CONTIGUOUS).feed(*fed)) == published


@pytest.mark.parametrize(
    ("fed", "published"),
    [
        ([delta(1, 3, 0), delta(14, 16, 3), snapshot(15), delta(27, 28, 16)], ["=15", "14-16", "27-28"]),
        ([delta(1, 3, 0), snapshot(3), delta(14, 16, 3)], ["=3", "1-3", "14-16"]),
        ([delta(14, 16, 3), snapshot(3)], ["=3", "14-16"]),
        ([delta(14, 16, 10), snapshot(3)], []),
        ([delta(1, 3, 0), snapshot(20, at=14), delta(14, 19, 3), delta(20, 22, 19)], ["=20", "20-22"]),
        ([delta(1, 3, 0), snapshot(2), delta(5, 6, 3), delta(5, 6, 3)], ["=2", "1-3", "5-6"]),
        ([delta(1, 3, 0), snapshot(2), delta(5, 6, 4)], ["=2", "1-3", "gap sequence (4, 4)"]),
        ([delta(1, 3, 0), snapshot(3), delta(30, 31, 22)], ["=3", "1-3", "gap sequence (4, 22)"]),
    ],
)
def test_futures_book_by_the_steps(fed: list[BookDelta | BookSnapshot], published: list[str]) -> None:
    assert shown(Side(LINKED).feed(*fed)) == published


@pytest.mark.parametrize("rules", [CONTIGUOUS, LINKED])
def test_snapshot_is_asked_for_once_the_first_update_is_there(rules: Rules) -> None:
    side = Side(rules)
    assert side.asked == []
    side.feed(delta(1, 2, 0), delta(3, 4, 2))
    assert side.asked == [0.0]


def test_old_and_empty_snapshots_are_asked_for_again_with_growing_delay() -> None:
    side = Side(CONTIGUOUS)
    side.feed(delta(90, 91))
    for _ in range(8):
        side.feed(snapshot(5))
    side.feed(snapshot(-1))
    assert side.asked == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_buffered_updates_survive_a_snapshot_retry() -> None:
    side = Side(CONTIGUOUS)
    assert shown(side.feed(delta(4, 6), snapshot(2), delta(7, 8), snapshot(5))) == ["=5", "4-6", "7-8"]


def test_break_soon_after_a_snapshot_waits_before_the_next() -> None:
    side = Side(CONTIGUOUS)
    side.feed(delta(1, 3), snapshot(3, at=3), delta(9, 9))
    assert side.asked == [0.0, 1.0]


def test_breaks_in_a_row_wait_longer_each_time() -> None:
    side = Side(CONTIGUOUS)
    side.feed(delta(1, 1), snapshot(1, at=1))
    for number in range(3, 13, 2):
        side.feed(delta(number, number), snapshot(number, at=number))
    assert side.asked == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0]


def test_break_of_a_steady_book_asks_at_once() -> None:
    side = Side(CONTIGUOUS)
    side.feed(delta(1, 3), snapshot(3, at=3), delta(99, 99))
    assert side.asked == [0.0, 0.0]


def test_refused_snapshot_is_asked_for_a_minute_later() -> None:
    side = Side(CONTIGUOUS)
    side.feed(delta(1, 3))
    side.sync.failed(60.0)
    assert side.asked == [0.0, 60.0]


def test_gap_spans_from_the_last_update_to_the_new_snapshot() -> None:
    gaps = [e for e in Side(CONTIGUOUS).feed(delta(1, 3), snapshot(3), delta(4, 4), delta(9, 9), snapshot(9, at=12))
            if isinstance(e, Gap)]  # fmt: skip
    assert [(gap.what, gap.ts_from, gap.ts_to) for gap in gaps] == [("book", 4 * S, 9 * S), ("book", 9 * S, 12 * S)]


def test_exchange_that_counts_anew_is_a_break_not_silence() -> None:
    side = Side(LINKED)
    events = side.feed(delta(101, 103, 100), snapshot(102), delta(5, 7, 4, at=200))
    assert shown(events) == ["=102", "101-103", "gap sequence None"]


@pytest.mark.parametrize("rules", [CONTIGUOUS, LINKED])
def test_snapshot_ahead_of_every_update_is_a_break_not_silence(rules: Rules) -> None:
    events = Side(rules).feed(delta(1, 3, 0), snapshot(10**9, at=3), delta(4, 6, 3), delta(17, 19, 6))
    assert shown(events) == ["=1000000000", "gap sequence None"]


@pytest.mark.parametrize("rules", [CONTIGUOUS, LINKED])
def test_buffer_without_snapshot_is_bounded_and_says_what_it_dropped(rules: Rules) -> None:
    side = Side(rules)
    events = side.feed(*[delta(number, number, number - 1) for number in range(1, BUFFER + 2)])
    dropped, rest = events
    assert isinstance(dropped, Gap)
    assert isinstance(rest, Gap)
    assert (dropped.reason, dropped.count, dropped.sequences) == ("buffer full", BUFFER // 2, (1, BUFFER // 2))
    assert (dropped.ts_from, dropped.ts_to) == (1 * S, BUFFER // 2 * S)
    assert (rest.reason, rest.ts_from, rest.ts_to) == ("no snapshot", BUFFER // 2 * S, (BUFFER + 1) * S)
    after = side.feed(snapshot(BUFFER, at=BUFFER + 1))
    first = BUFFER if rules is LINKED else BUFFER + 1
    assert shown(after)[:3] == ["gap resync None", f"={BUFFER}", f"{first}-{first}"]


def test_lasting_break_is_told_while_it_lasts() -> None:
    side = Side(CONTIGUOUS)
    side.feed(delta(1, 3), snapshot(3, at=3))
    gaps = [event for event in side.feed(*[delta(n, n) for n in range(10, 22)], snapshot(21, at=22))
            if isinstance(event, Gap)]  # fmt: skip
    assert [(gap.reason, gap.ts_to) for gap in gaps] == [
        ("sequence", 10 * S), ("no snapshot", 15 * S), ("no snapshot", 20 * S), ("resync", 22 * S),
    ]  # fmt: skip
    assert [gap.ts_from for gap in gaps[1:]] == [gap.ts_to for gap in gaps[:-1]]


def test_recording_without_snapshot_is_told_to_be_missing() -> None:
    sync = SeededBook(CONTIGUOUS, None)
    events = [event for n in range(1, 13) for event in sync.update(delta(n, n))]
    assert [(event.ts_from, event.ts_to) for event in events if isinstance(event, Gap)] == [
        (1 * S, 6 * S), (6 * S, 11 * S),
    ]  # fmt: skip
    assert len(events) == 2


def test_snapshot_of_a_book_in_step_is_not_published() -> None:
    assert shown(Side(CONTIGUOUS).feed(delta(1, 3), snapshot(3), delta(4, 5), snapshot(2), snapshot(9))) == [
        "=3",
        "4-5",
    ]


@given(
    st.booleans(),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from("uuuuuulds")), max_size=60),
)
def test_published_book_is_right_at_every_update(futures: bool, steps: list[tuple[int, int, str]]) -> None:
    """Updates are sent, lost or doubled, snapshots come late: what is published always is the book of that sequence."""
    side = Side(LINKED if futures else CONTIGUOUS)
    truth: dict[int, dict[str, str]] = {0: {}}
    book, last, synced, late = Book(), 0, False, snapshot(-1)
    for width, price, what in steps:
        first = last + (4 if futures else 1)
        now, previous, last = dict(truth[last]), last, first + width - 1
        now[str(price)] = str(last)
        truth |= dict.fromkeys(range(first, last + 1), now) | {previous: truth[previous]}
        update = BookDelta("x", "S", last, last, Levels([(str(price), str(last))]), EMPTY, first, last,
                           previous if futures else None)  # fmt: skip
        fed: list[BookDelta | BookSnapshot] = [update]
        if what == "l":
            fed = []
        elif what == "d":
            fed = [update, update]
        elif what == "s":
            fed = [update, late]
            late = BookSnapshot("x", "S", None, last, Levels(now.items()), EMPTY, None, last)
        for event in side.feed(*fed):
            if isinstance(event, Gap):
                synced = False
                continue
            assert isinstance(event, BookSnapshot | BookDelta)
            assert synced or isinstance(event, BookSnapshot)
            synced = True
            book.apply(event)
            assert {str(price): str(amount) for price, amount in book.bids.items()} == truth[event.sequence or 0]
