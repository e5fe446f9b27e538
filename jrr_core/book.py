"""An order book kept from snapshots and deltas, for those who read stored or live book events."""

from decimal import Decimal

from .events import BookDelta, BookSnapshot
from .levels import Levels


class Book:
    """One symbol's bids and asks as exact Decimals; amounts in the exchange's unit.

    `sequence` is the last one applied, None before the first snapshot.
    """

    __slots__ = ("asks", "bids", "sequence")

    def __init__(self) -> None:
        """Start empty and unsynchronised."""
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.sequence: int | None = None

    def apply(self, event: BookSnapshot | BookDelta) -> None:
        """Take a snapshot (replaces everything) or a delta (sets and removes levels).

        The caller keeps events in order; nothing is checked against
        `sequence` here, `sequence.LinkedIds` and `DenseIds` do that.
        """
        if isinstance(event, BookSnapshot):
            self.bids.clear()
            self.asks.clear()
        _set(self.bids, event.bids)
        _set(self.asks, event.asks)
        self.sequence = event.sequence

    def top(self, depth: int) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Return the best `depth` (price, amount) of bids (highest first) and asks (lowest first)."""
        bids = sorted(self.bids.items(), reverse=True)[:depth]
        return bids, sorted(self.asks.items())[:depth]

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: normal for moments, in auctions and pre-open."""
        return bool(self.bids and self.asks) and max(self.bids) >= min(self.asks)


def _set(side: dict[Decimal, Decimal], levels: Levels) -> None:
    for price, amount in levels.decimals():
        if amount:
            side[price] = amount
        else:
            side.pop(price, None)
