"""Kraken's spot market as a simulator: its v2 socket and its REST API, spoken by the rules of its documentation.

Served are the channels trade, book, ticker (bbo) and ohlc. The books hold some
200 levels a side; candles come at most every 5 ms.
"""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any, ClassVar

from jrr_core.testing.feed import Feed
from jrr_core.testing.feed_script import Door, FeedScript, fault_rates
from jrr_core.testing.market import Listing, Market
from jrr_core.testing.script import Bounds, Peer, Reply
from jrr_core.testing.truth import Truth

from .products import BOOK_DEPTHS, EXCHANGE, INTERVALS, WS_PATH
from .simulated_books import BookFeed
from .simulated_feeds import US, CandleFeed, S, TickerFeed, TradeFeed, Trading
from .simulated_peer import KrakenPeer
from .simulated_rest import Rest

# Docs, "Reconnection": about 150 attempts in 10 minutes per IP.
_CONNECTS, _CONNECTS_NS = 150, 600 * S


class KrakenScript(FeedScript[Trading]):
    """The simulated exchange: feeds by channel and symbol, connections, faults."""

    exchange: ClassVar[str] = EXCHANGE
    listings: ClassVar[tuple[Listing, ...]] = (
        Listing("BTC/USD", Decimal("64000.0"), Decimal("0.1"), Decimal("0.00000001")),
        Listing("ETH/USD", Decimal("3100.00"), Decimal("0.01"), Decimal("0.00000001")),
    )
    faults: ClassVar[Mapping[str, str]] = {
        "gap": "Chance that an update of a book's ten best levels alone is lost; the next checksum then disagrees.",
        "checksum": "Chance that a checksum of a book is wrong.",
        "late-ack": "Seconds by which the answer to a subscribe comes after its first data.",
        "rest_limit": "How many REST requests are refused for their rate; again after each connection's end.",
    }
    plausible: ClassVar[Mapping[str, Bounds]] = {
        "gap": (0.005, 0.05),
        "checksum": (0.001, 0.01),
        "late-ack": (0.1, 1.0),
        "rest_limit": (1, 3),
    }
    demo: ClassVar[tuple[str, ...]] = ("kraken:trade:BTC/USD", "kraken:quote:BTC/USD", "kraken:book:BTC/USD")

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        """Start at `now_ns`; raises ConfigError for a fault that is not a number."""
        rates = fault_rates(faults, "gap", "checksum")
        self._random = Random(len(market.listings))
        start = now_ns // US * US
        tradings = {listing.symbol: Trading(listing, market, truth, self._random, start) for listing in market.listings}
        for symbol in tradings:
            truth.begin_book(EXCHANGE, symbol, start, now_ns, *market.book(symbol))
        super().__init__(rates, tradings, Rest(tradings, int(rates.get("rest_limit", 0))))
        self._door = Door(_CONNECTS, _CONNECTS_NS)

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept a connection, unless there were too many."""
        if path != WS_PATH:
            return Reply(404)
        if not self._door.opens(now_ns):
            return Reply(429)
        peer = KrakenPeer(self, self._random.getrandbits(48), int(self._rates.get("late-ack", 0) * S), now_ns)
        return self.admit(peer)

    def send(self, now_ns: int, at_once: bool) -> None:
        """Number what changed before the feeds tell it."""
        for trading in self._tradings.values():
            trading.tick(now_ns)
        super().send(now_ns, at_once)

    def feed(self, parameters: Mapping[str, Any], symbol: str, now_ns: int) -> Feed | str:
        """Return the feed of a channel and symbol, made on first use, or the words in which it is refused."""
        channel = parameters.get("channel")
        details = {"book": parameters.get("depth", 10), "ohlc": parameters.get("interval", 1)}
        detail = details.get(channel, 0) if isinstance(channel, str) else 0
        trading = self._tradings.get(symbol)
        if trading is None:
            return "Currency pair not supported"
        if channel not in ("trade", "ticker", "book", "ohlc"):
            return f"Channel not supported: {str(channel)[:20]}"
        if channel == "book" and detail not in BOOK_DEPTHS:
            return "Subscription depth not supported"
        if channel == "ohlc" and detail not in INTERVALS:
            return "Subscription ohlc interval not supported"
        name = channel, detail, symbol
        return self.known(name) or self.open(name, self._make(channel, detail, trading, now_ns))

    def _make(self, channel: str, detail: int, trading: Trading, now_ns: int) -> Feed:
        if channel == "book":
            return BookFeed(trading, detail, self._rates)
        if channel == "ohlc":
            return CandleFeed(trading, detail, now_ns)
        return TradeFeed(trading) if channel == "trade" else TickerFeed(trading)
