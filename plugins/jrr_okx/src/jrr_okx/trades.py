"""Continuity of one instrument's trades, by their ids.

A row of `trades` covers the ids tradeId - count + 1 .. tradeId, one of
`trades-all` just tradeId; together they leave none out. The first push
answers the subscribing with the last known trade and says nothing about what
was before; ids at or below the highest seen are repeats and no break.
"""

from collections.abc import Sequence

from jrr_core.errors import ParseError
from jrr_core.events import Gap, Message, Trade
from jrr_core.sequence import DenseIds

from .messages import Payload, trades, whole
from .products import EXCHANGE


class TradeStream:
    """The trades of one instrument on one connection; `space` is the id_space of its events."""

    __slots__ = ("_ids", "_last", "_space", "_symbol")

    def __init__(self, symbol: str, space: str | None) -> None:
        """Start before the first push."""
        self._symbol = symbol
        self._space = space
        self._ids = DenseIds()
        self._last: Trade | None = None

    def receive(self, payload: Payload, ts_recv: int) -> Sequence[Message]:
        """Return the trades of a push, each Gap before the trade that showed it; raises ParseError."""
        found = trades(self._symbol, self._space, payload, ts_recv)
        numbered = [(_covered(trade), trade) for trade in found]
        if len(numbered) > 1:
            numbered.sort(key=lambda pair: pair[0])
        events: list[Message] = []
        for (first, last), trade in numbered:
            gap = self._follow(first, last, trade)
            if gap is not None:
                events.append(gap)
            events.append(trade)
        return events

    def _follow(self, first: int, last: int, trade: Trade) -> Gap | None:
        before = self._last
        if last > (self._ids.last or -1):
            self._last = trade
        missing = self._ids.take(first, last)
        if missing is None:
            return None
        return Gap(
            EXCHANGE,
            self._symbol,
            trade.ts_event,
            trade.ts_recv,
            what="trade",
            session="",
            reason="trade ids were skipped",
            count=missing.count,
            ts_from=before.ts_event if before is not None else None,
            ts_to=trade.ts_event,
            sequences=(missing.first, missing.last),
        )


def _covered(trade: Trade) -> tuple[int, int]:
    last = whole(trade.trade_id)
    if not 1 <= trade.count <= last + 1:
        raise ParseError(f"trade {trade.trade_id} cannot be made of {trade.count} fills")
    return last - trade.count + 1, last
