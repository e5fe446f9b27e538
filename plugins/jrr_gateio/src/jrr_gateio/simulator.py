"""Gate as a simulator: spot and USDT futures, their sockets and REST API, spoken by the rules of its documentation.

Served are all channels the plugin reads. The books hold some 200 levels a side
(Gate: up to 400); an unknown symbol of `obu` is acknowledged and stays silent,
as at Gate.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from jrr_core.testing.feed import Feed
from jrr_core.testing.feed_script import FeedScript, fault_rates
from jrr_core.testing.market import Listing, Market
from jrr_core.testing.script import Bounds, Peer, Reply
from jrr_core.testing.truth import Truth

from .products import BOOK_DEPTHS, FUTURES, INTERVALS, SPOT, Product
from .simulated_books import DiffFeed, ObuFeed
from .simulated_feeds import CandleFeed, QuoteFeed, S, TickerFeed, TradeFeed, Trading
from .simulated_listings import CONTRACTS
from .simulated_peer import GatePeer
from .simulated_rest import Rest, interval_ns


class _Script(FeedScript[Trading]):
    """One product as the exchange serves it: feeds by channel and payload, connections, faults."""

    exchange: ClassVar[str]
    product: Product
    listings: ClassVar[tuple[Listing, ...]]
    faults: ClassVar[Mapping[str, str]] = {
        "gap": "Chance that an update of a book is lost; the next one then does not begin behind the last.",
        "no-close": "Chance that the row that closes a candle stays out.",
        "late-ack": "Seconds by which the answer to a subscribe comes after its first data.",
        "notice": "Seconds after which a connection is told of an upgrade.",
        "rest_429": "How many REST requests are answered 429; again after each connection's end.",
        "funding-every": "Seconds between two settlements of funding, instead of 8 hours.",
    }
    plausible: ClassVar[Mapping[str, Bounds]] = {
        "gap": (0.005, 0.05),
        "no-close": (0.1, 1.0),
        "late-ack": (0.1, 1.0),
        "notice": (1.0, 5.0),
        "rest_429": (1, 3),
    }
    demo: ClassVar[tuple[str, ...]] = ()

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        """Start at `now_ns`; raises ConfigError for a fault that is not a number."""
        rates = fault_rates(faults, "gap", "no-close")
        self._random = Random(len(market.listings))
        contracts = {contract.symbol: contract for contract in CONTRACTS[self.product]}
        funding_ns = max(1, int(rates.get("funding-every", 8 * 3600))) * S
        tradings = {
            listing.symbol: Trading(contracts[listing.symbol], market, truth, self._random, funding_ns)
            for listing in market.listings
        }
        for symbol, trading in tradings.items():
            truth.begin_book(self.exchange, symbol, trading.sequence, now_ns, *market.book(symbol))
        super().__init__(rates, tradings, Rest(self.product, tradings, int(rates.get("rest_429", 0))))

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept a connection to the product's path."""
        if path != self.product.ws_path:
            return Reply(404)
        late_ns = int(self._rates.get("late-ack", 0) * S)
        notice_ns = now_ns + int(self._rates["notice"] * S) if "notice" in self._rates else None
        peer = GatePeer(self, f"{self._random.getrandbits(64):016x}", late_ns, notice_ns, now_ns)
        return self.admit(peer)

    def feed(self, name: str, payload: Sequence[str], now_ns: int) -> Feed | str | None:
        """Return a channel's feed, made on first use; the words in which it is refused; None for one that is silent."""
        known = self.known((name, *payload))
        if known is not None:
            return known
        made = self._obu(payload[0]) if name == "obu" else self._make(name, payload, now_ns)
        return self.open((name, *payload), made) if isinstance(made, Feed) else made

    def _obu(self, stream: str) -> Feed | str | None:
        start, _, rest = stream.partition(".")
        symbol, _, depth = rest.rpartition(".")
        if start != "ob" or not depth.isdigit() or int(depth) not in BOOK_DEPTHS:
            return f"invalid stream {stream}"
        trading = self._tradings.get(symbol)
        return None if trading is None else ObuFeed(trading, int(depth), self._rates)

    def _make(self, name: str, payload: Sequence[str], now_ns: int) -> Feed | str:
        symbol = payload[1] if name == "candlesticks" and len(payload) > 1 else payload[0]
        trading = self._tradings.get(symbol)
        if trading is None:
            what = "contract" if self.product.futures else "currency pair"
            return f"unknown {what} {symbol}"
        if name == "candlesticks":
            if payload[0] not in INTERVALS:
                return f"unknown interval {payload[0]}"
            return CandleFeed(trading, payload[0], interval_ns(payload[0]), self._rates, now_ns)
        if name == "order_book_update":
            return DiffFeed(trading, self._rates)
        if name == "tickers" and self.product.futures:
            return TickerFeed(trading)
        kinds = {"trades": TradeFeed, "book_ticker": QuoteFeed}
        return kinds[name](trading) if name in kinds else f"unknown channel {name}"


class SpotScript(_Script):
    """Spot."""

    exchange = SPOT.exchange
    product = SPOT
    listings = tuple(contract.listing for contract in CONTRACTS[SPOT])
    demo: ClassVar[tuple[str, ...]] = ("gateio:trade:BTC_USDT", "gateio:quote:BTC_USDT", "gateio:book:BTC_USDT")


class FuturesScript(_Script):
    """Perpetual contracts settled in USDT."""

    exchange = FUTURES.exchange
    product = FUTURES
    listings = tuple(contract.listing for contract in CONTRACTS[FUTURES])
