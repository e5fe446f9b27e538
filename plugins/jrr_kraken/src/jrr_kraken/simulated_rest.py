"""The simulated Kraken's REST answers: `{"error":[],"result":{..}}`; errors come with HTTP 200.

What a client may fetch is offered to the truth. The fault `rest_limit` strikes
the first requests, and again the first ones after each connection that ends, so
that it meets what a client fetches to mend the loss.
"""

from collections.abc import Callable, Mapping, Sequence

from jrr_core.exact import plain
from jrr_core.instrument import Instrument
from jrr_core.testing.feed_script import Strikes
from jrr_core.testing.market import Listing, MarketCandle
from jrr_core.testing.script import Reply
from jrr_core.wire import Raw, encode

from .instruments import rest_pair
from .products import EXCHANGE, INTERVALS, MOST_CANDLES, MOST_TRADES
from .simulated_feeds import S, Trading, candle_event, trade_event

Query = Mapping[str, str]
_NEVER = 1 << 62


class _Wrong(Exception):  # noqa: N818 - says what it is to the client
    """A request that Kraken refuses, in its words."""


class Rest:
    """Answers GETs from the market; knows every pair by its REST name."""

    def __init__(self, tradings: Mapping[str, Trading], refused: int) -> None:
        """Take what is traded by symbol, and how many requests are refused."""
        self._tradings = {rest_pair(symbol): trading for symbol, trading in tradings.items()}
        self._strikes = Strikes(refused)
        self._routes: Mapping[str, Callable[[Query, int], Mapping[str, object]]] = {
            "/0/public/Time": lambda _, now_ns: {"unixtime": now_ns // S},
            "/0/public/AssetPairs": self._pairs,
            "/0/public/Trades": self._trades,
            "/0/public/OHLC": self._candles,
        }

    def strike_again(self) -> None:
        """Let the fault meet the next requests as it met the first."""
        self._strikes.again()

    def heal(self) -> None:
        """Answer properly from now on."""
        self._strikes.end()

    def get(self, path: str, query: Query, now_ns: int) -> Reply:
        """Answer one request, or refuse it as Kraken does."""
        route = self._routes.get(path)
        if route is None:
            return Reply(404, encode({"error": ["EGeneral:Unknown method"]}))
        if self._strikes.hits():
            return Reply(200, encode({"error": ["EAPI:Rate limit exceeded"], "result": {}}))
        try:
            return Reply(200, encode({"error": [], "result": route(query, now_ns)}))
        except _Wrong as wrong:
            return Reply(200, encode({"error": [str(wrong)]}))

    def _pairs(self, query: Query, now_ns: int) -> Mapping[str, object]:
        """List all pairs."""
        for trading in self._tradings.values():
            trading.truth.offer(instrument(trading.listing))
        return {f"X{name}": _pair(name, trading.listing) for name, trading in self._tradings.items()}

    def _one(self, query: Query) -> Trading:
        trading = self._tradings.get(query.get("pair", ""))
        if trading is None:
            raise _Wrong("EQuery:Unknown asset pair")
        return trading

    def _trades(self, query: Query, now_ns: int) -> Mapping[str, object]:
        """List trades behind a time, oldest first."""
        trading, since = self._one(query), _number(query, "since")
        count = max(1, min(_number(query, "count", MOST_TRADES), MOST_TRADES))
        found = [row for row in trading.market.trades(trading.listing.symbol, limit=_NEVER) if row.ts > since][:count]
        for trade in found:
            trading.truth.offer(trade_event(trading.listing.symbol, trade))
        rows = [
            [plain(row.price), plain(row.amount), _seconds(row.ts), row.side[0], "l", "", row.trade_id] for row in found
        ]
        return {f"X{query['pair']}": rows, "last": str(found[-1].ts if found else since)}

    def _candles(self, query: Query, now_ns: int) -> Mapping[str, object]:
        """List the last candles behind a time, the open one among them, without those that had no trades."""
        trading, since, minutes = self._one(query), _number(query, "since"), _number(query, "interval", 1)
        if minutes not in INTERVALS:
            raise _Wrong("EGeneral:Invalid arguments:interval")
        symbol, span = trading.listing.symbol, minutes * 60 * S
        closed = trading.market.closed_candles(symbol, span, -1, now_ns)
        kept = [*closed, trading.market.candle(symbol, span, now_ns)][-MOST_CANDLES:]
        candles = [candle for candle in kept if candle.open_time > since * S and candle.trade_count]
        for candle in candles:
            if candle.close_time <= now_ns:
                trading.truth.offer(candle_event(symbol, minutes, candle, now_ns))
        rows = [_candle_row(candle) for candle in candles]
        last = closed[-1].open_time // S if closed else 0
        return {f"X{query['pair']}": rows, "last": last}


def _candle_row(candle: MarketCandle) -> Sequence[object]:
    prices = [candle.open, candle.high, candle.low, candle.close]
    texts = [plain(number) for number in (*prices, candle.close, candle.volume)]
    return [candle.open_time // S, *texts, candle.trade_count]


def _seconds(ns: int) -> Raw:
    return Raw(f"{ns // S}.{ns % S // 100:07d}".encode())


def _number(query: Query, name: str, default: int = 0) -> int:
    text = query.get(name) or str(default)
    if not text.lstrip("-").isdecimal() or not text.isascii() or len(text) > 19:
        raise _Wrong(f"EGeneral:Invalid arguments:{name}")
    return int(text)


def _pair(name: str, listing: Listing) -> Mapping[str, object]:
    base, quote = listing.symbol.split("/")
    ours, theirs = rest_pair(f"{base}/"), rest_pair(f"{quote}/")
    return {
        "altname": name, "wsname": f"{ours}/{theirs}", "base": f"X{ours}", "quote": f"Z{theirs}",
        "pair_decimals": -int(listing.tick.as_tuple().exponent), "lot_decimals": -int(listing.lot.as_tuple().exponent),
        "tick_size": plain(listing.tick), "ordermin": "0.0001", "status": "online",
    }  # fmt: skip


def instrument(listing: Listing) -> Instrument:
    """Return what a client should make of a pair's row."""
    base, _, quote = listing.symbol.partition("/")
    return Instrument(
        EXCHANGE, listing.symbol, base, quote, None, "spot", listing.tick, listing.lot, None, None, f"{base}-{quote}",
        None, "online",
    )  # fmt: skip
