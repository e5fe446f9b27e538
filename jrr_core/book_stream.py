"""A book that the exchange sends whole, then change by change, on one channel of one connection.

The parser decides by its exchange's rule what each message is: a whole book
(`replace`), its continuation (`follow`), or a break (`refuse`). Here the
events are made of it, so that what is published always chains.
"""

from collections.abc import Callable, Iterable, Sequence

from attrs import define

from .events import BookDelta, BookSnapshot, Message
from .ladder import Ladder
from .levels import Levels
from .resync import Resync


@define(weakref_slot=False)
class Change:
    """One message about a book, checked: nothing of it can fail any more.

    `first` and `sequence` are the numbers of the first and last update in it,
    `previous` the number it says it follows; None where the exchange sends none.
    """

    bids: Levels
    asks: Levels
    ts_event: int | None
    ts_recv: int
    sequence: int
    first: int | None = None
    previous: int | None = None


class BookStream:
    """The book of one symbol on one connection.

    `channels` are the jrr channels that want it: "book" for every snapshot and
    update, `book_snapshot_<depth>` for the best levels, of each of `depths`,
    whenever they change. `ask` and the two times are those of `Resync`.
    """

    def __init__(
        self,
        exchange: str,
        symbol: str,
        channels: Sequence[str],
        depths: Iterable[int],
        ask: Callable[[], None],
        first_s: float = 5,
        most_s: float = 300,
    ) -> None:
        """Start without a book."""
        self.last: int | None = None
        self._exchange, self._symbol = exchange, symbol
        self._whole = "book" in channels
        depths = tuple(depths)
        self._ladder = Ladder(exchange, symbol, depths) if depths else None
        self._resync = Resync(exchange, symbol, channels, ask, first_s, most_s)

    @property
    def broken(self) -> bool:
        """Whether something is missing since the last whole book."""
        return self._resync.broken

    def replace(self, change: Change, unproved: str | None = None) -> list[Message]:
        """Take a whole book; `unproved` says why updates between the last one and it may be missing, if they may."""
        between = self._between(change.sequence)
        events = self._resync.mend(change.ts_event, change.ts_recv, between, unproved if between else None)
        self.last = change.sequence
        if self._whole:
            events.append(
                BookSnapshot(
                    self._exchange, self._symbol, change.ts_event, change.ts_recv, change.bids, change.asks, None,
                    change.sequence,
                )
            )  # fmt: skip
        if self._ladder is not None:
            self._ladder.clear()
            events += self._tops(self._ladder, change)
        return events

    def follow(self, change: Change) -> list[Message]:
        """Take an update that continues the book."""
        self.rest(change)
        self.last = change.sequence
        events: list[Message] = []
        if self._whole:
            events.append(
                BookDelta(
                    self._exchange, self._symbol, change.ts_event, change.ts_recv, change.bids, change.asks,
                    change.first, change.sequence, change.previous,
                )
            )  # fmt: skip
        if self._ladder is not None:
            events += self._tops(self._ladder, change)
        return events

    def rest(self, change: Change) -> None:
        """Take a message that says the book is unchanged: it was whole until then."""
        self._resync.good(change.ts_event)

    def refuse(self, reason: str, change: Change, upto: int) -> list[Message]:
        """Take an update that cannot be applied; `upto` is the number up to which something may be missing."""
        return self._resync.refuse(reason, change.ts_event, change.ts_recv, self._between(upto))

    def _between(self, upto: int) -> tuple[int, int] | None:
        return None if self.last is None else (self.last, upto)

    def _tops(self, ladder: Ladder, change: Change) -> list[BookSnapshot]:
        ladder.apply(change.bids, change.asks)
        return ladder.tops(change.ts_event, change.ts_recv, change.sequence)
