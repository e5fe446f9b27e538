"""The half of ParserSuite that is about order books: what comes first, what is missing, what the book is at the end.

Every rule is explained in docs/plugins/conformance.md.
"""

import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import pytest

from ..book import Book, TrackedBook
from ..events import BookDelta, BookSnapshot, Gap, Message
from ..frame import Frame, HttpGet, Rotate, Send
from ..parser import Parser
from .contract import broken
from .parser_case import ParserCase, read, taken

# What may grow beside the kept frames: bytes a frame, and at all.
_BYTES_PER_FRAME, _BYTES = 50, 20_000
# Requests a parser may leave while a snapshot does not come, in as many milliseconds as it keeps frames.
_MOST_REQUESTS = 10

Side = Sequence[tuple[str, str]]


class BookSuite(ParserCase):
    """Tests of books; a parser without books skips them."""

    # How many frames the parser keeps at most while it waits for a snapshot.
    kept_frames: ClassVar[int] = 5_000
    # By symbol, (bids, asks) of the whole book, best first, behind the last recorded frame of its connection.
    books: ClassVar[Mapping[str, tuple[Side, Side]]] = {}

    def delta_frame(self, number: int) -> str | None:
        """Return the `number`-th delta of a book whose snapshot never comes; None where books need no snapshot."""
        return None

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        """Return, by name, the frames of connections in which updates are missing; empty where nothing is numbered."""
        return {}

    def test_snapshot_comes_before_deltas(self) -> None:
        deltas = 0
        for events in self._book_events():
            known = set()
            for event in events:
                if isinstance(event, BookSnapshot):
                    known.add(event.symbol)
                else:
                    deltas += 1
                    rule = "The first event of a book is a full BookSnapshot; deltas before it are held back."
                    assert event.symbol in known, broken("snapshot-first", rule, event)
        if not deltas:
            pytest.skip("no book deltas in the recorded frames")

    def test_deltas_continue_the_book(self) -> None:
        for events in self._book_events():
            tracked: dict[str, TrackedBook] = {}
            for event in events:
                if isinstance(event, BookSnapshot):
                    tracked[event.symbol] = TrackedBook(event)
                elif event.symbol in tracked:
                    book = tracked[event.symbol]
                    before = book.sequence
                    book.apply(event)
                    rule = "A delta continues the one before it, or a Gap and a new snapshot come first."
                    assert book.intact, broken("whole-books", rule, book.reason)
                    rule = "A delta that the book holds already is left out."
                    assert book.sequence != before, broken("whole-books", rule, f"{event} after {before}")

    def test_recorded_books_are_the_exchanges(self) -> None:
        if not self.books:
            pytest.skip("books is empty")
        kept: dict[str, Book] = {}
        for events in self._book_events():
            for event in events:
                kept.setdefault(event.symbol, Book()).apply(event)
        for symbol, sides in self.books.items():
            wanted = tuple([(Decimal(price), Decimal(amount)) for price, amount in side] for side in sides)
            rule = f"The snapshots and deltas of {symbol}, applied in their order, give the exchange's book."
            assert symbol in kept, broken("whole-books", rule, "no book")
            found = kept[symbol].top(None)
            assert found == wanted, broken("whole-books", rule, f"{found} instead of {wanted}")

    def test_sequence_break_gives_a_gap_and_a_request(self) -> None:
        for name, events, asked in self._broken():
            gaps = [event for event in events if isinstance(event, Gap)]
            rule = f"Missing updates ({name}) give a Gap that names its stream."
            assert gaps, broken("sequence-break", rule, f"only {[event.type for event in events]}")
            assert all(gap.what and gap.symbol for gap in gaps), broken("sequence-break", rule, gaps)
            rule = f"With the Gap ({name}) the parser asks for what closes it: Send, HttpGet or Rotate."
            assert asked, broken("sequence-break", rule, "no request")

    def test_nothing_follows_a_break_but_a_new_snapshot(self) -> None:
        for name, events, _ in self._broken():
            gone: set[str] = set()
            for event in events:
                if isinstance(event, Gap):
                    gone.add(event.symbol)
                elif isinstance(event, BookSnapshot):
                    gone.discard(event.symbol)
                rule = f"Between a Gap ({name}) and the next whole snapshot no delta is given."
                fit = not (isinstance(event, BookDelta) and event.symbol in gone)
                assert fit, broken("sequence-break", rule, event)

    def test_memory_is_bounded_while_no_snapshot_comes(self) -> None:
        parser = self._waiting_parser()

        def feed(numbers: range) -> int:
            for number in numbers:
                read(parser, self._frame(self.delta_frame(number) or "", number))
                parser.requests.clear()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            full = feed(range(self.kept_frames))
            later = feed(range(self.kept_frames, 2 * self.kept_frames))
        finally:
            tracemalloc.stop()
        rule = f"A parser that waits for a snapshot keeps at most {self.kept_frames} frames (kept_frames)."
        bounded = later - full < _BYTES + _BYTES_PER_FRAME * self.kept_frames
        assert bounded, broken("bounded-memory", rule, f"{later - full} bytes more after them")

    def test_what_is_awaited_is_not_asked_for_again(self) -> None:
        parser = self._waiting_parser()
        asked = []
        for number in range(500):
            read(parser, self._frame(self.delta_frame(number) or "", number))
            asked += [request for request in taken(parser) if isinstance(request, (HttpGet, Send))]
        rule = f"A parser that waits for a snapshot asks at most {_MOST_REQUESTS} times in half a second."
        assert len(asked) <= _MOST_REQUESTS, broken("bounded-memory", rule, f"{len(asked)} requests")

    def _waiting_parser(self) -> Parser:
        if self.delta_frame(0) is None:
            pytest.skip("delta_frame() gives none")
        return self.make_parser()

    def _book_events(self) -> list[list[BookSnapshot | BookDelta]]:
        """Return the whole books and their deltas of each connection."""
        return [
            [
                event
                for event in events
                if isinstance(event, BookDelta) or (isinstance(event, BookSnapshot) and event.depth is None)
            ]
            for events in self._events()
        ]

    def _broken(self) -> Iterator[tuple[str, list[Message], list[object]]]:
        """Return of each broken connection its name, the events, and what was asked for from the first Gap on."""
        cases = self.sequence_breaks()
        if not cases:
            pytest.skip("sequence_breaks() gives none")
        for name, texts in cases.items():
            parser = self.make_parser()
            events: list[Message] = []
            asked: list[object] = []
            for number, text in enumerate(texts):
                events += parser.receive(self._frame(text, number))
                requests = taken(parser)
                if any(isinstance(event, Gap) for event in events):
                    asked += [request for request in requests if isinstance(request, (Send, HttpGet, Rotate))]
            yield name, events, asked
