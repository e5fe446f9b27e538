"""The book that stored snapshots and updates make, kept only to see whether its sides cross."""

from bisect import bisect_left, insort
from collections import deque
from decimal import Decimal

from ..events import BookDelta, BookSnapshot
from ..levels import Levels
from .chain import follows, joins
from .finding import Span

# Sides that cross for less are normal: exchanges publish one side before the other.
CROSSED_NS = 10**9
# How much later than a snapshot an update may arrive and still be one that the snapshot already holds.
_CONTAINED_NS = 10 * 10**9
# Updates kept while no snapshot comes.
_WAITING = 2000


class _Side:
    """One side of a book, its prices ascending."""

    __slots__ = ("_there", "prices")

    def __init__(self) -> None:
        self.prices: list[Decimal] = []
        self._there: set[Decimal] = set()

    def set(self, levels: Levels) -> None:
        for price, amount in levels.decimals():
            if amount and price not in self._there:
                self._there.add(price)
                insort(self.prices, price)
            elif not amount and price in self._there:
                self._there.remove(price)
                del self.prices[bisect_left(self.prices, price)]


class KeptBook:
    """One symbol's book, given snapshots and deltas in order of time.

    A snapshot that was fetched bears the time of its receipt, so the updates
    behind it may come before it: what does not join waits for a snapshot, and
    a snapshot older than the book is kept for updates that join it.
    """

    __slots__ = ("_asks", "_bids", "_crossed", "_fresh", "_held", "_last", "_waiting", "_when", "crossings")

    def __init__(self) -> None:
        """Start without a book."""
        self._bids, self._asks = _Side(), _Side()
        self._last: int | None = None
        self._when: Span | None = None  # None: there is no book
        self._fresh = False
        self._waiting: deque[BookDelta] = deque(maxlen=_WAITING)
        self._held: BookSnapshot | None = None
        self._crossed: int | None = None
        self.crossings: list[tuple[int, int]] = []
        """From when to when the sides crossed for a second or longer."""

    def snapshot(self, snapshot: BookSnapshot) -> None:
        """Take a whole book."""
        if snapshot.checksum_ok is False:
            return
        number, last = snapshot.sequence, self._last
        if self._when is not None and number is not None and last is not None and number <= last:
            self._held = snapshot
        else:
            self._begin(snapshot)

    def delta(self, delta: BookDelta) -> None:
        """Take an update: applied, left out as old, or, where it does not join, the end of this book."""
        if self._when is None:
            self._waiting.append(delta)
            return
        when, last = Span.of(delta), self._last
        if last is None or follows(delta, last) or (self._fresh and joins(delta, last)):
            self._bids.set(delta.bids)
            self._asks.set(delta.asks)
            self._last, self._fresh, self._when = delta.sequence, False, when
            self._look(when.early)
        elif delta.sequence > last or when.early - self._when.early > (_CONTAINED_NS if self._fresh else 0):
            self.end()
            self._waiting.append(delta)
            if self._held is not None:
                self._begin(self._held)

    def end(self) -> None:
        """Forget the book: nothing more is known of it."""
        if self._crossed is not None and self._when is not None:
            self._uncross(self._when.early)
        self._when, self._last = None, None

    def _begin(self, snapshot: BookSnapshot) -> None:
        self.end()
        self._held, number = None, snapshot.sequence
        behind = [delta for delta in self._waiting if number is not None and delta.sequence > number]
        if behind and number is not None and not joins(behind[0], number):
            return  # older than what waits: another must come
        self._waiting.clear()
        self._bids, self._asks = _Side(), _Side()
        self._bids.set(snapshot.bids)
        self._asks.set(snapshot.asks)
        self._last, self._fresh, self._when = number, True, Span.of(snapshot)
        self._look(self._when.early)
        for delta in behind:
            self.delta(delta)

    def _look(self, at: int) -> None:
        bids, asks = self._bids.prices, self._asks.prices
        if bids and asks and bids[-1] >= asks[0]:
            self._crossed = at if self._crossed is None else self._crossed
        elif self._crossed is not None:
            self._uncross(at)

    def _uncross(self, at: int) -> None:
        if self._crossed is not None and at - self._crossed >= CROSSED_NS:
            self.crossings.append((self._crossed, at))
        self._crossed = None
