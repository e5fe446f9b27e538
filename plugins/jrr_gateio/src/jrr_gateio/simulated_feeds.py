"""A contract of the simulated Gate at work, and its simple channels: trades, quotes, tickers and candles."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from random import Random

from attrs import Factory, define

from jrr_core.events import Candle, FundingRate, MarkPrice, Message, OpenInterest, Quote, Trade
from jrr_core.exact import plain
from jrr_core.testing import feed
from jrr_core.testing.market import Happening, Market, MarketCandle, MarketTrade
from jrr_core.testing.truth import Truth
from jrr_core.wire import Raw, encode

from .products import Product
from .simulated_listings import Contract

MS = 1_000_000
S = 1_000_000_000
# Docs: time between two pushes.
_QUOTE_EVERY_NS = 10 * MS
_TICKER_EVERY_NS = S
_CANDLE_EVERY_NS = 2 * S
_INTERNAL_EVERY = 53


@define(eq=False)
class Trading:
    """One contract at work; `sequence` is the number of the book, which each step of the market moves on."""

    contract: Contract
    market: Market
    truth: Truth
    random: Random
    funding_ns: int
    sequence: int = 25_847_113_075
    feeds: list[feed.Feed] = Factory(list)

    @property
    def product(self) -> Product:
        """The product it is traded on."""
        return self.contract.product

    @property
    def symbol(self) -> str:
        """Gate's symbol."""
        return self.contract.symbol

    def happen(self, happening: Happening) -> None:
        """Number a step of the market and show it to the feeds."""
        self.sequence += 1 + int(self.random.random() * 3)
        self.truth.change_book(
            self.product.exchange, self.symbol, self.sequence, happening.ts, happening.bids, happening.asks
        )
        for topic in self.feeds:
            topic.happen(happening)

    def place(self, now_ns: int) -> tuple[str, str, int, int]:
        """Return where and when an event is: exchange, symbol, its time in whole ms, and now."""
        return self.product.exchange, self.symbol, now_ns // MS * MS, now_ns


