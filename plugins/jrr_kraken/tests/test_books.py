"""Kraken's book rules: apply in order, cut to the depth, prove by the checksum, number by time."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_kraken.books import BookStream, checksum
from jrr_kraken.messages import BookRow, read_books

from jrr_core.book import Book, TrackedBook
from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message

START = 1_696_613_755_440_295_000
Side = Sequence[tuple[str, str]]


def row(bids: Side, asks: Side, right: int, micros: int = 0, symbol: str = "X/Y") -> BookRow:
    sides = (",".join([f'{{"price":{price},"qty":{amount}}}' for price, amount in side]) for side in (bids, asks))
    text_bids, text_asks = sides
    (read,) = read_books(
        f'[{{"symbol":"{symbol}","bids":[{text_bids}],"asks":[{text_asks}],"checksum":{right},'
        f'"timestamp":"2023-10-06T17:35:55.{440295 + micros:06d}Z"}}]'.encode()
    )
    return read


class Recorder:
    """A book of symbol X/Y with the times it was asked for anew."""

    def __init__(self, depth: int = 10, channels: Sequence[str] = ("book",)) -> None:
        self.asked = 0
        self.book = BookStream("X/Y", depth, channels, self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def begin(self, bids: Side = (("100", "1"),), asks: Side = (("101", "1"),)) -> list[Message]:
        return self.book.receive(row(bids, asks, checksum(bids, asks)), True, START)

    def take(self, bids: Side, right: int, micros: int) -> list[Message]:
        return self.book.receive(row(bids, [], right, micros), False, START + micros * 1000)


def test_the_checksum_is_made_of_the_digits_on_the_wire_asks_first() -> None:
    assert checksum([("0.45000", "0.00000015")], [("4501.1", "0.5000"), ("4502.0", "10.00")]) == crc32(
        b"45011" + b"5000" + b"45020" + b"1000" + b"45000" + b"15"
    )


def test_updates_are_numbered_by_their_time_and_one_more_where_two_are_of_one_instant() -> None:
    book = Recorder()
    (snapshot,) = book.begin()
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.sequence, snapshot.checksum_ok) == (START, True)
    numbers = [
        (event.sequence, event.previous_sequence, event.ts_event)
        for amount, micros in (("2", 5), ("3", 5), ("2", 9))
        for event in book.take([("100", amount)], checksum([("100", amount)], [("101", "1")]), micros)
        if isinstance(event, BookDelta)
    ]
    assert numbers == [
        (START + 5000, START, START + 5000),
        (START + 5001, START + 5000, START + 5000),
        (START + 9000, START + 5001, START + 9000),
    ]


def test_the_last_update_once_more_changes_nothing() -> None:
    book = Recorder()
    book.begin()
    right = checksum([("100", "2")], [("101", "1")])
    assert len(book.take([("100", "2")], right, 5)) == 1
    assert book.take([("100", "2")], right, 5) == []
    assert len(book.take([("100", "2")], right, 6)) == 1


def test_a_wrong_checksum_is_a_break_until_the_new_snapshot() -> None:
    book = Recorder(channels=("book", "book_snapshot_5"))
    book.begin()
    gaps = book.take([("100", "2")], 7, 1)
    assert [(gap.what, gap.reason) for gap in gaps if isinstance(gap, Gap)] == [
        ("book", "the checksum does not agree"),
        ("book_snapshot_5", "the checksum does not agree"),
    ]
    assert book.asked == 1
    assert book.take([("100", "3")], checksum([("100", "3")], [("101", "1")]), 2) == []
    events = book.begin([("90", "1")])
    assert [type(event) for event in events] == [Gap, Gap, BookSnapshot, BookSnapshot]


def test_a_snapshot_with_a_wrong_checksum_is_no_book() -> None:
    book = Recorder()
    (gap,) = book.book.receive(row([("100", "1")], [("101", "1")], 7), True, START)
    assert isinstance(gap, Gap)
    assert book.asked == 1


def test_levels_that_fall_out_of_the_depth_are_told_as_removals() -> None:
    bids = [(str(100 - place), "1") for place in range(10)]
    book = Recorder(depth=10)
    (snapshot,) = book.begin(bids)
    (delta,) = book.take([("100.5", "2")], checksum([("100.5", "2"), *bids[:9]], [("101", "1")]), 1)
    assert isinstance(delta, BookDelta)
    assert list(delta.bids) == [("100.5", "2"), ("91", "0")]
    assert isinstance(snapshot, BookSnapshot)
    tracked = TrackedBook(snapshot)
    tracked.apply(delta)
    assert tracked.intact
    assert len(tracked.state().bids) == 10


@pytest.mark.parametrize("bad", ["1e", '"100"', "null", "[]"])
def test_a_bad_frame_leaves_no_trace(bad: str) -> None:
    book = Recorder()
    book.begin()
    with pytest.raises(ParseError):
        book.take([("100", bad)], 7, 1)
    right = checksum([("100", "2")], [("101", "1")])
    assert [type(event) for event in book.take([("100", "2")], right, 2)] == [BookDelta]


prices = st.integers(80, 99)
steps = st.lists(st.dictionaries(prices, st.integers(0, 3), min_size=1, max_size=4), max_size=15)


@given(steps)
def test_a_reader_of_the_deltas_has_the_cut_book_at_each_step(changes: Sequence[Mapping[int, int]]) -> None:
    recorder, book = Recorder(depth=10), Book()
    whole = dict.fromkeys(range(99, 89, -1), 1)
    events = recorder.begin([(str(price), "1") for price in whole])
    for place, change in enumerate(changes):
        whole |= change
        whole = dict([(p, whole[p]) for p in sorted(whole, reverse=True) if whole[p]][:10])
        right = checksum([(str(price), str(amount)) for price, amount in whole.items()], [("101", "1")])
        events += recorder.take([(str(price), str(amount)) for price, amount in change.items()], right, place + 1)
    for event in events:
        assert isinstance(event, BookSnapshot | BookDelta)
        book.apply(event)
    assert [(int(price), int(amount)) for price, amount in book.top(None)[0]] == list(whole.items())
    assert recorder.asked == 0
