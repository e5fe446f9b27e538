"""A synchronised book kept sorted, for parsers that read its best levels off it.

Prices and amounts stay the exchange's own text. It never checks that nothing
is missing between two changes: that is the parser's, by the exchange's rule.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal

from .events import BookSnapshot
from .levels import Levels

Rows = tuple[tuple[str, str], ...]


class Ladder:
    """One symbol's book, best levels first; `depths` are the numbers of levels a side that `tops` tells."""

    def __init__(self, exchange: str, symbol: str, depths: Iterable[int] = ()) -> None:
        """Start empty."""
        self._exchange = exchange
        self._symbol = symbol
        self._bids = _Side(ascending=False)
        self._asks = _Side(ascending=True)
        self._told: dict[int, object] = dict.fromkeys(depths)

    def clear(self) -> None:
        """Forget the book, so that the next `tops` tells every depth."""
        self._bids.clear()
        self._asks.clear()
        self._told = dict.fromkeys(self._told)

    def apply(self, bids: Levels, asks: Levels) -> None:
        """Set levels in their order, and remove those whose amount is zero."""
        for price, amount in bids:
            self._bids.set(price, amount)
        for price, amount in asks:
            self._asks.set(price, amount)

    def best(self, depth: int) -> tuple[Rows, Rows]:
        """Return the best `depth` (price, amount) of bids and of asks, as the exchange wrote them."""
        return self._bids.best(depth), self._asks.best(depth)

    def cut(self, depth: int) -> tuple[Levels, Levels]:
        """Drop what lies beyond `depth` levels a side; return it as removals, for those who only apply deltas."""
        return self._bids.cut(depth), self._asks.cut(depth)

    def tops(self, ts_event: int | None, ts_recv: int, sequence: int | None) -> list[BookSnapshot]:
        """Return the best levels of each depth that changed since they were last told."""
        events = []
        for depth, told in self._told.items():
            now = self.best(depth)
            if now != told:
                self._told[depth] = now
                bids, asks = (Levels(side) for side in now)
                events.append(
                    BookSnapshot(self._exchange, self._symbol, ts_event, ts_recv, bids, asks, depth, sequence)
                )
        return events


class _Side:
    """One side of a book, best price first: keys ascend, those of bids are negated."""

    __slots__ = ("_ascending", "_keys", "_rows")

    def __init__(self, ascending: bool) -> None:
        self._ascending = ascending
        self._keys: list[Decimal] = []
        self._rows: dict[Decimal, tuple[str, str]] = {}

    def clear(self) -> None:
        self._keys.clear()
        self._rows.clear()

    def set(self, price: str, amount: str) -> None:
        key = Decimal(price) if self._ascending else Decimal(price).copy_negate()
        if Decimal(amount):
            if key not in self._rows:
                insort(self._keys, key)
            self._rows[key] = (price, amount)
        elif self._rows.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def best(self, depth: int) -> Rows:
        return tuple([self._rows[key] for key in self._keys[:depth]])

    def cut(self, depth: int) -> Levels:
        beyond = self._keys[depth:]
        if not beyond:
            return _NOTHING
        del self._keys[depth:]
        return Levels([(self._rows.pop(key)[0], "0") for key in beyond])


_NOTHING = Levels()
