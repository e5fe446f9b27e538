"""Keeps one symbol's book in sequence, by either of Gate's two ways.

`obu`: a whole book (`full`) comes in the stream, may come before the answer to
the request and may be repeated; each further row begins with the number behind
the last, one without levels too. Anything else is a break, a lower number at a
later time too (Gate counts anew): the topic is subscribed anew.
`order_book_update`: the book begins over REST, which core's SeededBook does; a
whole book in the stream takes its place.
"""

from collections.abc import Callable, Iterable, Sequence

from jrr_core.book_stream import BookStream, Change
from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Message
from jrr_core.frame import Frame
from jrr_core.ladder import Ladder
from jrr_core.seeded_book import CONTIGUOUS, SeededBook

from .book_rows import book_row, diff, diff_row, levels, seed
from .frames import NS_PER_MS, Push
from .products import DERIVED_DEPTHS, Product

# A snapshot that is refused (unknown symbol, bad parameter) is tried again so much later.
_REFUSED_RETRY_S = 60.0


def depths(channels: Iterable[str]) -> list[int]:
    """Return the numbers of levels that channels of best levels have."""
    return [DERIVED_DEPTHS[channel] for channel in channels if channel in DERIVED_DEPTHS]


class StreamedBook:
    """The book of one symbol by `obu`; `channels` and `ask` are those of core's BookStream."""

    def __init__(
        self, product: Product, symbol: str, name: str, channels: Sequence[str], ask: Callable[[], None]
    ) -> None:
        """Start without a book; `name` is the stream as rows call it, `ob.BTC_USDT.400`."""
        self._name = name
        self._book = BookStream(product.exchange, symbol, channels, depths(channels), ask)
        self._when = 0

    def receive(self, frame: Push, ts_recv: int) -> Sequence[Message]:
        """Return what a push means for the book; raises ParseError and then has changed nothing."""
        row = book_row(frame.result)
        if row.s != self._name:
            raise ParseError(f"not {self._name}: {row.s[:60]!r}")
        book = self._book
        change = Change(levels(row.b), levels(row.a), row.t * NS_PER_MS, ts_recv, row.u, row.U)
        if row.full:
            return self._whole(change, row.t)
        if row.U is None or row.u < row.U:
            raise ParseError(f"a row without its first number: u {row.u}, U {row.U}")
        if not book.broken and book.last is not None:
            if row.u <= book.last and row.t <= self._when:
                # What the whole book held already.
                return ()
            if book.last + 1 == row.U:
                self._when = row.t
                return book.follow(change)
        reason = "a row came before the whole book" if book.last is None else f"{row.U} came after {book.last}"
        return book.refuse(reason, change, row.U)

    def _whole(self, change: Change, when: int) -> Sequence[Message]:
        book = self._book
        if not book.broken and change.sequence == book.last:
            return ()
        self._when = when
        follows = book.last is not None and change.first == book.last + 1
        return book.replace(change, None if follows else f"a new whole book {change.sequence} came after {book.last}")


class SeededStream:
    """The book of one symbol by `order_book_update`; `ask(delay_s)` requests a snapshot, None in a replay."""

    def __init__(
        self, product: Product, symbol: str, channels: Sequence[str], ask: Callable[[float], None] | None
    ) -> None:
        """Start without a book."""
        self._product = product
        self._symbol = symbol
        self._whole = "book" in channels
        self._book = SeededBook(CONTIGUOUS, ask)
        self._ladder = Ladder(product.exchange, symbol, depths(channels))

    def receive(self, frame: Push, ts_recv: int) -> Sequence[Message]:
        """Return what a push means for the book; raises ParseError and then has changed nothing."""
        row = diff_row(frame.result)
        if row.s != self._symbol:
            raise ParseError(f"not the book of {self._symbol}: {row.s[:60]!r}")
        event = diff(self._product, row, ts_recv)
        return self._told(self._book.update(event) if isinstance(event, BookDelta) else self._book.snapshot(event))

    def reply(self, frame: Frame) -> Sequence[Message]:
        """Take the answer to a snapshot request; raises ParseError for what is none, and asks again later."""
        try:
            if frame.status != 200:
                raise ParseError(f"{self._symbol}: no book: HTTP {frame.status}: {frame.payload[:200]!r}")
            event = seed(self._product, self._symbol, frame.payload, frame.ts_recv)
        except ParseError:
            self._book.failed(_REFUSED_RETRY_S)
            raise
        return self._told(self._book.snapshot(event))

    def _told(self, events: Sequence[Message]) -> Sequence[Message]:
        """Return the events of the channels that are wanted, the best levels read off the book."""
        told: list[Message] = []
        for event in events:
            if self._whole or not isinstance(event, BookSnapshot | BookDelta):
                told.append(event)
            if isinstance(event, BookSnapshot):
                self._ladder.clear()
            if isinstance(event, BookSnapshot | BookDelta):
                self._ladder.apply(event.bids, event.asks)
                told += self._ladder.tops(event.ts_event, event.ts_recv, event.sequence)
        return told
