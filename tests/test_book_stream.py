"""A book sent whole and then change by change: events chain, breaks are told, asking anew is bounded."""

from jrr_core.book_stream import BookStream, Change
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message
from jrr_core.levels import Levels

S = 1_000_000_000


class Recorder:
    """A book with the times it was asked for anew (seconds)."""

    def __init__(self, *channels: str, depths: tuple[int, ...] = ()) -> None:
        self.asked: list[int] = []
        self.now_s = 0
        self.book = BookStream("x", "X", channels, depths, lambda: self.asked.append(self.now_s), 5, 300)

    def change(self, sequence: int) -> Change:
        levels = Levels([(str(sequence), "1")])
        return Change(levels, levels, self.now_s * S, self.now_s * S, sequence, sequence, sequence - 1)

    def refuse(self, sequence: int, reason: str = "a hole") -> list[Message]:
        return self.book.refuse(reason, self.change(sequence), sequence)


def test_a_book_is_a_snapshot_and_deltas_with_the_exchanges_numbers() -> None:
    stream = Recorder("book")
    (snapshot,), (delta,) = stream.book.replace(stream.change(7)), stream.book.follow(stream.change(8))
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.sequence, snapshot.depth) == (7, None)
    assert isinstance(delta, BookDelta)
    assert (delta.first_sequence, delta.sequence, delta.previous_sequence) == (8, 8, 7)
    assert stream.book.last == 8


def test_best_levels_alone_publish_no_whole_book() -> None:
    stream = Recorder("book_snapshot_5", depths=(5,))
    events = [*stream.book.replace(stream.change(7)), *stream.book.follow(stream.change(8))]
    assert [(type(event), getattr(event, "depth", None)) for event in events] == [(BookSnapshot, 5)] * 2


def test_a_break_is_told_for_each_channel_from_the_last_good_moment_until_mended() -> None:
    stream = Recorder("book", "book_snapshot_5", depths=(5,))
    stream.book.replace(stream.change(7))
    stream.now_s = 3
    stream.book.rest(stream.change(7))
    stream.now_s = 4
    gaps = stream.refuse(9)
    assert [(gap.what, gap.reason, gap.ts_from, gap.ts_to, gap.sequences) for gap in gaps if isinstance(gap, Gap)] == [
        (channel, "a hole", 3 * S, 4 * S, (7, 9)) for channel in ("book", "book_snapshot_5")
    ]
    assert stream.book.broken
    assert stream.refuse(10) == []
    stream.now_s = 6
    gap, *_ = stream.refuse(11)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.ts_from) == ("updates until the new snapshot", 4 * S)
    stream.now_s = 7
    gap, _, snapshot, _ = stream.book.replace(stream.change(20))
    assert isinstance(gap, Gap)
    assert isinstance(snapshot, BookSnapshot)
    assert (gap.ts_from, gap.ts_to, gap.sequences) == (6 * S, 7 * S, (7, 20))
    assert not stream.book.broken


def test_asking_anew_slows_down_while_it_does_not_help_and_recovers_after_peace() -> None:
    stream = Recorder("book")
    stream.book.replace(stream.change(7))
    for second in range(0, 400):
        stream.now_s = second
        stream.refuse(9)
    assert stream.asked == [0, 5, 15, 35, 75, 155, 315]
    stream.book.replace(stream.change(10))
    stream.now_s = 2000
    for second in range(2000, 2010):
        stream.now_s = second
        stream.refuse(12)
    assert stream.asked[7:] == [2000, 2005]


def test_a_book_that_may_not_follow_on_the_last_update_is_told_as_a_gap_without_asking() -> None:
    stream = Recorder("book")
    assert [type(event) for event in stream.book.replace(stream.change(7), "a restart")] == [BookSnapshot]
    stream.now_s = 2
    gap, snapshot = stream.book.replace(stream.change(30), "a restart")
    assert isinstance(gap, Gap)
    assert isinstance(snapshot, BookSnapshot)
    assert (gap.reason, gap.ts_from, gap.ts_to, gap.sequences) == ("a restart", 0, 2 * S, (7, 30))
    assert stream.asked == []


def test_updates_before_any_book_are_a_break_without_numbers() -> None:
    stream = Recorder("book")
    (gap,) = stream.refuse(9)
    assert isinstance(gap, Gap)
    assert (gap.sequences, gap.ts_from) == (None, None)
    assert stream.asked == [0]
