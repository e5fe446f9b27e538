"""Topics: what Bybit calls the unit of subscribing (`publicTrade.BTCUSDT`), and the requests that carry them.

Several jrr subscriptions may share one: the whole book and its best levels,
or mark price, funding and open interest, which all live in `tickers`. Called
by the connector to ask for streams and by the parser to know what came.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Literal

from attrs import define

from jrr_core.errors import ConfigError
from jrr_core.frame import Send
from jrr_core.subscription import Subscription
from jrr_core.wire import encode

from .products import ARGS_PER_REQUEST, BOOK_DEPTHS, DERIVED_DEPTHS, INTERVALS, NATIVE_INTERVALS, Product

Kind = Literal["publicTrade", "orderbook", "kline", "tickers", "allLiquidation"]
TICKER_CHANNELS = ("mark_price", "funding", "open_interest")
_SYMBOL = r"(?P<symbol>[A-Za-z0-9_-]{1,64})"
_read = re.compile(
    r"(?P<kind>publicTrade|tickers|allLiquidation)\." + _SYMBOL
    + r"|orderbook\.(?P<depth>1|50|200|1000)\." + _SYMBOL.replace("symbol", "of_book")
    + r"|kline\.(?P<interval>[0-9DWM]{1,3})\." + _SYMBOL.replace("symbol", "of_candle")
).fullmatch  # fmt: skip
_KINDS: dict[str, Kind] = {"publicTrade": "publicTrade", "tickers": "tickers", "allLiquidation": "allLiquidation"}
_symbol = re.compile(_SYMBOL).fullmatch


@define(frozen=True)
class Topic:
    """One topic: `text` as Bybit writes it; `depth` of books, `interval` of candles in jrr's words."""

    text: str
    kind: Kind
    symbol: str
    depth: int | None = None
    interval: str = ""

    @property
    def channel(self) -> str:
        """The jrr channel it is known by; `tickers` carries two more."""
        if self.kind == "orderbook":
            return "quote" if self.depth == 1 else "book"
        simple = {"publicTrade": "trade", "tickers": "mark_price", "allLiquidation": "liquidation"}
        return simple.get(self.kind) or f"candle_{self.interval}"


def read_topic(text: str) -> Topic | None:
    """Return the topic a text names; None for what no event is made of."""
    found = _read(text)
    if found is None:
        return None
    if found["depth"]:
        return Topic(text, "orderbook", found["of_book"], int(found["depth"]))
    if found["interval"]:
        interval = INTERVALS.get(found["interval"])
        return None if interval is None else Topic(text, "kline", found["of_candle"], None, interval)
    return Topic(text, _KINDS[found["kind"]], found["symbol"])


def topic_of(product: Product, subscription: Subscription, book_depth: int) -> Topic:
    """Return the topic that carries a subscription; raises ConfigError naming what Bybit does not have.

    `book_depth` is the number of levels the whole book is taken with.
    """
    if subscription.native is not None:
        topic = read_topic(subscription.native)
        if topic is None or not _exists(product, topic):
            raise ConfigError(
                f"{subscription}: no event is made of such a topic. {product.exchange} has "
                f"{', '.join(_natives(product))}; in jrr's own words {_supported(product)}"
            )
        if topic.kind == "orderbook" and topic.depth not in (1, book_depth):
            raise ConfigError(
                f"{subscription}: one book is kept per symbol, of {book_depth} levels; "
                f"for another write exchanges.{product.exchange}.book_depth = {topic.depth}"
            )
        return topic
    name = _name(product, subscription.channel, book_depth)
    if name is None:
        raise ConfigError(
            f"{subscription}: {product.exchange} has no {subscription.channel}; it has {_supported(product)}"
        )
    topic = read_topic(f"{name}.{subscription.symbol}")
    if topic is None or _symbol(subscription.symbol) is None:
        raise ConfigError(f"{subscription}: {subscription.symbol!r} is not a symbol of Bybit's such as BTCUSDT")
    return topic


def _name(product: Product, channel: str, book_depth: int) -> str | None:
    """Return the topic of a channel without its symbol."""
    if channel == "trade":
        return "publicTrade"
    if channel == "quote":
        return "orderbook.1"
    if channel == "book" or channel in DERIVED_DEPTHS:
        return f"orderbook.{book_depth}"
    if channel.startswith("candle_"):
        native = NATIVE_INTERVALS.get(channel.removeprefix("candle_"))
        return native and f"kline.{native}"
    if product.derivative and channel in TICKER_CHANNELS:
        return "tickers"
    return "allLiquidation" if product.derivative and channel == "liquidation" else None


def _exists(product: Product, topic: Topic) -> bool:
    return product.derivative or topic.kind not in ("tickers", "allLiquidation")


def batches(topics: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the topics in requests' worth."""
    for start in range(0, len(topics), ARGS_PER_REQUEST):
        yield topics[start : start + ARGS_PER_REQUEST]


def request(op: Literal["subscribe", "unsubscribe"], topics: Sequence[str]) -> Send:
    """Return one message; a subscribe is to be answered, under its `req_id`."""
    name = request_id(topics)
    return Send(encode({"req_id": name, "op": op, "args": topics}), acks=(name,) if op == "subscribe" else ())


def request_id(topics: Sequence[str]) -> str:
    """Return the id of the request for these topics: the same topics, the same id, so that the parser knows it too."""
    return blake2b("\n".join(topics).encode(), digest_size=12).hexdigest()


def _natives(product: Product) -> list[str]:
    depths = "|".join(map(str, (1, *BOOK_DEPTHS)))
    names = ["publicTrade", f"orderbook.<{depths}>", f"kline.<{'|'.join(INTERVALS)}>"]
    return [f"{name}.<symbol>" for name in names + ["tickers", "allLiquidation"] * product.derivative]


def _supported(product: Product) -> str:
    channels = ["trade", "quote", "book", *DERIVED_DEPTHS]
    channels += [*TICKER_CHANNELS, "liquidation"] * product.derivative
    return f"{', '.join(channels)}, candle_<interval> ({', '.join(NATIVE_INTERVALS)})"
