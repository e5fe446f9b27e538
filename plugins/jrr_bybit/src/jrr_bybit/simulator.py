"""Bybit as a simulator: its sockets and REST API, spoken by the rules of its documentation.

Served are all topics the plugin reads, for the contracts of
`simulated_listings`; one bad topic fails its whole request. The books hold
some 200 levels a side (Bybit: up to 1,000), funding rates drift faster than
Bybit's, liquidations come twice a second. Candles of months are not served.
"""

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from jrr_core.errors import ConfigError
from jrr_core.testing.feed import Feed
from jrr_core.testing.market import Happening, Listing, Market
from jrr_core.testing.script import Bounds, Peer, Reply, fault_number
from jrr_core.testing.truth import Truth

from .products import INVERSE, LINEAR, NATIVE_INTERVALS, SPOT, Product
from .simulated_books import BookFeed, QuoteFeed
from .simulated_candles import CandleFeed
from .simulated_feeds import LiquidationFeed, S, TradeFeed, Trading
from .simulated_listings import CONTRACTS
from .simulated_peer import BybitPeer
from .simulated_rest import Rest, interval_ns
from .simulated_tickers import TickerFeed
from .topics import Topic, read_topic

# Docs, "Connect": 500 new connections in 5 minutes per IP and domain.
_CONNECTS, _CONNECTS_NS = 500, 300 * S


class _Script:
    """One product as the exchange serves it: feeds by topic, connections, faults."""

    exchange: ClassVar[str]
    product: ClassVar[Product]
    listings: ClassVar[tuple[Listing, ...]]
    faults: ClassVar[Mapping[str, str]] = {
        "gap": "Chance that an update of a book is lost; the next one then has a `u` two higher.",
        "restart": "Seconds between two restarts of the service: every book begins again with `u` 1.",
        "late-ack": "Seconds by which the answer to a subscribe comes after its first data.",
        "rest_403": "How many REST requests are answered 403, too frequent; again after each connection's end.",
        "funding-every": "Seconds between two settlements of funding, instead of 8 hours.",
    }
    plausible: ClassVar[Mapping[str, Bounds]] = {
        "gap": (0.005, 0.05),
        "restart": (1.0, 5.0),
        "late-ack": (0.1, 1.0),
        "rest_403": (1, 3),
    }
    demo: ClassVar[tuple[str, ...]] = ()

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        """Start at `now_ns`; raises ConfigError for a fault that is not a number."""
        self._rates = {name: number for name in faults if (number := fault_number(faults, name)) is not None}
        if self._rates.get("gap", 0.0) > 1:
            raise ConfigError(f"fault gap={faults['gap']} needs a chance between 0 and 1")
        self.spot = not self.product.derivative
        self._random = Random(len(market.listings))
        contracts = {contract.symbol: contract for contract in CONTRACTS[self.product]}
        funding_ns = max(1, int(self._rates.get("funding-every", 8 * 3600))) * S
        self._tradings = {
            listing.symbol: Trading(contracts[listing.symbol], market, truth, self._random, funding_ns)
            for listing in market.listings
        }
        for symbol, trading in self._tradings.items():
            truth.begin_book(self.exchange, symbol, trading.sequence, now_ns, *market.book(symbol))
        self._feeds: dict[str, Feed] = {}
        self._peers: dict[BybitPeer, None] = {}
        self._rest = Rest(self.product, self._tradings, int(self._rates.get("rest_403", 0)))
        self._connects: list[int] = []
        self._finished = False

    def heal(self, now_ns: int) -> None:
        """End the faults."""
        self._rates.clear()
        for peer in self._peers:
            peer.late_ns = 0
        self._rest.heal()

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept a connection to the product's path, unless there were too many."""
        if path != f"/v5/public/{self.product.category}":
            return Reply(404)
        self._connects = [moment for moment in self._connects if now_ns - moment < _CONNECTS_NS]
        if len(self._connects) >= _CONNECTS:
            return Reply(403)
        self._connects.append(now_ns)
        late_ns = int(self._rates.get("late-ack", 0) * S)
        peer = BybitPeer(self, f"{self._random.getrandbits(64):016x}", late_ns, now_ns)
        self._peers[peer] = None
        return peer

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        """Forget a connection and its topics."""
        assert isinstance(peer, BybitPeer)
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
            for feed in self._feeds.values():
                feed.tick(now_ns, False)
        for peer in self._peers:
            peer.tick(now_ns)

    def finish(self, now_ns: int) -> None:
        """Flush every feed and let them rest; connections are kept."""
        for feed in self._feeds.values():
            feed.tick(now_ns, True)
        self._finished = True

    def feed(self, topic: str, now_ns: int) -> Feed | str:
        """Return the feed of a topic, made on first use, or the words in which the topic is refused."""
        known = self._feeds.get(topic)
        if known is not None:
            return known
        read = read_topic(topic)
        if read is None or (self.spot and read.kind in ("tickers", "allLiquidation")):
            return f"error:handler not found,topic:{topic}"
        trading = self._tradings.get(read.symbol)
        made = None if trading is None else self._make(read, trading, now_ns)
        if trading is None or made is None:
            return f"Invalid topic: {topic}"
        trading.feeds.append(made)
        self._feeds[topic] = made
        return made

    def _make(self, topic: Topic, trading: Trading, now_ns: int) -> Feed | None:
        if topic.kind == "kline":
            span = interval_ns(topic.interval)
            native = NATIVE_INTERVALS[topic.interval]
            return None if span is None else CandleFeed(topic.text, trading, topic.interval, native, span, now_ns)
        if topic.kind == "orderbook" and topic.depth == 1:
            return QuoteFeed(topic.text, trading)
        if topic.kind == "orderbook":
            return BookFeed(topic.text, trading, topic.depth or 0, self._rates, now_ns)
        kinds = {"publicTrade": TradeFeed, "tickers": TickerFeed, "allLiquidation": LiquidationFeed}
        return kinds[topic.kind](topic.text, trading)


class SpotScript(_Script):
    """Spot."""

    exchange = SPOT.exchange
    product = SPOT
    listings = tuple(contract.listing for contract in CONTRACTS[SPOT])


class LinearScript(_Script):
    """Contracts settled in USDT and USDC."""

    exchange = LINEAR.exchange
    product = LINEAR
    listings = tuple(contract.listing for contract in CONTRACTS[LINEAR])
    demo: ClassVar[tuple[str, ...]] = (
        "bybit-linear:trade:BTCUSDT", "bybit-linear:quote:BTCUSDT", "bybit-linear:book:BTCUSDT",
    )  # fmt: skip


class InverseScript(_Script):
    """Contracts settled in coins."""

    exchange = INVERSE.exchange
    product = INVERSE
    listings = tuple(contract.listing for contract in CONTRACTS[INVERSE])
