"""Stream names: what `btcusdt@depth5@100ms` carries, and the name that carries a channel.

Binance acknowledges any name and then stays silent about the wrong ones, so
every name is checked here before it is sent.
"""

import re

from attrs import define

from jrr_core.errors import ConfigError
from jrr_core.subscription import Subscription, short_channels

from .products import Payload, Product

_name = re.compile(
    r"(?P<plain>trade|aggTrade|blockTrade|bookTicker|forceOrder)"
    r"|depth(?P<depth>5|10|20)?(?P<speed>@[0-9]{1,4}ms)?"
    r"|kline_(?P<interval>[0-9]{1,2}[smhdwM])(?:@(?P<offset>[+-][0-9]{2}:[0-9]{2}))?"
    r"|(?P<mark>markPrice)(?:@1s)?"
).fullmatch
_ALL_MARKET: dict[str, Payload] = {
    "!bookTicker": "bookTicker",
    "!markPrice@arr": "markPrice",
    "!markPrice@arr@1s": "markPrice",
    "!forceOrder@arr": "forceOrder",
}
_CHANNELS: dict[Payload, tuple[str, ...]] = {
    "trade": ("trade",),
    "aggTrade": ("trade",),
    "blockTrade": ("trade",),
    "bookTicker": ("quote",),
    "depth": ("book",),
    "markPrice": ("mark_price", "funding"),
    "forceOrder": ("liquidation",),
}
_PAYLOADS: dict[str, Payload] = {payload: payload for payload in _CHANNELS}
# Symbols are lower-cased in stream names and stand in capitals elsewhere; letters outside ASCII have one form.
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def lower(symbol: str) -> str:
    """Return the symbol as stream names write it."""
    return symbol.translate(_LOWER)


def upper(symbol: str) -> str:
    """Return the symbol as payloads and REST write it."""
    return symbol.translate(_UPPER)


@define(frozen=True)
class Stream:
    """One stream: its name on the wire and what it carries.

    `symbol` is the exchange's own text, "*" for all-market streams. `suffix`
    is the update speed as written ("@100ms"), `offset` a candle boundary
    outside UTC ("+08:00").
    """

    name: str
    symbol: str
    payload: Payload
    channels: tuple[str, ...]
    depth: int | None = None
    interval: str | None = None
    offset: str = ""
    suffix: str = ""


def read(name: str) -> Stream | None:
    """Return what a stream name means on any product, None if no event comes of it."""
    if name.startswith("!"):
        payload = _ALL_MARKET.get(name)
        return payload and Stream(name, "*", payload, _CHANNELS[payload])
    symbol, at, rest = name.partition("@")
    found = _name(rest)
    if not symbol or not at or found is None:
        return None
    name, symbol = f"{lower(symbol)}@{rest}", upper(symbol)
    if depth := found["depth"]:
        return Stream(name, symbol, "partial", (f"book_snapshot_{depth}",), int(depth), suffix=found["speed"] or "")
    if interval := found["interval"]:
        offset = found["offset"] or ""
        written = f"{interval}@{offset}" if offset else interval
        return Stream(name, symbol, "kline", (f"candle_{written}",), interval=interval, offset=offset)
    simple = _PAYLOADS[found["plain"] or found["mark"] or "depth"]
    return Stream(name, symbol, simple, _CHANNELS[simple], suffix=found["speed"] or "")


def native(product: Product, name: str) -> Stream:
    """Return the stream a user named; raises ConfigError if the product has no such stream or it means no event."""
    stream = read(name)
    if stream is None or not _exists(product, stream):
        raise ConfigError(
            f"{product.exchange} has no usable stream {name!r}; supported names: {', '.join(_supported(product))}; "
            f"in jrr's own words CHANNEL:SYMBOL with a channel of {', '.join(short_channels())}"
        )
    return stream


def for_channel(product: Product, wanted: Subscription, trade_stream: str, book_speed: str) -> Stream:
    """Return the stream that carries a channel of a symbol; raises ConfigError naming what exists instead."""
    channel, symbol = wanted.channel, lower(wanted.symbol)
    if channel == "trade":
        rest = trade_stream
    elif channel == "quote":
        rest = "bookTicker"
    elif channel == "book":
        rest = f"depth{product.book_speeds[book_speed]}"
    elif channel.startswith("book_snapshot_"):
        rest = f"depth{channel.removeprefix('book_snapshot_')}@100ms"
    elif channel.startswith("candle_"):
        rest = f"kline_{channel.removeprefix('candle_')}"
    elif channel in ("funding", "mark_price"):
        rest = "markPrice@1s"
    elif channel == "open_interest":
        # No stream carries it: the parser polls REST, and this one keeps the connection's time.
        rest = "markPrice"
    elif channel == "liquidation":
        rest = "forceOrder"
    else:
        rest = ""
    stream = read(f"{symbol}@{rest}")
    if stream is None or "*" in symbol or not _exists(product, stream):
        raise ConfigError(_refusal(product, wanted))
    return stream


def _exists(product: Product, stream: Stream) -> bool:
    if stream.symbol == "*":
        return stream.name in product.all_market
    if stream.payload not in product.paths:
        return False
    if stream.payload == "depth":
        return stream.suffix in product.book_speeds.values()
    if stream.payload == "partial":
        return stream.suffix in product.partial_suffixes
    if stream.payload == "kline":
        return stream.interval in product.intervals and (not stream.offset or stream.offset in product.candle_offsets)
    if stream.payload == "markPrice" and product.st == 2:
        # `<pair>@markPrice` is an array over the pair's contracts; contracts are told by their underscore.
        return "_" in stream.symbol
    return True


def _supported(product: Product) -> list[str]:
    speeds = "|".join(suffix for suffix in product.book_speeds.values() if suffix)
    partial = "|".join(sorted(suffix for suffix in product.partial_suffixes if suffix))
    offsets = "".join(f"[@{offset}]" for offset in sorted(product.candle_offsets))
    patterns: dict[Payload, str] = {
        "depth": f"depth[{speeds}]",
        "partial": f"depth<5|10|20>[{partial}]",
        "kline": f"kline_<{'|'.join(product.intervals)}>{offsets}",
        "markPrice": "markPrice[@1s]",
    }
    return [f"<symbol>@{patterns.get(payload, payload)}" for payload in product.paths] + sorted(product.all_market)


def _refusal(product: Product, wanted: Subscription) -> str:
    if "*" in wanted.symbol:
        return f"{wanted}: a symbol pattern must be resolved through the instrument list before subscribing"
    if wanted.channel.startswith("candle_"):
        return f"{wanted}: {product.exchange} has no such candles; its intervals: {', '.join(product.intervals)}"
    if wanted.channel in ("funding", "mark_price", "open_interest", "liquidation"):
        return (
            f"{wanted}: {product.exchange} has no {wanted.channel}, which exists for futures only; "
            "use binance-usdm or binance-coinm"
        )
    return f"{wanted}: {product.exchange} does not serve this; supported streams: {', '.join(_supported(product))}"
