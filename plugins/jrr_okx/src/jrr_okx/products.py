"""What OKX offers and what it allows: hosts, paths, channels, bars and limits, each with its source.

One exchange name, `okx`, covers spot, swap and futures: they share one
symbol namespace, one socket address and one rule set. Numbers were read on
2026-11-22; "docs" is https://www.okx.com/docs-v5/en/.
"""

import re
from typing import Literal

from attrs import define

from jrr_core.connector import Limits, Rate

EXCHANGE = "okx"
# Port 8443 was retired on 2026-10-31 (docs, changelog): no port in the address.
WS_URL = "wss://ws.okx.com"
# Recommended in place of www.okx.com since 2026-05-20 (docs, changelog).
REST_URL = "https://openapi.okx.com"

Path = Literal["public", "business"]
PATHS: tuple[Path, ...] = ("public", "business")

# Docs, "Connect": text "ping" when 30 s pass without a push, else the server closes with 4004.
KEEPALIVE_IDLE_S = 20.0
# Twice the keepalive: "ping" and then as long again without any answer.
STALE_S = 45.0
# Docs, "Subscribe": 64 KB for all channels of a request; half of it leaves room for how it is counted.
REQUEST_BYTES = 32_000
# A cap is not documented; 1,200 were accepted on one socket on 2026-08-08. A hundred keeps a reconnect cheap.
STREAMS_PER_CONNECTION = 100
# Docs, "Order book channel": fewer than 30 deep-book channels a connection are recommended.
BOOKS_PER_CONNECTION = 30
# A resynchronisation costs 2 of the 480 requests a connection has per hour.
RESYNC_FIRST_S = 5
RESYNC_MOST_S = 300

INSTRUMENT_TYPES = ("SPOT", "SWAP", "FUTURES")
# Docs, "Liquidation orders channel".
LIQUIDATION_TYPES = ("SWAP", "FUTURES", "MARGIN", "OPTION")
INSTRUMENTS_POOL = "okx-instruments"
TIME_POOL = "okx-time"
TRADES_POOL = "okx-trades"
HISTORY_TRADES_POOL = "okx-history-trades"
CANDLES_POOL = "okx-candles"
HISTORY_CANDLES_POOL = "okx-history-candles"
FUNDING_HISTORY_POOL = "okx-funding-history"
# Docs, "Get candlesticks": the last 1,440 bars; older ones are in the history.
MOST_LATEST_CANDLES = 1440
LIMITS = Limits(
    # Docs, "Connect": 3 connections a second per IP.
    connects=Rate(3, 1.0),
    # Docs, "Connect": 480 subscribe and unsubscribe requests an hour per connection, one per request
    # whatever its number of args. Requests here are few and large, so they only need to be apart.
    messages=Rate(10, 1.0),
    # Docs, "Get instruments": 20 in 2 s per IP and instrument type; one pool keeps below it for all types.
    # The others are those of "Get trades", "Get trades history", "Get candlesticks", "Get candlesticks history" and
    # "Get funding rate history", per IP; only the past is asked for from them, which uses half of a budget.
    http={
        INSTRUMENTS_POOL: Rate(20, 2.0),
        # Fact: /api/v5/public/time, 10 in 2 s.
        TIME_POOL: Rate(10, 2.0),
        TRADES_POOL: Rate(100, 2.0),
        HISTORY_TRADES_POOL: Rate(20, 2.0),
        CANDLES_POOL: Rate(40, 2.0),
        HISTORY_CANDLES_POOL: Rate(20, 2.0),
        FUNDING_HISTORY_POOL: Rate(10, 2.0),
    },
)


@define(frozen=True)
class ChannelRule:
    """One of OKX's channels: the path that serves it, the jrr channel it feeds, what its `arg` names.

    `deep` marks books of hundreds of levels, which are limited per connection.
    """

    name: str
    path: Path
    channel: str
    argument: Literal["instId", "instType"] = "instId"
    deep: bool = False


BARS = {
    # docs, "Candlesticks channel": bars of six hours and more close on UTC+8 unless they carry "utc".
    "1s": "1s", "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m",
    "1H": "1h", "2H": "2h", "4H": "4h",
    "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d", "2Dutc": "2d", "3Dutc": "3d", "5Dutc": "5d",
    "1Wutc": "1w", "1Mutc": "1M", "3Mutc": "3M",
    "6H": "6h@+08:00", "12H": "12h@+08:00", "1D": "1d@+08:00", "2D": "2d@+08:00", "3D": "3d@+08:00",
    "5D": "5d@+08:00", "1W": "1w@+08:00", "1M": "1M@+08:00", "3M": "3M@+08:00",
}  # fmt: skip

BAR_OF = {interval: bar for bar, interval in BARS.items()}

# Docs, "Public Data" and "Order Book Trading > Market Data", WebSocket pages; paths as of the split of 2023-06.
RULES = {
    rule.name: rule
    for rule in (
        ChannelRule("trades", "public", "trade"),
        ChannelRule("trades-all", "business", "trade"),
        ChannelRule("bbo-tbt", "public", "quote"),
        ChannelRule("books", "public", "book", deep=True),
        ChannelRule("books5", "public", "book_snapshot_5"),
        ChannelRule("funding-rate", "public", "funding"),
        ChannelRule("mark-price", "public", "mark_price"),
        ChannelRule("open-interest", "public", "open_interest"),
        ChannelRule("liquidation-orders", "public", "liquidation", argument="instType"),
        *(ChannelRule(f"candle{bar}", "business", f"candle_{interval}") for bar, interval in BARS.items()),
    )
}

# For `jrr plan`, pushes a second. Docs, "Public Data": funding every 30 to 90 s, marks every 200 ms while they
# change, open interest every 3 s when updated; the last two are what an active contract comes to.
FIXED_RATES = {"funding": 1 / 60, "mark_price": 5.0, "open_interest": 1 / 3}

# OKX sends five levels or the whole book: ten and twenty are read off the synchronised whole book.
DERIVED_DEPTHS = {"book_snapshot_10": 10, "book_snapshot_20": 20}
NATIVE_OF = {
    **{rule.channel: rule.name for rule in RULES.values() if rule.name != "trades-all"},
    **dict.fromkeys(DERIVED_DEPTHS, "books"),
}

_future = re.compile(r".+-[0-9]{6}").fullmatch
_option = re.compile(r".+-[0-9]{6}-[0-9.]+-[CP]").fullmatch


def instrument_type(symbol: str) -> str:
    """Return OKX's instType of a derivative or spot symbol, by the form of its name.

    X-Perps (`BTC-USD_UM_XPERP-310404`) are of type FUTURES at OKX. A spot
    pair is MARGIN where liquidations are concerned.
    """
    if symbol.endswith("-SWAP"):
        return "SWAP"
    if _option(symbol):
        return "OPTION"
    return "FUTURES" if _future(symbol) else "MARGIN"
