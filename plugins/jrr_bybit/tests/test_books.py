"""Bybit's book rules: `u` chains, `seq` numbers the events, restarts and repetitions."""

from collections.abc import Sequence

import pytest
from jrr_bybit.books import BookStream, QuoteStream
from jrr_bybit.messages import push
from jrr_bybit.products import LINEAR

from jrr_core.book import TrackedBook
from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message, Quote
from jrr_core.wire import encode

START = 1_733_011_200_000_000_000


def frame(kind: str, u: int, seq: int, depth: int = 1000, symbol: str = "X", price: str = "100") -> str:
    data = {"s": symbol, "b": [[price, "1"]], "a": [["101", "2"]], "u": u, "seq": seq}
    return encode({"topic": f"orderbook.{depth}.X", "type": kind, "ts": 1733011200693 + u, "data": data})


class Recorder:
    """A book of symbol X with the times it was asked for anew."""

    def __init__(self, channels: Sequence[str] = ("book",)) -> None:
        self.asked = 0
        self.book = BookStream(LINEAR, "X", channels, self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def take(self, *frames: str) -> list[Message]:
        return [event for text in frames for event in self.book.receive(push(text), START)]


def test_updates_chain_by_u_and_are_numbered_by_seq() -> None:
    book = Recorder()
    events = book.take(frame("snapshot", 7, 100), frame("delta", 8, 105), frame("delta", 9, 106))
    assert [type(event) for event in events] == [BookSnapshot, BookDelta, BookDelta]
    assert [(e.sequence, e.previous_sequence) for e in events if isinstance(e, BookDelta)] == [(105, 100), (106, 105)]
    assert book.asked == 0


def test_a_restart_goes_on_at_u_1_and_no_number_is_used_twice() -> None:
    book = Recorder()
    events = book.take(
        frame("snapshot", 1, 100), frame("delta", 2, 105), frame("snapshot", 1, 109, price="99"), frame("delta", 2, 110)
    )
    assert [event.sequence for event in events if isinstance(event, BookDelta)] == [105, 110]
    assert book.asked == 0
    (gap,) = (event for event in events if isinstance(event, Gap))
    assert "restarted" in (gap.reason or "")
    assert gap.sequences == (105, 109)
    first, second = (event for event in events if isinstance(event, BookSnapshot))
    tracked = TrackedBook(first)
    for event in events[1:]:
        if isinstance(event, BookSnapshot | BookDelta):
            tracked.apply(event)
    assert tracked.intact
    assert second.sequence == 109


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (frame("delta", 9, 110), "update 9 came after 7"),
        (frame("delta", 5, 90), "update 5 came after 7"),
    ],
)
def test_a_break_is_told_and_the_topic_asked_for_anew(bad: str, reason: str) -> None:
    book = Recorder(("book", "book_snapshot_5"))
    book.take(frame("snapshot", 7, 100))
    gaps = book.take(bad)
    assert [(gap.what, gap.reason) for gap in gaps if isinstance(gap, Gap)] == [
        ("book", reason), ("book_snapshot_5", reason),
    ]  # fmt: skip
    assert book.asked == 1
    assert book.take(frame("delta", 10, 120)) == []
    assert [type(event) for event in book.take(frame("snapshot", 3, 130))] == [Gap, Gap, BookSnapshot, BookSnapshot]
    assert [type(event) for event in book.take(frame("delta", 4, 131))] == [BookDelta]


@pytest.mark.parametrize(("u", "gaps"), [(8, 0), (9, 1)])
def test_a_snapshot_in_between_is_a_gap_unless_it_follows_on(u: int, gaps: int) -> None:
    book = Recorder()
    book.take(frame("snapshot", 7, 100))
    events = book.take(frame("snapshot", u, 120))
    assert [type(event) for event in events] == [Gap] * gaps + [BookSnapshot]
    assert book.asked == 0


def test_an_update_whose_engine_number_does_not_rise_has_a_number_of_its_own() -> None:
    book = Recorder()
    events = book.take(
        frame("snapshot", 7, 100), frame("delta", 8, 100), frame("delta", 9, 100), frame("delta", 10, 120)
    )
    assert [(e.sequence, e.previous_sequence) for e in events if isinstance(e, BookDelta)] == [
        (101, 100), (102, 101), (120, 102),
    ]  # fmt: skip
    assert book.asked == 0


def test_the_last_update_once_more_changes_nothing() -> None:
    book = Recorder()
    assert len(book.take(frame("snapshot", 7, 100), frame("snapshot", 7, 100), frame("delta", 8, 105))) == 2
    assert book.take(frame("delta", 8, 105)) == []
    assert book.asked == 0


def test_an_update_before_the_snapshot_is_a_break() -> None:
    book = Recorder()
    (gap,) = book.take(frame("delta", 8, 105))
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.sequences) == ("an update came before the first snapshot", None)


@pytest.mark.parametrize("bad", [frame("delta", 8, 105, symbol="Y"), frame("delta", 8, 105, price="x"), "{}"])
def test_a_bad_frame_leaves_no_trace(bad: str) -> None:
    book = Recorder()
    book.take(frame("snapshot", 7, 100))
    with pytest.raises(ParseError):
        book.take(bad)
    assert [type(event) for event in book.take(frame("delta", 8, 105))] == [BookDelta]


def test_a_quote_repeated_after_three_seconds_is_told_once() -> None:
    quotes = QuoteStream(LINEAR, "X")
    told = [
        event for u, seq in ((7, 100), (7, 100), (8, 104), (9, 104), (1, 200))
        for event in quotes.receive(push(frame("snapshot", u, seq, 1)), START)
    ]  # fmt: skip
    assert [event.sequence for event in told if isinstance(event, Quote)] == [100, 104, 105, 200]


def test_a_delta_of_one_level_is_not_read() -> None:
    with pytest.raises(ParseError, match="snapshots"):
        QuoteStream(LINEAR, "X").receive(push(frame("delta", 7, 100, 1)), START)
