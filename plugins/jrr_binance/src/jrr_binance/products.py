"""What differs between Binance's three products: addresses, paths, limits, REST weights.

Every number is Binance's own, from its documentation of 2026-07 or from
measurements where that is silent; the comment beside it says which. Code that
treats products differently asks the table here, never the product's name.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import define

from jrr_core.connector import Rate

Payload = Literal[
    "trade", "aggTrade", "blockTrade", "bookTicker", "depth", "partial", "kline", "markPrice", "forceOrder"
]

_SPOT_INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")


@define(frozen=True)
class Product:
    """One exchange of the family and its rules.

    `paths`: the WebSocket path that carries each payload; a payload not in
    it does not exist. `depth_weights`: (most levels, request weight).
    `depth_limits`: the only snapshot sizes accepted, None for any up to the
    last of `depth_weights`. `book_speeds`: setting value to stream suffix.
    `linked`: book updates name their predecessor (`pu`) instead of counting.
    `st`: the number that marks rows of this product on all-market streams.
    `trades_weight`: of single trades over REST, None where they need a key.
    `candle_weights`: (most rows, request weight). `candle_span_ns`: the longest
    time one request for candles may ask for. `funding`: pool and weight of a
    request for settled rates, None where there are none. `history_url`: the
    address that serves old trades beside the default `rest_url`.
    """

    exchange: str
    ws_url: str
    rest_url: str
    api: str
    pool: str
    paths: Mapping[Payload, str]
    all_market: frozenset[str]
    intervals: tuple[str, ...]
    candle_offsets: frozenset[str]
    trade_stream: str
    book_speeds: Mapping[str, str]
    partial_suffixes: frozenset[str]
    depth_weights: tuple[tuple[int, int], ...]
    depth_limits: frozenset[int] | None
    instruments_weight: int
    weight_per_min: int
    messages: Rate
    max_streams: int
    linked: bool
    st: int | None
    trades_weight: int | None
    aggregates_weight: int
    candle_weights: tuple[tuple[int, int], ...]
    candle_span_ns: int
    funding: tuple[str, int] | None
    history_url: str

    def depth_weight(self, limit: int) -> int:
        """Return the weight of a book snapshot of `limit` levels."""
        return next(weight for most, weight in self.depth_weights if limit <= most)

    def candles_weight(self, rows: int) -> int:
        """Return the weight of a request for so many candles."""
        return next(weight for most, weight in self.candle_weights if rows <= most)

    def history_url_beside(self, rest_url: str) -> str:
        """Return the address that serves old trades: `rest_url` itself, unless it is the one known not to."""
        return self.history_url if rest_url.rstrip("/") == self.rest_url else rest_url

    @property
    def most_levels(self) -> int:
        """The largest book snapshot there is."""
        return self.depth_weights[-1][0]


# https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams (read 2026-07-21):
# 300 attempts per 5 minutes per IP; futures print no number and are treated alike.
CONNECTS = Rate(300, 300.0)

_SPOT_PATHS: Mapping[Payload, str] = dict.fromkeys(
    ("trade", "aggTrade", "blockTrade", "bookTicker", "depth", "partial", "kline"), "/stream"
)
# "Important WebSocket Change Notice" of 2026-03-06, in force since 2026-04-23. A stream asked for on
# the other path is acknowledged and stays silent. `trade` is undocumented; measured on /public.
_USDM_PATHS: Mapping[Payload, str] = {
    **dict.fromkeys(("trade", "bookTicker", "depth", "partial"), "/public/stream"),
    **dict.fromkeys(("aggTrade", "kline", "markPrice", "forceOrder"), "/market/stream"),
}
_FUTURES_ALL_MARKET = frozenset({"!bookTicker", "!markPrice@arr", "!markPrice@arr@1s", "!forceOrder@arr"})
_FUTURES_SPEEDS = {"0ms": "@0ms", "100ms": "@100ms", "250ms": "", "500ms": "@500ms"}
# `@depth20@250ms` is acknowledged but silent (measured 2026-10-07): the 250 ms stream has no suffix.
_FUTURES_PARTIAL = frozenset({"", "@100ms", "@500ms"})
_FUTURES_DEPTH_WEIGHTS = ((50, 2), (100, 5), (500, 10), (1000, 20))
_FUTURES_DEPTH_LIMITS = frozenset({5, 10, 20, 50, 100, 500, 1000})

# Documentation, "Kline/Candlestick Data": [1,100) 1, [100,500) 2, [500,1000] 5, above 10.
_FUTURES_CANDLE_WEIGHTS = ((99, 1), (499, 2), (1000, 5))
_ANY_SPAN_NS = 2**63
# Documentation, "Get Funding Rate History": 500 requests in 5 minutes per IP, shared with fundingInfo, no weight.
# Only the past is asked for from it, which uses half of a budget.
FUNDING_POOL, FUNDING_RATE = "binance-funding", Rate(500, 300.0)

SPOT = Product(
    exchange="binance",
    ws_url="wss://stream.binance.com:9443",
    rest_url="https://data-api.binance.vision",
    api="/api/v3",
    pool="binance-spot",
    paths=_SPOT_PATHS,
    all_market=frozenset(),
    intervals=_SPOT_INTERVALS,
    candle_offsets=frozenset({"+08:00"}),
    trade_stream="trade",
    book_speeds={"100ms": "@100ms", "1000ms": ""},
    partial_suffixes=frozenset({"", "@100ms"}),
    depth_weights=((100, 5), (500, 25), (1000, 50), (5000, 250)),
    depth_limits=None,
    instruments_weight=20,
    # 6,000 per UTC minute and IP; half of it stays within the limit wherever the minute begins.
    weight_per_min=3000,
    # 5 messages/s, pings included; a bucket of 5 still trips it, even spacing of 300 ms does not.
    messages=Rate(1, 0.3),
    max_streams=1024,
    linked=False,
    st=None,
    # rest-api.md of binance-spot-api-docs (read 2026-07-21): trades and historicalTrades 25, without a key;
    # aggTrades 4, klines 2, whatever the limit.
    trades_weight=25,
    aggregates_weight=4,
    candle_weights=((1000, 2),),
    candle_span_ns=_ANY_SPAN_NS,
    funding=None,
    # "Market data only" (docs, FAQ): data-api.binance.vision serves trades, and no historicalTrades.
    history_url="https://api.binance.com",
)

USDM = Product(
    exchange="binance-usdm",
    ws_url="wss://fstream.binance.com",
    rest_url="https://fapi.binance.com",
    api="/fapi/v1",
    pool="binance-futures",
    paths=_USDM_PATHS,
    all_market=_FUTURES_ALL_MARKET,
    intervals=_SPOT_INTERVALS[1:],
    candle_offsets=frozenset(),
    trade_stream="aggTrade",
    book_speeds=_FUTURES_SPEEDS,
    partial_suffixes=_FUTURES_PARTIAL,
    depth_weights=_FUTURES_DEPTH_WEIGHTS,
    depth_limits=_FUTURES_DEPTH_LIMITS,
    instruments_weight=1,
    # 2,400 per UTC minute and IP, one pool for both futures products since 2026-06-30; half, as above.
    weight_per_min=1200,
    # 10 messages/s documented; measured: 15 back to back survive, 40 end in close 1008.
    messages=Rate(1, 0.2),
    max_streams=1024,
    linked=True,
    st=1,
    # historicalTrades needs a key, and its ids have holes by nature.
    trades_weight=None,
    aggregates_weight=20,
    candle_weights=_FUTURES_CANDLE_WEIGHTS,
    candle_span_ns=_ANY_SPAN_NS,
    funding=(FUNDING_POOL, 1),
    history_url="https://fapi.binance.com",
)

COINM = Product(
    exchange="binance-coinm",
    ws_url="wss://dstream.binance.com",
    rest_url="https://dapi.binance.com",
    api="/dapi/v1",
    pool="binance-futures",
    paths=dict.fromkeys(USDM.paths, "/stream"),
    all_market=_FUTURES_ALL_MARKET,
    intervals=USDM.intervals,
    candle_offsets=frozenset(),
    trade_stream="aggTrade",
    book_speeds=_FUTURES_SPEEDS,
    partial_suffixes=_FUTURES_PARTIAL,
    depth_weights=_FUTURES_DEPTH_WEIGHTS,
    depth_limits=_FUTURES_DEPTH_LIMITS,
    instruments_weight=1,
    weight_per_min=1200,
    messages=Rate(1, 0.2),
    # The documentation no longer prints a cap for COIN-M; 200 is what it used to be.
    max_streams=200,
    linked=True,
    st=2,
    trades_weight=None,
    aggregates_weight=20,
    candle_weights=_FUTURES_CANDLE_WEIGHTS,
    # Documentation of COIN-M klines: startTime and endTime at most 200 days apart.
    candle_span_ns=200 * 86_400 * 10**9,
    funding=("binance-futures", 1),
    history_url="https://dapi.binance.com",
)