def push(product: Product, name: str, result: object, now_ns: int) -> str:
    """Return a push."""
    head = {"time": now_ns // S, "time_ms": now_ns // MS, "channel": product.channel(name), "event": "update"}
    return encode({**head, "result": result})


class Feed(feed.Feed):
    """One channel of one contract."""

    name = ""

    def __init__(self, trading: Trading) -> None:
        """Start unheard."""
        super().__init__(trading.symbol, trading.market, trading.truth)
        self.trading = trading


class TradeFeed(Feed, feed.TradeFeed):
    """`trades`: each by itself on spot, those of a tick together on futures."""

    name = "trades"

    def texts(self, trades: Sequence[MarketTrade], now_ns: int) -> Iterable[str]:
        """Return a push of each, or of all."""
        product = self.trading.product
        results = [[self._futures(row) for row in trades]] if product.futures else [self._spot(row) for row in trades]
        return [push(product, self.name, result, now_ns) for result in results]

    def _spot(self, trade: MarketTrade) -> Mapping[str, object]:
        return {
            "id": trade.trade_id, "create_time": trade.ts // S, "create_time_ms": f"{trade.ts // MS}.0",
            "side": trade.side, "currency_pair": self.symbol, "amount": plain(trade.amount),
            "price": plain(trade.price),
        }  # fmt: skip

    def _futures(self, trade: MarketTrade) -> Mapping[str, object]:
        sign = "" if trade.side == "buy" else "-"
        return {
            "size": sign + plain(trade.amount), "id": trade.trade_id, "create_time": trade.ts // S,
            "create_time_ms": trade.ts // MS, "price": plain(trade.price), "contract": self.symbol,
            **({"is_internal": True} if trade.trade_id % _INTERNAL_EVERY == 0 else {}),
        }  # fmt: skip

    def event(self, trade: MarketTrade) -> Trade:
        """Return what a trade means."""
        internal = self.trading.product.futures and trade.trade_id % _INTERNAL_EVERY == 0
        place = self.trading.place(trade.ts)
        kind = "internal" if internal else None
        return Trade(*place, trade.price, trade.amount, trade.side, str(trade.trade_id), kind=kind)


class QuoteFeed(Feed):
    """`book_ticker`: the best level of each side, at most every 10 ms, when it changed."""

    name = "book_ticker"
    _dirty = True

    def happen(self, happening: Happening) -> None:
        """Note a change."""
        self._dirty |= happening.top

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Tell a change."""
        if self._dirty and self.listeners and (at_once or now_ns - self.sent_ns >= _QUOTE_EVERY_NS):
            self.refresh(now_ns)

    def refresh(self, now_ns: int) -> None:
        """Tell the best level of each side if it changed."""
        if not self._dirty:
            return
        self._dirty = False
        (bid,), (ask,) = self.market.top(self.symbol, 1)
        trading = self.trading
        row = {
            "t": now_ns // MS, "u": trading.sequence, "s": self.symbol, "b": plain(bid[0]), "B": plain(bid[1]),
            "a": plain(ask[0]), "A": plain(ask[1]),
        }  # fmt: skip
        event = Quote(*trading.place(now_ns), *bid, *ask, trading.sequence)
        self.publish(push(trading.product, self.name, row, now_ns), (event,), now_ns)


class TickerFeed(Feed):
    """`tickers` of futures: everything once a second."""

    name = "tickers"

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Tell what is due."""
        if self.listeners and now_ns - self.sent_ns >= _TICKER_EVERY_NS:
            self._tell(now_ns)

    def refresh(self, now_ns: int) -> None:
        """Tell the present state, unless it has just been told."""
        if self.last is None or now_ns - self.sent_ns >= _TICKER_EVERY_NS:
            self._tell(now_ns)

    def _tell(self, now_ns: int) -> None:
        market, symbol, place = self.market, self.symbol, self.trading.place(now_ns)
        mark, index, size = market.mark_price(symbol), market.index_price(symbol), market.open_interest(symbol)
        rate, period = market.funding_rate(symbol), self.trading.funding_ns
        due = (now_ns // period + 1) * period
        row = {
            "contract": symbol, "last": plain(index), "mark_price": plain(mark), "index_price": plain(index),
            "funding_rate": plain(rate), "funding_rate_indicative": plain(rate), "funding_next_apply": due // S,
            "total_size": plain(size), "t": now_ns // MS,
        }  # fmt: skip
        events: list[Message] = [
            MarkPrice(*place, mark, index), FundingRate(*place, rate, due, True), OpenInterest(*place, size, None),
        ]  # fmt: skip
        self.publish(push(self.trading.product, self.name, [row], now_ns), events, now_ns)


class CandleFeed(feed.CandleFeed):
    """`candlesticks`: the open candle every 2 s, the closed one once, together with its successor.

    The fault `no-close`, read from `faults` while it lasts, is the chance that
    the closing row stays out.
    """

    every_ns = _CANDLE_EVERY_NS

    def __init__(self, trading: Trading, interval: str, span_ns: int, faults: Mapping[str, float], now_ns: int) -> None:
        """Begin with the open candle."""
        super().__init__(trading.symbol, trading.market, trading.truth, span_ns, now_ns)
        self._trading = trading
        self._interval = interval
        self._faults = faults

    def event(self, candle: MarketCandle, now_ns: int) -> Candle:
        """Return what a closed candle means."""
        return candle_event(self._trading, self._interval, candle, now_ns // MS * MS, now_ns)

    def text(self, candles: Sequence[tuple[MarketCandle, bool]], now_ns: int) -> str:
        """Return a push."""
        chance = self._faults.get("no-close", 0.0)
        kept = [row for row in candles if not (row[1] and chance and self._trading.random.random() < chance)]
        rows = [
            {**candle_row(self._trading.product, candle), "n": f"{self._interval}_{self.symbol}", "w": closed}
            for candle, closed in kept
        ]
        product = self._trading.product
        if product.futures:
            return push(product, "candlesticks", rows, now_ns)
        return push(product, "candlesticks", rows[0] if len(rows) == 1 else rows, now_ns)


def candle_row(product: Product, candle: MarketCandle) -> Mapping[str, object]:
    """Return a candle as pushes have it, and REST of futures."""
    prices = {name[0]: plain(getattr(candle, name)) for name in ("open", "high", "low", "close")}
    opened = candle.open_time // S
    if product.futures:
        return {"t": opened, "v": Raw(plain(candle.volume).encode()), **prices}
    return {"t": str(opened), "v": plain(candle.quote_volume), "a": plain(candle.volume), **prices}


def candle_event(trading: Trading, interval: str, candle: MarketCandle, ts_event: int | None, now_ns: int) -> Candle:
    """Return what a closed candle means; REST tells no time of its own (`ts_event` None)."""
    quote_volume: Decimal | None = None if trading.product.futures else candle.quote_volume
    return Candle(
        trading.product.exchange, trading.symbol, ts_event, now_ns, interval, candle.open_time, None, candle.open,
        candle.high, candle.low, candle.close, candle.volume, quote_volume, None, True,
    )  # fmt: skip
