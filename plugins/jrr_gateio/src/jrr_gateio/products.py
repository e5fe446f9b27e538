"""What Gate offers and what it allows: products, channels, intervals and limits, each with its source.

A product is one symbol namespace: BTC_USDT is another instrument on spot than
among the futures. "Docs" is https://www.gate.com/docs/developers/apiv4/, read
as of 2026-11-22.
"""

from collections.abc import Mapping
from types import MappingProxyType

from attrs import define, field

from jrr_core.connector import Limits, Rate

REST_URL = "https://api.gateio.ws"
API = "/api/v4"


@define(frozen=True)
class Product:
    """One of Gate's products: its exchange name in jrr, its prefix of channels, its addresses.

    `symbol_field` is what REST calls a symbol. `headers` go with every
    connection and request.
    """

    exchange: str
    prefix: str
    ws_url: str
    ws_path: str
    book_path: str
    instruments_path: str
    candles_path: str
    symbol_field: str
    headers: Mapping[str, str] = field(hash=False)

    @property
    def futures(self) -> bool:
        """Whether sizes are contracts, and there is funding."""
        return self.prefix == "futures"

    def channel(self, name: str) -> str:
        """Return a channel's full name: spot.trades."""
        return f"{self.prefix}.{name}"


SPOT = Product(
    "gateio", "spot", "wss://api.gateio.ws", "/ws/v4/", "/spot/order_book", "/spot/currency_pairs",
    "/spot/candlesticks", "currency_pair", MappingProxyType({}),
)  # fmt: skip
# Docs, "Futures": without the header sizes below one contract are cut to whole numbers.
FUTURES = Product(
    "gateio-futures", "futures", "wss://fx-ws.gateio.ws", "/v4/ws/usdt", "/futures/usdt/order_book",
    "/futures/usdt/contracts", "/futures/usdt/candlesticks", "contract", MappingProxyType({"X-Gate-Size-Decimal": "1"}),
)  # fmt: skip
# Docs, "Get server current time"; of the whole API.
TIME_PATH = "/spot/time"
FUNDING_PATH = "/futures/usdt/funding_rate"

# Docs, "Candlesticks channel". 10s has no name in jrr, 7d and 30d are no weeks and months.
INTERVALS = ("1m", "5m", "15m", "30m", "1h", "4h", "8h", "1d")
# Docs, "Order book v2 channel" (obu): levels a side.
BOOK_DEPTHS = (50, 400)
# Docs, "Get order book": most levels a side of the snapshot that order_book_update begins with.
SEED_LEVELS = 100
# Gate has channels of the best levels, but not numbered like the book: they are read off the synchronised book.
DERIVED_DEPTHS = {"book_snapshot_5": 5, "book_snapshot_10": 10, "book_snapshot_20": 20}

# Docs give no number; 150 on one socket worked for another project.
STREAMS_PER_CONNECTION = 100
# Docs, "Ping and pong": every 10 to 15 s. A socket without subscriptions is closed after 30 s.
PING_S = 12.0
IDLE_S = 30.0
STALE_S = 40.0
LIMITS = Limits(
    # Docs give no number for connections and messages of public channels; these bother nobody.
    connects=Rate(1, 1.0),
    messages=Rate(20, 1.0),
    # Docs, "Rate limits": 200 requests in 10 s per IP and endpoint; one budget for all of a product keeps below it.
    http={"gateio": Rate(150, 10.0), "gateio-futures": Rate(150, 10.0)},
)
# Docs, "Market candlesticks" and "Funding rate history": most rows of an answer.
MOST_CANDLES = 1000
MOST_RATES = 1000

# For `jrr plan`, events a second: tickers come once a second (docs).
FIXED_RATES = {"mark_price": 1.0, "funding": 1.0, "open_interest": 1.0}
