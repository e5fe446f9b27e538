"""OKX as a simulator: its sockets and REST API, spoken by the rules of its documentation.

Served are the channels of `simulated_trades`, `_books`, `_candles` and `_states` for the
instruments of `simulated_listings`; any other is refused as unknown. Three
things are faster than at OKX, so that a short run sees them: funding is told
every 3 s (OKX: 30 to 90 s), liquidations come one a second, and the books
hold some 200 levels a side (OKX: 400). Bars of months are not served.
"""

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from jrr_core.testing.feed import Feed
from jrr_core.testing.feed_script import Door, FeedScript, fault_rates
from jrr_core.testing.market import Listing, Market
from jrr_core.testing.script import Bounds, Peer, Reply
from jrr_core.testing.truth import Truth

from .products import BARS, EXCHANGE, RULES
from .simulated_books import BookFeed, QuoteFeed, TopBookFeed
from .simulated_candles import CandleFeed, bar_span
from .simulated_feed import MS, S, Trading
from .simulated_funding import funding
from .simulated_listings import CONTRACTS
from .simulated_peer import OkxPeer
from .simulated_rest import Rest
from .simulated_states import LiquidationFeed, StateFeed, mark_price, open_interest
from .simulated_trades import TradeFeed

# Docs, "Connect": 3 connections a second per IP. Attempts a third of a second apart may fall four into one.
_CONNECTS = 4
_NOTICE_TO_CLOSE_S = 60.0


class OkxScript(FeedScript[Trading]):
    """The simulated exchange: feeds by topic, connections, faults."""

    exchange: ClassVar[str] = EXCHANGE
    listings: ClassVar[tuple[Listing, ...]] = tuple(contract.listing for contract in CONTRACTS.values())
    faults: ClassVar[Mapping[str, str]] = {
        "gap": "Chance that an update of a book is lost; the next one then names a prevSeqId never sent.",
        "maintenance": "Seconds between two maintenance resets: the seqId of a book starts again at a smaller number.",
        "late-ack": "Seconds by which the answer to a subscribe comes after its first data.",
        "notice": "Seconds after which a connection is told of a service upgrade (64008), to be closed later.",
        "notice-close": "Seconds between that notice and the close; 60 if not given.",
        "rest_429": "How many REST requests are answered 429 with code 50011; again after each connection's end.",
        "stale_rest": "How many answers about the past are 2 s old; again after each connection's end.",
        "funding-every": "Seconds between two settlements of funding, instead of 8 hours.",
    }
    plausible: ClassVar[Mapping[str, Bounds]] = {
        "gap": (0.005, 0.05),
        "maintenance": (1.0, 5.0),
        "late-ack": (0.1, 1.0),
        "notice": (1.0, 5.0),
        "notice-close": (1.0, 3.0),
        "rest_429": (1, 3),
        "stale_rest": (1, 3),
    }
    demo: ClassVar[tuple[str, ...]] = tuple(
        f"okx:{channel}:{symbol}"
        for symbol, channels in {
            "BTC-USDT": ("trade", "quote", "book", "book_snapshot_5", "candle_1s", "candle_1m"),
            "BTC-USDT-SWAP": (
                "trade", "quote", "book", "book_snapshot_5", "candle_1s", "candle_1m", "funding", "mark_price",
            ),
        }.items()
        for channel in channels
    )  # fmt: skip

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        """Start at `now_ns`; raises ConfigError for a fault that is not a number."""
        rates = fault_rates(faults, "gap")
        self._random = Random(len(market.listings))
        funding_ns = max(1, int(rates.get("funding-every", 8 * 3600))) * S
        tradings = {
            listing.symbol: Trading(CONTRACTS[listing.symbol], market, truth, self._random, funding_ns=funding_ns)
            for listing in market.listings
        }
        for symbol, trading in tradings.items():
            truth.begin_book(EXCHANGE, symbol, trading.sequence, now_ns, *market.book(symbol))
        super().__init__(
            rates, tradings, Rest(tradings, int(rates.get("rest_429", 0)), int(rates.get("stale_rest", 0)))
        )
        self._door = Door(_CONNECTS, S)

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept a connection to one of OKX's paths, unless there were too many within a second."""
        place, _, name = path.rpartition("/")
        if place != "/ws/v5" or name not in ("public", "business", "private"):
            return Reply(404)
        if not self._door.opens(now_ns):
            return Reply(429)
        peer = OkxPeer(self, name, f"{self._random.getrandbits(32):08x}", now_ns)
        peer.late_ns = int(self._rates["late-ack"] * S) if "late-ack" in self._rates else None
        if "notice" in self._rates:
            peer.notice_ns = now_ns + int(self._rates["notice"] * S)
            peer.close_ns = peer.notice_ns + int(self._rates.get("notice-close", _NOTICE_TO_CLOSE_S) * S)
        return self.admit(peer)

    def feed(self, channel: str, target: str, now_ns: int) -> Feed | None:
        """Return the feed of a topic, made on first use; None where OKX has no such topic."""
        known = self.known((channel, target))
        if known is not None:
            return known
        rule = RULES.get(channel)
        if rule is None:
            return None
        feed = self._typed(channel, target) if rule.argument == "instType" else self._make(channel, target, now_ns)
        return None if feed is None else self.open((channel, target), feed)

    def _typed(self, channel: str, kind: str) -> Feed | None:
        tradings = [trading for trading in self._tradings.values() if trading.contract.type == kind]
        return LiquidationFeed(channel, kind, tradings) if tradings and kind != "SPOT" else None

    def _make(self, channel: str, symbol: str, now_ns: int) -> Feed | None:
        trading = self._tradings.get(symbol)
        if trading is None or not trading.listed:
            return None
        feed = self._state(channel, trading)
        if channel.startswith("candle"):
            bar = channel.removeprefix("candle")
            span = bar_span(bar)
            feed = None if span is None else CandleFeed(channel, trading, BARS[bar], span, now_ns)
        elif channel == "books":
            feed = BookFeed(channel, trading, self._rates, now_ns)
        elif channel in ("trades", "trades-all"):
            feed = TradeFeed(channel, trading)
        elif channel == "bbo-tbt":
            feed = QuoteFeed(channel, trading)
        elif channel == "books5":
            feed = TopBookFeed(channel, trading)
        return feed

    def _state(self, channel: str, trading: Trading) -> Feed | None:
        if channel == "mark-price":
            return StateFeed(channel, trading, 200 * MS, 10 * S, mark_price)
        if channel == "funding-rate" and trading.contract.type == "SWAP":
            return StateFeed(channel, trading, 3 * S, 3 * S, funding)
        if channel == "open-interest" and trading.contract.type != "SPOT":
            return StateFeed(channel, trading, 3 * S, 3 * S, open_interest)
        return None
