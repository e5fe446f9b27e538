"""Bybit as a simulator: its sockets and REST API, spoken by the rules of its documentation.

Served are all topics the plugin reads, for the contracts of
`simulated_listings`; one bad topic fails its whole request. The books hold
some 200 levels a side (Bybit: up to 1,000), funding rates drift faster than
Bybit's, liquidations come twice a second. Candles of months are not served.
"""

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from jrr_core.testing.feed import Feed
from jrr_core.testing.feed_script import Door, FeedScript, fault_rates
from jrr_core.testing.market import Listing, Market
from jrr_core.testing.script import Bounds, Peer, Reply
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


class _Script(FeedScript[Trading]):
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
        rates = fault_rates(faults, "gap")
        self.spot = not self.product.derivative
        self._random = Random(len(market.listings))
        contracts = {contract.symbol: contract for contract in CONTRACTS[self.product]}
        funding_ns = max(1, int(rates.get("funding-every", 8 * 3600))) * S
        tradings = {
            listing.symbol: Trading(contracts[listing.symbol], market, truth, self._random, funding_ns)
            for listing in market.listings
        }
        for symbol, trading in tradings.items():
            truth.begin_book(self.exchange, symbol, trading.sequence, now_ns, *market.book(symbol))
        super().__init__(rates, tradings, Rest(self.product, tradings, int(rates.get("rest_403", 0))))
        self._door = Door(_CONNECTS, _CONNECTS_NS)

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept a connection to the product's path, unless there were too many."""
        if path != f"/v5/public/{self.product.category}":
            return Reply(404)
        if not self._door.opens(now_ns):
            return Reply(403)
        late_ns = int(self._rates.get("late-ack", 0) * S)
        peer = BybitPeer(self, f"{self._random.getrandbits(64):016x}", late_ns, now_ns)
        return self.admit(peer)

    def feed(self, topic: str, now_ns: int) -> Feed | str:
        """Return the feed of a topic, made on first use, or the words in which the topic is refused."""
        known = self.known(topic)
        if known is not None:
            return known
        read = read_topic(topic)
        if read is None or (self.spot and read.kind in ("tickers", "allLiquidation")):
            return f"error:handler not found,topic:{topic}"
        trading = self._tradings.get(read.symbol)
        made = None if trading is None else self._make(read, trading, now_ns)
        if trading is None or made is None:
            return f"Invalid topic: {topic}"
        return self.open(topic, made)

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
