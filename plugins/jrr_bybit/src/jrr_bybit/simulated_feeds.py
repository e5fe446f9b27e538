"""A contract of the simulated Bybit at work, and its simple topics: trades and liquidations."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from uuid import UUID
from zlib import crc32

from attrs import Factory, define

from jrr_core.events import (
    Liquidation,
    Side,
    Trade,
)
from jrr_core.exact import plain
from jrr_core.testing import feed
from jrr_core.testing.market import Happening, Market, MarketTrade
from jrr_core.testing.truth import Truth
from jrr_core.wire import encode

from .simulated_listings import Contract

MS = 1_000_000
S = 1_000_000_000
# Docs, "All Liquidation" topic.
_LIQUIDATION_EVERY_NS = 500 * MS
# One trade in so many is an RPI order's, one a block trade.
_RPI_EVERY, _BLOCK_EVERY = 37, 211
_TAKER = {"buy": "Buy", "sell": "Sell"}


@define(eq=False)
class Trading:
    """One contract at work; `sequence` is the matching engine's number, which each step of the market moves on."""

    contract: Contract
    market: Market
    truth: Truth
    random: Random
    funding_ns: int
    sequence: int = 250_000
    feeds: list[feed.Feed] = Factory(list)

    @property
    def symbol(self) -> str:
        """Bybit's symbol."""
        return self.contract.symbol

    def happen(self, happening: Happening) -> None:
        """Number a step of the market and show it to the feeds."""
        self.sequence += 1 + int(self.random.random() * 5)
        exchange = self.contract.product.exchange
        self.truth.change_book(exchange, self.symbol, self.sequence, happening.ts, happening.bids, happening.asks)
        for topic in self.feeds:
            topic.happen(happening)

    def place(self, now_ns: int) -> tuple[str, str, int, int]:
        """Return where and when an event is: exchange, symbol, its time in whole ms, and now."""
        return self.contract.product.exchange, self.symbol, now_ns // MS * MS, now_ns


class Feed(feed.Feed):
    """One topic of one contract."""

    def __init__(self, topic: str, trading: Trading) -> None:
        """Start unheard."""
        super().__init__(trading.symbol, trading.market, trading.truth)
        self.topic = topic
        self.trading = trading

    def push(self, kind: str, data: object, now_ns: int, **more: int) -> str:
        """Return a push."""
        return encode({"topic": self.topic, "type": kind, "ts": now_ns // MS, "data": data, **more})


class TradeFeed(Feed, feed.TradeFeed):
    """`publicTrade`: what was traded since the last tick."""

    def texts(self, trades: Sequence[MarketTrade], now_ns: int) -> Iterable[str]:
        """Return one push of all."""
        return [self.push("snapshot", [self._row(trade) for trade in trades], now_ns)]

    def _name(self, trade: MarketTrade) -> str:
        """Ids are numbers on spot and UUIDs elsewhere."""
        if not self.trading.contract.product.derivative:
            return str(2_290_000_000 + trade.trade_id)
        return str(UUID(int=(crc32(self.symbol.encode()) << 96) + trade.trade_id))

    def _row(self, trade: MarketTrade) -> Mapping[str, object]:
        return {
            "T": trade.ts // MS, "s": self.symbol, "S": _TAKER[trade.side], "v": plain(trade.amount),
            "p": plain(trade.price), "L": "PlusTick", "i": self._name(trade),
            "BT": trade.trade_id % _BLOCK_EVERY == 0, "RPI": trade.trade_id % _RPI_EVERY == 0,
            "seq": self.trading.sequence,
        }  # fmt: skip

    def event(self, trade: MarketTrade) -> Trade:
        """Return what a trade means."""
        kind = (
            "block" if trade.trade_id % _BLOCK_EVERY == 0 else "rpi" if trade.trade_id % _RPI_EVERY == 0 else None
        )  # fmt: skip
        place = self.trading.place(trade.ts)
        return Trade(*place, trade.price, trade.amount, trade.side, self._name(trade), kind=kind)


class LiquidationFeed(Feed):
    """`allLiquidation`: a position closed by force, every half second."""

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Liquidate somebody."""
        if not self.listeners or now_ns - self.sent_ns < _LIQUIDATION_EVERY_NS:
            return
        side: Side = "buy" if self.trading.random.random() < 0.5 else "sell"
        price = self.market.top(self.symbol, 1)[0][0][0]
        amount = self.trading.contract.listing.lot * (1 + int(self.trading.random.random() * 1000))
        row = {
            "T": now_ns // MS, "s": self.symbol, "S": "Sell" if side == "buy" else "Buy", "v": plain(amount),
            "p": plain(price),
        }  # fmt: skip
        event = Liquidation(*self.trading.place(now_ns), price, amount, side, None)
        self.publish(self.push("snapshot", [row], now_ns), (event,), now_ns)
        self.last = None
