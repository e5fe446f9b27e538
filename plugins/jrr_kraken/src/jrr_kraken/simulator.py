"""Kraken's spot market as a simulator: its v2 socket and its REST API, spoken by the rules of its documentation.

Served are the channels trade, book, ticker (bbo) and ohlc. The books hold some
200 levels a side; candles come at most every 5 ms.
"""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any, ClassVar

from jrr_core.errors import ConfigError
from jrr_core.testing.market import Happening, Listing, Market
from jrr_core.testing.script import Bounds, Peer, Reply, fault_number
from jrr_core.testing.truth import Truth

from .products import BOOK_DEPTHS, EXCHANGE, INTERVALS, WS_PATH
from .simulated_books import BookFeed
from .simulated_feeds import US, CandleFeed, Feed, S, TickerFeed, TradeFeed, Trading
from .simulated_peer import KrakenPeer
from .simulated_rest import Rest

# Docs, "Reconnection": about 150 attempts in 10 minutes per IP.
_CONNECTS, _CONNECTS_NS = 150, 600 * S


class KrakenScript:
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
        self._rates = {name: value for name in faults if (value := fault_number(faults, name)) is not None}
        for name in ("gap", "checksum"):
            if self._rates.get(name, 0.0) > 1:
                raise ConfigError(f"fault {name}={faults[name]} needs a chance between 0 and 1")
        self._random = Random(len(market.listings))
        start = now_ns // US * US
        self._tradings = {
            listing.symbol: Trading(listing, market, truth, self._random, start) for listing in market.listings
        }
        for symbol in self._tradings:
            truth.begin_book(EXCHANGE, symbol, start, now_ns, *market.book(symbol))
        self._feeds: dict[tuple[str, int, str], Feed] = {}
        self._peers: dict[KrakenPeer, None] = {}
        self._rest = Rest(self._tradings, int(self._rates.get("rest_limit", 0)))
        self._connects: list[int] = []
        self._finished = False

    def heal(self, now_ns: int) -> None:
        """End the faults."""
        self._rates.clear()
        for peer in self._peers:
            peer.late_ns = 0
        self._rest.heal()

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept a connection, unless there were too many."""
        if path != WS_PATH:
            return Reply(404)
        self._connects = [moment for moment in self._connects if now_ns - moment < _CONNECTS_NS]
        if len(self._connects) >= _CONNECTS:
            return Reply(429)
        self._connects.append(now_ns)
        peer = KrakenPeer(self, self._random.getrandbits(48), int(self._rates.get("late-ack", 0) * S), now_ns)
        self._peers[peer] = None
        return peer

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        """Forget a connection and its subscriptions."""
        assert isinstance(peer, KrakenPeer)
        self._peers.pop(peer, None)
        peer.leave()
        self._rest.strike_again()

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        """Answer REST."""
        return self._rest.get(path, query, now_ns)

    def happen(self, happening: Happening) -> None:
        """Show a step of the market to the feeds of its symbol."""
        self._tradings[happening.symbol].happen(happening)

    def tick(self, now_ns: int) -> None:
        """Send what is due and look after the connections."""
        if not self._finished:
            self._send(now_ns, False)
        for peer in self._peers:
            peer.tick(now_ns)

    def finish(self, now_ns: int) -> None:
        """Flush every feed and let them rest; connections are kept."""
        self._send(now_ns, True)
        self._finished = True

    def _send(self, now_ns: int, at_once: bool) -> None:
        for trading in self._tradings.values():
            trading.tick(now_ns)
        for feed in self._feeds.values():
            feed.tick(now_ns, at_once)

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
        known = self._feeds.get((channel, detail, symbol))
        if known is None:
            known = self._feeds[channel, detail, symbol] = self._make(channel, detail, trading, now_ns)
            trading.feeds.append(known)
        return known

    def _make(self, channel: str, detail: int, trading: Trading, now_ns: int) -> Feed:
        if channel == "book":
            return BookFeed(trading, detail, self._rates)
        if channel == "ohlc":
            return CandleFeed(trading, detail, now_ns)
        return TradeFeed(trading) if channel == "trade" else TickerFeed(trading)
