"""Keeps one symbol's `orderbook` in sequence, by Bybit's rules.

1. A snapshot replaces the book, whenever it comes. Where its `u` is not the last one or the one above, updates before
   it may be missing, which is told; `u` 1 says that the service was restarted.
2. An update whose `u` is one above the last continues it.
3. Anything else is a break: nothing more can be believed until the topic has
   been subscribed anew and its snapshot has come.

Events are numbered by `seq`, the matching engine's number: `u` begins again
at 1 with each restart, and a store would take the second update 5 for the
first. Where `seq` does not rise the number is one above the last.

The last message once more is none of these and changes nothing.
"""

from collections.abc import Callable, Sequence

from jrr_core import book_stream
from jrr_core.book_stream import Change
from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.rising import Rising

from .messages import BookData, Push, book_data, levels, moment, quote
from .products import DERIVED_DEPTHS, Product


class BookStream:
    """The book of one symbol on one connection; `channels` and `ask` are those of core's."""

    def __init__(self, product: Product, symbol: str, channels: Sequence[str], ask: Callable[[], None]) -> None:
        """Start without a book."""
        depths = [DERIVED_DEPTHS[channel] for channel in channels if channel in DERIVED_DEPTHS]
        self._book = book_stream.BookStream(product.exchange, symbol, channels, depths, ask)
        self._symbol = symbol
        self._last: tuple[int, int] = (0, 0)
        self._numbers = Rising()

    def receive(self, frame: Push, ts_recv: int) -> Sequence[Message]:
        """Return what a push means for the book; raises ParseError and then has changed nothing."""
        data = _checked(self._symbol, frame)
        number = self._numbers.next(data.seq)
        change = Change(
            levels(data.b), levels(data.a), moment(frame.cts if frame.cts is not None else frame.ts), ts_recv, number,
            None, self._numbers.last,
        )  # fmt: skip
        (last, _), told = self._last, (data.u, data.seq)
        whole = not self._book.broken and self._book.last is not None
        if whole and told == self._last:
            return ()
        if frame.type == "snapshot":
            unproved = None if data.u in (last, last + 1) else _unproved(last, data.u)
            self._take(told, number)
            return self._book.replace(change, unproved)
        if whole and data.u == last + 1:
            self._take(told, number)
            return self._book.follow(change)
        reason = f"update {data.u} came after {last}"
        if self._book.last is None:
            reason = "an update came before the first snapshot"
        return self._book.refuse(reason, change, number)

    def _take(self, told: tuple[int, int], number: int) -> None:
        self._last = told
        self._numbers.take(number)


class QuoteStream:
    """The best bid and ask of one symbol: snapshots, repeated every 3 s with the same `u` while nothing changes."""

    def __init__(self, product: Product, symbol: str) -> None:
        """Start with nothing told."""
        self._product = product
        self._symbol = symbol
        self._told: tuple[int, int] | None = None
        self._numbers = Rising()

    def receive(self, frame: Push, ts_recv: int) -> Sequence[Message]:
        """Return the quote of a push, nothing for a repetition; raises ParseError."""
        data = _checked(self._symbol, frame)
        if frame.type != "snapshot":
            raise ParseError("a delta of one level: Bybit sends snapshots of it")
        number = self._numbers.next(data.seq)
        event = quote(self._product, frame, data, number, ts_recv)
        if self._told == (data.u, data.seq):
            return ()
        self._told = data.u, data.seq
        self._numbers.take(number)
        return (event,)


def _unproved(last: int, u: int) -> str:
    if u == 1:
        return "the exchange's service restarted: updates before its new book may be missing"
    return f"a new book under update {u} came after {last}"


def _checked(symbol: str, frame: Push) -> BookData:
    data = book_data(frame.data)
    if data.s != symbol or frame.type not in ("snapshot", "delta"):
        raise ParseError(f"not a book of {symbol}: {data.s!r}, {frame.type!r}")
    return data
