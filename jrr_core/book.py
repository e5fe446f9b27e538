"""An order book kept from snapshots and deltas, for those who read stored or live book events.

`Book` applies what it is given; `TrackedBook` also checks that nothing is
missing between, by the numbers exchanges give their updates. Stores answer
with a BookState.
"""

from collections.abc import Iterable
from decimal import Decimal

from attrs import define

from .book_side import BookSide, Level
from .events import BookDelta, BookSnapshot
from .exact import plain
from .levels import Levels

# How much later than a snapshot an update may arrive and still be one that the snapshot already holds.
_CONTAINED_NS = 10 * 10**9


@define(frozen=True, weakref_slot=False)
class BookState:
    """A book at one moment: (price, amount) of bids and asks, best first.

    `ts` is the time (int ns UTC) of the last change in it. Where `intact` is
    False it is older than asked for, or not known to be whole; `reason` says why.
    """

    exchange: str
    symbol: str
    ts: int
    sequence: int | None
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    intact: bool = True
    reason: str | None = None


class Book:
    """One symbol's bids and asks as exact Decimals; amounts in the exchange's unit.

    `sequence` is the last one applied, None before the first snapshot.
    """

    __slots__ = ("_asks", "_bids", "sequence")

    def __init__(self) -> None:
        """Start empty and unsynchronised."""
        self._bids = BookSide(descending=True)
        self._asks = BookSide(descending=False)
        self.sequence: int | None = None

    @property
    def bids(self) -> dict[Decimal, Decimal]:
        """All bids, amount by price, best first; made anew at each call."""
        return dict(self._bids.levels(None))

    @property
    def asks(self) -> dict[Decimal, Decimal]:
        """All asks, amount by price, best first; made anew at each call."""
        return dict(self._asks.levels(None))

    def apply(self, event: BookSnapshot | BookDelta) -> None:
        """Take a snapshot (replaces everything) or a delta (sets and removes levels).

        The caller keeps events in order; nothing is checked against
        `sequence` here; parsers and `continuity` do that.
        """
        if isinstance(event, BookSnapshot):
            self._bids.clear()
            self._asks.clear()
        self._bids.apply(event.bids)
        self._asks.apply(event.asks)
        self.sequence = event.sequence

    def top(self, depth: int | None) -> tuple[list[Level], list[Level]]:
        """Return the best `depth` (price, amount) of bids (highest first) and asks (lowest first); None gives all."""
        return self._bids.levels(depth), self._asks.levels(depth)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: normal for moments, in auctions and pre-open."""
        bid, ask = self._bids.best, self._asks.best
        return bid is not None and ask is not None and bid >= ask


class TrackedBook:
    """One symbol's book from a snapshot on, which knows whether it still is the exchange's.

    Where an update is missing it stops at the last state that was sure,
    until the next snapshot. `ts` and `ts_recv` are the time and the receipt
    of the last event applied, `reason` is why it is not intact.
    """

    def __init__(self, start: BookSnapshot) -> None:
        """Begin with a whole book."""
        self.exchange, self.symbol = start.exchange, start.symbol
        self.reason: str | None = None
        self._book = Book()
        self._begin(start)

    @property
    def intact(self) -> bool:
        """Whether nothing is known to be missing."""
        return self.reason is None

    @property
    def sequence(self) -> int | None:
        """The number of the last update in the book."""
        return self._book.sequence

    def apply(self, event: BookSnapshot | BookDelta) -> None:
        """Take the next event: a whole book replaces all; a delta is applied, left out as old, or shows a break."""
        if isinstance(event, BookSnapshot):
            self._begin(event)
        elif self.intact and not self._old(event):
            self.reason = self._break(event)
            if self.intact:
                self._take(event)

    def state(self, depth: int | None = None) -> BookState:
        """Return what is known now, the best `depth` levels a side."""
        bids, asks = self._book.top(depth)
        return BookState(
            self.exchange, self.symbol, self.ts, self.sequence, tuple(bids), tuple(asks), self.intact, self.reason
        )

    def snapshot(self) -> BookSnapshot:
        """Return the whole book as an event, from which another can go on."""
        bids, asks = self._book.top(None)
        return BookSnapshot(
            self.exchange, self.symbol, self._ts_event, self.ts_recv, _levels(bids), _levels(asks), None, self.sequence
        )

    def _begin(self, start: BookSnapshot) -> None:
        self.reason = None if start.checksum_ok is not False else "the exchange's checksum does not agree"
        self._begun_recv = start.ts_recv
        self._take(start)
        self._fresh = True

    def _take(self, event: BookSnapshot | BookDelta) -> None:
        self._book.apply(event)
        self._fresh = False
        self._ts_event, self.ts_recv = event.ts_event, event.ts_recv
        self.ts = event.ts_recv if event.ts_event is None else event.ts_event

    def _old(self, delta: BookDelta) -> bool:
        """Whether the book already holds the delta, or it belongs to what was before the snapshot."""
        last = self.sequence
        if last is None:
            return delta.ts_recv <= self._begun_recv
        if delta.previous_sequence == last or delta.sequence == last:
            return delta.sequence == last
        if delta.sequence < last:
            return not self._young(delta)
        # The snapshot may stand for a new numbering, to which this one does not belong.
        return delta.ts_recv < self._begun_recv and not _joins(delta, last)

    def _young(self, delta: BookDelta) -> bool:
        """Whether a delta with an old number is new by the clock: the exchange counts anew."""
        if self._fresh or delta.ts_event is None:
            return delta.ts_recv - self.ts_recv > _CONTAINED_NS
        return delta.ts_event > self.ts

    def _break(self, delta: BookDelta) -> str | None:
        last = self.sequence
        if last is None or delta.previous_sequence == last:
            return None
        if delta.sequence < last:
            return (
                f"after update {last} the exchange counts anew with {delta.sequence}, and what was between is missing"
            )
        if not _joins(delta, last):
            return f"after update {last} comes {delta.sequence}, which continues {_before(delta)}: updates are missing"
        return None


def rebuild(start: BookSnapshot, deltas: Iterable[BookDelta], depth: int | None = None) -> BookState:
    """Return the book after the deltas, given in order, that follow a whole snapshot; others are left out.

    Stops where the chain breaks: the state before it, not intact, with the reason.
    """
    book = TrackedBook(start)
    for delta in deltas:
        book.apply(delta)
        if not book.intact:
            break
    return book.state(depth)


def _before(delta: BookDelta) -> int | None:
    """Return the update that a delta, as far as the exchange tells, is the change from."""
    if delta.previous_sequence is not None:
        return delta.previous_sequence
    return None if delta.first_sequence is None else delta.first_sequence - 1


def _joins(delta: BookDelta, last: int) -> bool:
    """Whether a delta leads on from update `last`.

    Amounts are absolute and a delta holds every level changed since the
    update before it, so it may begin earlier: the first one behind a snapshot
    does. Futures ids are shared by all symbols and leave holes before
    `first_sequence`, so the link counts where there is one.
    """
    before = _before(delta)
    return before is None or before <= last


def _levels(side: Iterable[Level]) -> Levels:
    return Levels([(plain(price), plain(amount)) for price, amount in side])
