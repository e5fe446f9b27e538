"""Topics: a channel with its payload, the unit of subscribing, and the requests that carry one.

Several jrr subscriptions may share one (the whole book and its best levels;
mark price, funding and open interest). Each is asked for by itself, so that
one that Gate refuses takes no other with it.
"""

import re
from typing import Literal
from zlib import crc32

from attrs import define

from jrr_core.errors import ConfigError
from jrr_core.frame import NOW_S, Send
from jrr_core.subscription import Subscription
from jrr_core.wire import encode

from .products import DERIVED_DEPTHS, INTERVALS, Product

Name = Literal["trades", "book_ticker", "obu", "order_book_update", "candlesticks", "tickers"]
TICKER_CHANNELS = ("mark_price", "funding", "open_interest")
_NAMES: dict[str, Name] = {
    "trades": "trades", "book_ticker": "book_ticker", "obu": "obu", "order_book_update": "order_book_update",
    "candlesticks": "candlesticks", "tickers": "tickers",
}  # fmt: skip
_symbol = re.compile(r"[A-Za-z0-9]{1,32}_[A-Za-z0-9_]{1,32}").fullmatch
_CHANNELS: dict[Name, str] = {
    "trades": "trade", "book_ticker": "quote", "obu": "book", "order_book_update": "book", "tickers": "mark_price",
}  # fmt: skip


def is_symbol(text: str) -> bool:
    """Whether the text can be a symbol of Gate's."""
    return _symbol(text) is not None


@define(frozen=True)
class Topic:
    """One channel of one symbol; `detail` is the depth of obu or the interval of candles, else ""."""

    name: Name
    symbol: str
    detail: str = ""

    @property
    def key(self) -> str:
        """The topic as text: key of its acknowledgement and its native stream name."""
        return ":".join([part for part in (self.name, self.detail, self.symbol) if part])

    @property
    def channel(self) -> str:
        """The jrr channel it is known by; `tickers` carries two more."""
        return _CHANNELS.get(self.name) or f"candle_{self.detail}"

    @property
    def request_id(self) -> int:
        """The `id` of its requests, by which an answer is told."""
        return crc32(self.key.encode())

    def payload(self, product: Product) -> list[str]:
        """Return what a request names after the channel."""
        if self.name == "obu":
            return [f"ob.{self.symbol}.{self.detail}"]
        if self.name == "order_book_update":
            return [self.symbol, "100ms", *(["100"] if product.futures else [])]
        return [self.detail, self.symbol] if self.name == "candlesticks" else [self.symbol]


@define(frozen=True)
class BookChoice:
    """How the whole book is taken: by `stream` "obu" with `depth` levels, or "order_book_update"."""

    stream: Literal["obu", "order_book_update"] = "obu"
    depth: int = 400

    def topic(self, symbol: str) -> Topic:
        """Return the topic of a symbol's book."""
        return Topic(self.stream, symbol, str(self.depth) if self.stream == "obu" else "")


def topic_of(product: Product, subscription: Subscription, book: BookChoice) -> Topic:
    """Return the topic that carries a subscription; raises ConfigError naming what Gate does not have."""
    if subscription.native is not None:
        return _native_topic(product, subscription, book)
    found = _topic(product, subscription.channel, subscription.symbol, book)
    if found is None:
        raise ConfigError(
            f"{subscription}: {product.exchange} has no {subscription.channel}; it has {_supported(product)}"
        )
    if not is_symbol(subscription.symbol):
        raise ConfigError(f"{subscription}: {subscription.symbol!r} is not a symbol of Gate's such as BTC_USDT")
    return found


def _topic(product: Product, channel: str, symbol: str, book: BookChoice) -> Topic | None:
    if channel == "trade":
        return Topic("trades", symbol)
    if channel == "quote":
        return Topic("book_ticker", symbol)
    if channel == "book" or channel in DERIVED_DEPTHS:
        return book.topic(symbol)
    if product.futures and channel in TICKER_CHANNELS:
        return Topic("tickers", symbol)
    interval = channel.removeprefix("candle_")
    return Topic("candlesticks", symbol, interval) if interval in INTERVALS else None


def _native_topic(product: Product, subscription: Subscription, book: BookChoice) -> Topic:
    name, *rest = (subscription.native or "").removeprefix(f"{product.prefix}.").split(":")
    found = _NAMES.get(name)
    detailed = found in ("obu", "candlesticks")
    fit = len(rest) == 1 + detailed and is_symbol(rest[-1]) and (found != "candlesticks" or rest[0] in INTERVALS)
    if found is None or not fit or (found == "tickers" and not product.futures):
        natives = ", ".join(_natives(product))
        raise ConfigError(
            f"{subscription}: no event is made of such a stream. {product.exchange} has {natives}; "
            f"in jrr's own words {_supported(product)}"
        )
    topic = Topic(found, rest[-1], rest[0] if detailed else "")
    if topic.channel == "book" and topic != book.topic(topic.symbol):
        raise ConfigError(
            f"{subscription}: one book is kept per symbol, {book.topic(topic.symbol).key}; another is chosen by "
            f"exchanges.{product.exchange}.book_stream and .book_depth"
        )
    return topic


def request(product: Product, event: Literal["subscribe", "unsubscribe"], topic: Topic) -> Send:
    """Return one message; a subscribe is to be answered, under its `id`."""
    channel, payload = product.channel(topic.name), topic.payload(product)
    body = encode({"id": topic.request_id, "channel": channel, "event": event, "payload": payload})
    return Send(f'{{"time":{NOW_S},{body[1:]}', acks=(topic.key,) if event == "subscribe" else ())


def ping(product: Product) -> str:
    """Return the text that keeps a connection open."""
    return f'{{"time":{NOW_S},"channel":"{product.prefix}.ping"}}'


def _natives(product: Product) -> list[str]:
    names = ["trades:<symbol>", "book_ticker:<symbol>", "obu:<50|400>:<symbol>", "order_book_update:<symbol>"]
    names.append(f"candlesticks:<{'|'.join(INTERVALS)}>:<symbol>")
    return names + ["tickers:<symbol>"] * product.futures


def _supported(product: Product) -> str:
    channels = ["trade", "quote", "book", *DERIVED_DEPTHS, *(TICKER_CHANNELS if product.futures else ())]
    return f"{', '.join(channels)}, candle_<interval> ({', '.join(INTERVALS)})"
