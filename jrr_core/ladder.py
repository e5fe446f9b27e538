"""A synchronised book kept sorted, for parsers that read its best levels off it.

Prices and amounts stay the exchange's own text. It never checks that nothing
is missing between two changes: that is the parser's, by the exchange's rule.
"""

from collections.abc import Iterable

from .book_side import BookSide
from .events import BookSnapshot
from .levels import Levels

Rows = tuple[tuple[str, str], ...]


class Ladder:
    """One symbol's book, best levels first; `depths` are the numbers of levels a side that `tops` tells."""

    def __init__(self, exchange: str, symbol: str, depths: Iterable[int] = ()) -> None:
        """Start empty."""
        self._exchange = exchange
        self._symbol = symbol
        self._bids = BookSide(descending=True)
        self._asks = BookSide(descending=False)
        self._told: dict[int, object] = dict.fromkeys(depths)

    def clear(self) -> None:
        """Forget the book, so that the next `tops` tells every depth."""
        self._bids.clear()
        self._asks.clear()
        self._told = dict.fromkeys(self._told)

    def apply(self, bids: Levels, asks: Levels) -> None:
        """Set levels in their order, and remove those whose amount is zero."""
        self._bids.apply(bids)
        self._asks.apply(asks)

    def best(self, depth: int) -> tuple[Rows, Rows]:
        """Return the best `depth` (price, amount) of bids and of asks, as the exchange wrote them."""
        return tuple(self._bids.rows(depth)), tuple(self._asks.rows(depth))

    def cut(self, depth: int) -> tuple[Levels, Levels]:
        """Drop what lies beyond `depth` levels a side; return it as removals, for those who only apply deltas."""
        return Levels(self._bids.cut(depth)), Levels(self._asks.cut(depth))

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
