"""The simulated OKX's trades: pushed as they happen, merged or one by one, and as REST lists them afterwards."""

from collections.abc import Mapping
from decimal import Decimal

from attrs import define

from jrr_core.events import Side, Trade
from jrr_core.exact import plain
from jrr_core.testing.market import Happening, MarketTrade

from .products import EXCHANGE
from .simulated_feed import MS, Feed, Trading

# One trade in so many is an RPI order's.
_RPI_EVERY = 37


def is_rpi(trade_id: int) -> bool:
    """Whether a fill is an RPI order's."""
    return trade_id % _RPI_EVERY == 0


@define
class _Fills:
    """Fills of one taker at one price and source."""

    price: Decimal
    amount: Decimal
    side: Side
    last_id: int
    ts_ns: int
    rpi: bool
    sequence: int
    count: int = 1


class TradeFeed(Feed):
    """`trades` merges the fills that came together; `trades-all` sends each. A new subscriber first gets the last.

    What is traded is noted in the truth also while nobody is subscribed: a
    client that was here once can fetch it.
    """

    def __init__(self, channel: str, trading: Trading) -> None:
        super().__init__(channel, trading)
        self._told: Trade | None = None
        self._merging = channel == "trades"
        self._fills: _Fills | None = None
        for trade in trading.market.trades(self.symbol, limit=1):
            self._take(Happening(self.symbol, trade.ts, trade, [], [], False))

    def happen(self, happening: Happening) -> None:
        if happening.trade is not None:
            self._take(happening)

    def _take(self, happening: Happening) -> None:
        trade, open_ = happening.trade, self._fills
        assert trade is not None
        rpi = is_rpi(trade.trade_id)
        same = open_ is not None and (open_.price, open_.side, open_.ts_ns, open_.rpi) == (
            trade.price, trade.side, trade.ts, rpi,
        )  # fmt: skip
        if open_ is not None and same and self._merging:
            open_.amount += trade.amount
            open_.last_id = trade.trade_id
            open_.count += 1
            return
        self._flush()
        self._fills = _Fills(
            trade.price, trade.amount, trade.side, trade.trade_id, trade.ts, rpi, self.trading.sequence
        )

    def tick(self, now_ns: int, at_once: bool) -> None:
        self._flush()

    def refresh(self, now_ns: int) -> None:
        self._flush()

    def _flush(self) -> None:
        fills, self._fills = self._fills, None
        if fills is None:
            return
        ms = fills.ts_ns // MS
        merged = f',"count":"{fills.count}","seqId":{fills.sequence}' if self._merging else ""
        body = (
            f'"data":[{{"instId":"{self.symbol}","tradeId":"{fills.last_id}","px":"{plain(fills.price)}",'
            f'"sz":"{plain(fills.amount)}","side":"{fills.side}","ts":"{ms}","source":"{int(fills.rpi)}"{merged}}}]'
        )
        self._told = Trade(
            EXCHANGE, self.symbol, ms * MS, fills.ts_ns, fills.price, fills.amount, fills.side, str(fills.last_id),
            fills.count, "rpi" if fills.rpi else None, None if self._merging else "fill",
        )  # fmt: skip
        self.publish(body, (self._told,), fills.ts_ns)


def fill_row(trading: Trading, trade: MarketTrade) -> Mapping[str, str]:
    """Return a fill as REST lists it: each by itself, without a count."""
    return {
        "instId": trading.contract.symbol, "tradeId": str(trade.trade_id), "px": plain(trade.price),
        "sz": plain(trade.amount), "side": trade.side, "source": str(int(is_rpi(trade.trade_id))),
        "ts": str(trade.ts // MS),
    }  # fmt: skip


def offer_fill(trading: Trading, trade: MarketTrade, now_ns: int) -> None:
    """Note that a client may have fetched a fill, for either of the two trade channels."""
    for space in (None, "fill"):
        trading.truth.offer(
            Trade(
                EXCHANGE, trading.contract.symbol, trade.ts // MS * MS, now_ns, trade.price, trade.amount, trade.side,
                str(trade.trade_id), 1, "rpi" if is_rpi(trade.trade_id) else None, space,
            )
        )  # fmt: skip
