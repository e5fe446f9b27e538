"""Books follow the sequence rules, say when they broke, and mend by resubscribing without a storm."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_okx.books import BookStream

from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message
from jrr_core.wire import encode

S = 1_000_000_000
START = 1_790_394_877 * S
ASKS = (("101", "2"), ("102", "3"))
BIDS = (("100", "1"), ("99", "4"))


def push(
    action: str,
    sequence: int | None,
    previous: int | None,
    bids: Sequence[tuple[str, str]] = BIDS,
    asks: Sequence[tuple[str, str]] = ASKS,
    ms: int = 1_790_394_877_200,
) -> str:
    row = {
        "asks": [[*level, "0", "1"] for level in asks],
        "bids": [[*level, "0", "1"] for level in bids],
        "ts": str(ms),
        "checksum": 0,
    }
    row |= {} if sequence is None else {"seqId": sequence}
    row |= {} if previous is None else {"prevSeqId": previous}
    return encode({"arg": {"channel": "books", "instId": "SOL-USDT"}, "action": action, "data": [row]})


class Recorder:
    """A stream with its resubscriptions counted."""

    def __init__(self, channels: Sequence[str] = ("book",), depths: Sequence[int] = ()) -> None:
        self.asked = 0
        self.stream = BookStream("SOL-USDT", channels, depths, self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def take(self, *payloads: str, ts_recv: int = START) -> list[Message]:
        return [event for payload in payloads for event in self.stream.receive(payload, ts_recv)]


def kinds(events: Sequence[Message]) -> list[str]:
    return [event.type for event in events]


def test_documented_chain_with_heartbeat_and_maintenance_reset_has_no_gap() -> None:
    book = Recorder()
    events = book.take(
        push("snapshot", 10, -1),
        push("update", 15, 10),
        push("update", 15, 15, (), ()),
        push("update", 3, 15),
        push("update", 5, 3),
    )
    assert kinds(events) == ["book_snapshot", "book_delta", "book_delta", "book_delta"]
    assert [event.sequence for event in events if isinstance(event, BookDelta)] == [15, 3, 5]
    assert book.asked == 0


def test_snapshot_without_previous_is_taken() -> None:
    assert kinds(Recorder().take(push("snapshot", 10, None), push("update", 12, 10))) == ["book_snapshot", "book_delta"]


def test_empty_update_that_moves_on_is_kept_for_the_chain() -> None:
    events = Recorder().take(push("snapshot", 10, -1), push("update", 12, 10, (), ()), push("update", 13, 12))
    assert kinds(events) == ["book_snapshot", "book_delta", "book_delta"]


@pytest.mark.parametrize("previous", [9, 11, 99, 0, None, -1])
def test_update_that_does_not_continue_breaks_the_book(previous: int | None) -> None:
    book = Recorder()
    events = book.take(push("snapshot", 10, -1), push("update", 20, previous), push("update", 21, 20))
    assert kinds(events) == ["book_snapshot", "gap"]
    assert book.asked == 1


def test_gap_names_the_stream_the_sequences_and_the_time() -> None:
    events = Recorder().take(
        push("snapshot", 10, -1, ms=1_790_000_000_000), push("update", 20, 15, ms=1_790_000_000_100)
    )
    (gap,) = [event for event in events if isinstance(event, Gap)]
    assert (gap.what, gap.symbol, gap.session, gap.sequences) == ("book", "SOL-USDT", "", (10, 15))
    assert (gap.ts_from, gap.ts_to) == (1_790_000_000_000_000_000, 1_790_000_000_100_000_000)
    assert gap.reason


def test_new_snapshot_ends_the_gap_and_says_until_when_it_lasted() -> None:
    book = Recorder()
    book.take(push("snapshot", 10, -1), push("update", 20, 15, ms=1_790_000_000_100))
    events = book.take(push("snapshot", 40, -1, ms=1_790_000_000_900), push("update", 41, 40))
    assert kinds(events) == ["gap", "book_snapshot", "book_delta"]
    assert isinstance(events[0], Gap)
    assert (events[0].ts_from, events[0].ts_to) == (1_790_000_000_100_000_000, 1_790_000_000_900_000_000)


def test_gap_is_carried_on_every_second_while_no_snapshot_comes() -> None:
    book = Recorder()
    book.take(push("snapshot", 10, -1))
    gaps = []
    for tenth in range(50):
        ms = 1_790_394_880_000 + 100 * tenth
        gaps += book.take(push("update", 20 + tenth, 15 + tenth, ms=ms), ts_recv=START + tenth * S // 10)
    assert kinds(gaps) == ["gap"] * 5
    spans = [(gap.ts_from, gap.ts_to) for gap in gaps if isinstance(gap, Gap)]
    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]


def test_last_update_repeated_word_for_word_changes_nothing() -> None:
    book = Recorder()
    events = book.take(push("snapshot", 10, -1), push("update", 15, 10), push("update", 15, 10), push("update", 16, 15))
    assert kinds(events) == ["book_snapshot", "book_delta", "book_delta"]


def test_update_before_any_snapshot_is_a_gap_and_asks_for_one() -> None:
    book = Recorder()
    (gap,) = book.take(push("update", 20, 15), push("update", 21, 20))
    assert isinstance(gap, Gap)
    assert gap.sequences is None
    assert book.asked == 1


def test_resubscribing_is_spaced_and_slows_down() -> None:
    book = Recorder()
    book.take(push("snapshot", 10, -1))
    asked = []
    for second in range(0, 100):
        before = book.asked
        book.take(push("update", 20, 15), ts_recv=START + second * S)
        if book.asked > before:
            asked.append(second)
    assert asked == [0, 5, 15, 35, 75]


def test_book_that_was_sound_for_long_is_mended_at_once_again() -> None:
    book = Recorder()
    for minutes in range(5):
        at = START + minutes * 600 * S
        book.take(push("snapshot", 10, -1), ts_recv=at)
        book.take(push("update", 20, 15), ts_recv=at)
        book.take(push("update", 20, 15), ts_recv=at + 5 * S)
    assert book.asked == 10


@pytest.mark.parametrize(
    "bad",
    [
        push("update", None, None),
        push("update", -4, 10),
        push("update", 2**63, 10),
        push("update", 15, 10, bids=(("100", "x"),)),
        push("update", 15, 10, bids=(("", "1"),)),
        push("replace", 15, 10),
        push("update", 15, 10).replace('"101","2","0","1"', '"101"'),
        push("update", 15, 10, ms=10**14),
    ],
)
def test_refused_update_leaves_the_book_as_it_was(bad: str) -> None:
    book = Recorder()
    book.take(push("snapshot", 10, -1))
    with pytest.raises(ParseError):
        book.take(bad)
    assert kinds(book.take(push("update", 16, 10))) == ["book_delta"]


def test_archived_frames_without_sequence_are_refused_by_name() -> None:
    with pytest.raises(ParseError, match="no seqId"):
        Recorder().take(push("snapshot", None, None))


def test_derived_depths_are_told_when_they_change() -> None:
    book = Recorder(("book_snapshot_10",), (10,))
    bids = [(str(100 - step), "1") for step in range(12)]
    events = book.take(
        push("snapshot", 10, -1, bids, ASKS),
        push("update", 11, 10, (("89", "7"),), ()),
        push("update", 12, 11, (("95", "0"),), ()),
    )
    assert [(event.channel, event.data["sequence"]) for event in events] == [
        ("book_snapshot_10", 10),
        ("book_snapshot_10", 12),
    ]
    last = events[-1]
    assert isinstance(last, BookSnapshot)
    assert [price for price, _ in last.bids] == ["100", "99", "98", "97", "96", "94", "93", "92", "91", "90"]


def test_break_is_reported_for_every_channel_that_wants_the_book() -> None:
    book = Recorder(("book", "book_snapshot_10"), (10,))
    events = book.take(push("snapshot", 10, -1), push("update", 20, 15))
    assert [event.data["what"] for event in events if isinstance(event, Gap)] == ["book", "book_snapshot_10"]


amounts = st.sampled_from(["0", "0.0", "1", "2.50", "1e-8"])
prices = st.integers(1, 40).map(lambda n: f"{n / 10:.1f}")
changes = st.lists(st.tuples(prices, amounts), max_size=5)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.data())
def test_what_is_published_always_chains(steps: list[int], data: st.DataObject) -> None:
    """Lose any updates on the way, answer every resubscribe with a snapshot: published updates still chain."""
    book = Recorder()
    sequence, last, asked, breaks = 100, None, 0, 0
    events = book.take(push("snapshot", sequence, -1))
    for number, step in enumerate(steps):
        previous, sequence = sequence, sequence + step
        at = START + number * 400 * S
        if data.draw(st.booleans()):
            events += book.take(push("update", sequence, previous), ts_recv=at)
        if book.asked > asked:
            asked = book.asked
            events += book.take(push("snapshot", sequence, -1), ts_recv=at)
    for event in events:
        if isinstance(event, BookSnapshot):
            last = event.sequence
        elif isinstance(event, BookDelta):
            assert event.previous_sequence == last
            last = event.sequence
        elif isinstance(event, Gap) and event.reason != "updates until the new snapshot":
            breaks += 1
            last = None
    assert breaks == asked
