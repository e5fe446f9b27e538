"""What Bybit offers and what it allows: products, topics, intervals and limits, each with its source.

A product is one symbol namespace: BTCUSDT is another instrument on spot than
on linear. "Docs" is https://bybit-exchange.github.io/docs/v5/, read as of
2026-11-22.
"""

from typing import Literal

from attrs import define

from jrr_core.connector import Rate

WS_URL = "wss://stream.bybit.com"
REST_URL = "https://api.bybit.com"

Category = Literal["spot", "linear", "inverse"]


@define(frozen=True)
class Product:
    """One of Bybit's products: its exchange name in jrr, its `category` in paths and REST, and what it sends.

    `quoted_turnover` says whether a candle's turnover is in the quote
    currency; inverse contracts count it in coins.
    """

    exchange: str
    category: Category
    quoted_turnover: bool = True

    @property
    def derivative(self) -> bool:
        """Whether it has funding, mark prices, open interest and liquidations."""
        return self.category != "spot"


SPOT = Product("bybit", "spot")
LINEAR = Product("bybit-linear", "linear")
INVERSE = Product("bybit-inverse", "inverse", quoted_turnover=False)

# Docs, "Kline" topic.
INTERVALS = {
    "1": "1m", "3": "3m", "5": "5m", "15": "15m", "30": "30m", "60": "1h", "120": "2h", "240": "4h", "360": "6h",
    "720": "12h", "D": "1d", "W": "1w", "M": "1M",
}  # fmt: skip
NATIVE_INTERVALS = {interval: native for native, interval in INTERVALS.items()}

# Docs, "Orderbook" topic: levels a side; 1 is the best bid and ask alone.
BOOK_DEPTHS = (50, 200, 1000)
# Bybit has no such topics: the best levels are read off the synchronised book.
DERIVED_DEPTHS = {"book_snapshot_5": 5, "book_snapshot_10": 10, "book_snapshot_20": 20}

# Docs, "Connect": args of a connection together at most 21,000 characters; quotes and commas are counted here as well.
ARGS_CHARS = 21_000
# Docs, "Connect": at most 10 args a request on spot. Elsewhere no number is given, and one bad topic can fail a whole
# request, so requests are small everywhere.
ARGS_PER_REQUEST = 10
# Of no source: a hundred keep a reconnect cheap.
STREAMS_PER_CONNECTION = 100
# Docs, "Connect": a ping every 20 s; connections idle for 10 minutes are cut.
PING_S = 20.0
IDLE_S = 600.0
STALE_S = 45.0

# Docs, "Connect": 500 new connections in 5 minutes per IP and domain; the three products share the domain.
CONNECTS = Rate(150, 300.0)
# Docs give no number; a request every tenth of a second is one book asked for anew with room to spare.
MESSAGES = Rate(10, 1.0)
# Docs, "Rate limit": 600 requests in 5 s per IP, for all products together; above it HTTP 403 and a ban of 10 minutes,
# so a sixth stays unused.
POOL = "bybit"
POOL_RATE = Rate(500, 5.0)
# Docs, "Get Kline" and "Get Funding Rate History": most rows of an answer.
MOST_CANDLES = 1000
MOST_RATES = 200
# Docs, "Get Instruments Info": most rows of a page.
MOST_INSTRUMENTS = 1000

# For `jrr plan`, events a second. Docs, "Ticker" topic: at most every 100 ms; that half of the pushes of an active
# contract bring a new mark price, and few a new open interest or funding rate, is an estimate.
FIXED_RATES = {"mark_price": 5.0, "open_interest": 0.5, "funding": 1 / 60}
