"""Keeps one symbol's `orderbook` in sequence, by Bybit's rules.

1. A snapshot replaces the book, whenever it comes. Where its `u` is not the last one or the one above, updates before
   it may be missing, which is told; `u` 1 says that the service was restarted.
2. An update whose `u` is one above the last continues it.
3. Anything else is a break: nothing more can be believed until the topic has
   been subscribed anew and its snapshot has come.

Events are numbered by `seq`, the matching engine's number: `u` begins again
at 1 with each restart, and a store would take the second update 5 for the
first. An update whose `seq` does not rise could not be told from the one
before it in a store, and is a break as well.
"""

from collections.abc import Callable, Sequence

from jrr_core import book_stream
from jrr_core.book_stream import Change
from jrr_core.errors import ParseError
from jrr_core.events import Message

from .messages import BookData, Push, book_data, levels, moment, quote
from .products import DERIVED_DEPTHS, Product


class BookStream:
    """The book of one symbol on one connection; `channels` and `ask` are those of core's."""

    def __init__(self, product: Product, symbol: str, channels: Sequence[str], ask: Callable[[], None]) -> None:
        """Start without a book."""
        depths = [DERIVED_DEPTHS[channel] for channel in channels if channel in DERIVED_DEPTHS]
        self._book = book_stream.BookStream(product.exchange, symbol, channels, depths, ask)
        self._symbol = symbol
        self._u = 0

    def receive(self, frame: Push, ts_recv: int) -> Sequence[Message]:
        """Return what a push means for the book; raises ParseError and then has changed nothing."""
        data = _checked(self._symbol, frame)
        previous = self._book.last
        change = Change(
            levels(data.b), levels(data.a), moment(frame.cts if frame.cts is not None else frame.ts), ts_recv, data.seq,
            None, previous,
        )  # fmt: skip
        if frame.type == "snapshot":
            last, self._u = self._u, data.u
            return self._book.replace(change, None if data.u in (last, last + 1) else _unproved(last, data.u))
        if not self._book.broken and previous is not None:
            if data.u == self._u and data.seq == previous:
                return ()
            if data.u == self._u + 1 and data.seq > previous:
                self._u = data.u
                return self._book.follow(change)
        return self._book.refuse(self._reason(data), change, data.seq)

    def _reason(self, data: BookData) -> str:
        if self._book.last is None:
            return "an update came before the first snapshot"
        if data.u != self._u + 1:
            return f"update {data.u} came after {self._u}"
        return "seq did not rise"


class QuoteStream:
    """The best bid and ask of one symbol: snapshots, repeated every 3 s with the same `u` while nothing changes."""

    def __init__(self, product: Product, symbol: str) -> None:
        """Start with nothing told."""
        self._product = product
        self._symbol = symbol
        self._told: tuple[int, int] | None = None

    def receive(self, frame: Push, ts_recv: int) -> Sequence[Message]:
        """Return the quote of a push, nothing for a repetition; raises ParseError."""
        data = _checked(self._symbol, frame)
        if frame.type != "snapshot":
            raise ParseError("a delta of one level: Bybit sends snapshots of it")
        event = quote(self._product, frame, data, ts_recv)
        told, self._told = self._told, (data.u, data.seq)
        return () if self._told == told else (event,)


def _unproved(last: int, u: int) -> str:
    if u == 1:
        return "the exchange's service restarted: updates before its new book may be missing"
    return f"a new book under update {u} came after {last}"


def _checked(symbol: str, frame: Push) -> BookData:
    data = book_data(frame.data)
    if data.s != symbol or frame.type not in ("snapshot", "delta"):
        raise ParseError(f"not a book of {symbol}: {data.s!r}, {frame.type!r}")
    return data
