"""Trade ids that go up by one: a hole is a Gap, a late id that fills it is Backfilled.

Spot trades and all aggregate trades are numbered densely per symbol. Ids of one
instant may come out of order
(https://github.com/binance/binance-connector-rust/issues/92), so an id below the
highest is late or a repetition, never a break. Fetching a hole over REST starts
where the Gap is made.
"""

from collections.abc import Sequence

from jrr_core.events import Backfilled, Gap, Message, Trade
from jrr_core.sequence import DenseIds

# Holes remembered per symbol; an id that comes later than so many holes stays an unmarked late trade.
_HOLES = 32


class TradeIds:
    """The ids of one symbol's trades on one connection."""

    __slots__ = ("_holes", "_ids", "_when")

    def __init__(self) -> None:
        """Start anywhere."""
        self._ids = DenseIds()
        self._when: int | None = None
        self._holes: list[tuple[int, int]] = []

    def take(self, event: Trade, trade_id: int) -> Sequence[Message]:
        """Return the trade, behind a Gap if ids are missing before it, or with a Backfilled if it was missing."""
        known = self._ids.last
        if known is not None and trade_id <= known:
            return self._late(event, trade_id)
        broken = self._ids.take(trade_id, trade_id)
        since, self._when = self._when, event.ts_event
        if broken is None:
            return (event,)
        hole = (broken.first, broken.last)
        self._holes = [*self._holes[1 - _HOLES :], hole]
        gap = Gap(event.exchange, event.symbol, event.ts_event, event.ts_recv, event.channel, "", "sequence",
                  broken.count, since, event.ts_event, hole)  # fmt: skip
        return (gap, event)

    def skip(self, trade_id: int) -> None:
        """Note an id that is used up without a trade; behind a hole it counts with the hole, at the next trade."""
        if self._ids.last is None or trade_id == self._ids.last + 1:
            self._ids.last = trade_id

    def _late(self, event: Trade, trade_id: int) -> Sequence[Message]:
        for index, (first, last) in enumerate(self._holes):
            if first <= trade_id <= last:
                rest = [(low, high) for low, high in ((first, trade_id - 1), (trade_id + 1, last)) if low <= high]
                self._holes[index : index + 1] = rest
                filled = Backfilled(event.exchange, event.symbol, event.ts_event, event.ts_recv, event.channel, "",
                                    "late", 1, event.ts_event, event.ts_event, (trade_id, trade_id))  # fmt: skip
                return (event, filled)
        return (event,)
