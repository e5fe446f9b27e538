"""The simulated Kraken's channels of one pair: what each sends, when, and what is true of it.

Numbers are JSON numbers with all the digits of the pair.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from attrs import Factory, define

from jrr_core.events import Candle, Quote, Trade
from jrr_core.exact import plain
from jrr_core.testing import feed
from jrr_core.testing.feed import Listener
from jrr_core.testing.market import Happening, Listing, Market, MarketCandle, MarketTrade
from jrr_core.testing.truth import Truth
from jrr_core.wire import Raw, encode

from .products import EXCHANGE, INTERVALS

US = 1_000
S = 1_000_000_000
# Docs, "Trade": the snapshot holds the last fifty.
_SNAPSHOT_TRADES = 50


def number(value: Decimal) -> Raw:
    """Return a number as Kraken writes it."""
    return Raw(plain(value).encode())


def time_text(ns: int, digits: int = 6) -> str:
    """Return a time as Kraken writes it."""
    whole = datetime.fromtimestamp(ns // S, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % S:09d}"[: 20 + digits] + "Z"


@define(eq=False)
class Trading:
    """One pair at work.

    `number` stands for the book as it is now: the time in whole microseconds
    of the tick in which it last changed.
    """

    listing: Listing
    market: Market
    truth: Truth
    random: Random
    number: int
    feeds: list[feed.Feed] = Factory(list)
    _bids: dict[Decimal, Decimal] = Factory(dict)
    _asks: dict[Decimal, Decimal] = Factory(dict)

    def happen(self, happening: Happening) -> None:
        """Gather a step of the market and show it to the feeds."""
        self._bids.update(happening.bids)
        self._asks.update(happening.asks)
        for topic in self.feeds:
            topic.happen(happening)

    def tick(self, now_ns: int) -> None:
        """Number what changed in this tick."""
        if self._bids or self._asks:
            self.number = max(now_ns // US * US, self.number + US)
            self.truth.change_book(
                EXCHANGE, self.listing.symbol, self.number, now_ns, self._bids.items(), self._asks.items()
            )
            self._bids.clear()
            self._asks.clear()


class Feed(feed.Feed):
    """One channel of one pair."""

    channel = ""

    def __init__(self, trading: Trading) -> None:
        """Start unheard."""
        super().__init__(trading.listing.symbol, trading.market, trading.truth)
        self.trading = trading

    def push(self, kind: str, rows: Iterable[Mapping[str, object]]) -> str:
        """Return a push."""
        data = [{"symbol": self.symbol, **row} for row in rows]
        return encode({"channel": self.channel, "type": kind, "data": data})


class TradeFeed(Feed, feed.TradeFeed):
    """`trade`: what was traded since the last tick; the last fifty to who joins."""

    channel = "trade"

    def texts(self, trades: Sequence[MarketTrade], now_ns: int) -> Iterable[str]:
        """Return one push of all."""
        return [self.push("update", [_trade_row(trade) for trade in trades])]

    def event(self, trade: MarketTrade) -> Trade:
        """Return what a trade means."""
        return trade_event(self.symbol, trade)

    def join(self, listener: Listener, now_ns: int) -> None:
        """Greet with the last fifty trades."""
        self.tick(now_ns, True)
        last = self.market.trades(self.symbol, limit=_SNAPSHOT_TRADES)
        for trade in last:
            self.truth.record(trade_event(self.symbol, trade))
        if last:
            listener.push(self.push("snapshot", [_trade_row(trade) for trade in last]))
        self.listeners[listener] = None


def _trade_row(trade: MarketTrade) -> Mapping[str, object]:
    return {
        "side": trade.side, "price": number(trade.price), "qty": number(trade.amount), "ord_type": "limit",
        "trade_id": trade.trade_id, "timestamp": time_text(trade.ts),
    }  # fmt: skip


def trade_event(symbol: str, trade: MarketTrade) -> Trade:
    """Return what a trade means."""
    ts = trade.ts // US * US
    return Trade(EXCHANGE, symbol, ts, trade.ts, trade.price, trade.amount, trade.side, str(trade.trade_id))


class TickerFeed(Feed):
    """`ticker` with event_trigger bbo: at each change of the best bid or ask."""

    channel = "ticker"
    _dirty = True

    def happen(self, happening: Happening) -> None:
        """Note a change."""
        self._dirty |= happening.top

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Tell a change."""
        if self._dirty and self.listeners:
            self._tell("update", now_ns)

    def refresh(self, now_ns: int) -> None:
        """Put the present state ready as a snapshot, the same text while nothing changes."""
        if self._dirty:
            self._tell("update", now_ns)
        if self.last is not None:
            self.last = self.last.replace('"type":"update"', '"type":"snapshot"', 1)

    def _tell(self, kind: str, now_ns: int) -> None:
        self._dirty = False
        (bid,), (ask,) = self.market.top(self.symbol, 1)
        ts = now_ns // US * US
        row = {
            "bid": number(bid[0]), "bid_qty": number(bid[1]), "ask": number(ask[0]), "ask_qty": number(ask[1]),
            "last": number(bid[0]), "volume": Raw(b"163.28908096"), "timestamp": time_text(now_ns),
        }  # fmt: skip
        self.publish(self.push(kind, [row]), [Quote(EXCHANGE, self.symbol, ts, now_ns, *bid, *ask, ts)], now_ns)


class CandleFeed(Feed):
    """`ohlc`: the candle of each trade, after each trade, at most once a tick; nothing closes one but its successor."""

    channel = "ohlc"

    def __init__(self, trading: Trading, minutes: int, now_ns: int) -> None:
        """Begin with the open candle."""
        super().__init__(trading)
        self._minutes = minutes
        self._span = minutes * 60 * S
        self._told: MarketCandle = self.market.candle(self.symbol, self._span, now_ns)
        self._dirty = self._told.trade_count > 0

    def happen(self, happening: Happening) -> None:
        """Tell the candle before, if this trade ends it, then that of the trade."""
        if happening.trade is None:
            return
        candle = self.market.candle(self.symbol, self._span, happening.ts)
        if candle is not self._told:
            if self._told.trade_count:
                self._tell(happening.ts)
                self.truth.record(candle_event(self.symbol, self._minutes, self._told, happening.ts))
            self._told = candle
        self._dirty = True

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Tell the candle of the last trade."""
        if self._dirty:
            self._tell(now_ns)

    def _tell(self, now_ns: int) -> None:
        self._dirty = False
        self.publish(self.push("update", [self._row()]), (), now_ns)

    def join(self, listener: Listener, now_ns: int) -> None:
        """Nothing is sent on joining (`snapshot` false)."""
        self.listeners[listener] = None

    def _row(self) -> Mapping[str, object]:
        candle = self._told
        prices = {
            name: number(getattr(candle, name)) for name in ("open", "high", "low", "close", "volume")
        }  # fmt: skip
        return {
            "interval": self._minutes, "interval_begin": time_text(candle.open_time, 9), **prices,
            "vwap": number(candle.close), "trades": candle.trade_count,
        }  # fmt: skip


def candle_event(symbol: str, minutes: int, candle: MarketCandle, now_ns: int) -> Candle:
    """Return what a closed candle means."""
    return Candle(
        EXCHANGE, symbol, None, now_ns, INTERVALS[minutes], candle.open_time, None, candle.open, candle.high,
        candle.low, candle.close, candle.volume, None, candle.trade_count, True,
    )  # fmt: skip
