"""Topics: a channel of one symbol as Kraken's requests name it, and the requests that carry them.

Several jrr subscriptions may share one (the whole book and its best levels).
Called by the connector to ask for streams and by the parser to know what came.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from attrs import define

from jrr_core.errors import ConfigError
from jrr_core.frame import Send
from jrr_core.subscription import Subscription
from jrr_core.wire import encode

from .products import DERIVED_DEPTHS, INTERVALS, MINUTES, SYMBOLS_PER_REQUEST

Channel = Literal["trade", "book", "ticker", "ohlc"]
_CHANNELS: dict[str, Channel] = {"trade": "trade", "book": "book", "ticker": "ticker", "ohlc": "ohlc"}
_symbol = re.compile(r"[A-Za-z0-9.]{1,24}/[A-Za-z0-9.]{1,24}").fullmatch
_native = re.compile(
    r"(trade|ticker|book(?:-(?P<depth>10|25|100|500|1000))?|ohlc-(?P<interval>[0-9]{1,5})):(.+)"
).fullmatch


@define(frozen=True, order=True)
class Topic:
    """One channel of one symbol; `detail` is the depth of books, the minutes of candles, else 0."""

    channel: Channel
    detail: int
    symbol: str

    @property
    def key(self) -> str:
        """The topic as text: key of its acknowledgement and its native stream name."""
        detail = f"-{self.detail}" if self.detail else ""
        return f"{self.channel}{detail}:{self.symbol}"

    @property
    def stream(self) -> str:
        """The jrr channel it is known by."""
        names = {"trade": "trade", "book": "book", "ticker": "quote"}
        return names.get(self.channel) or f"candle_{INTERVALS[self.detail]}"


def topic_of(subscription: Subscription, book_depth: int) -> Topic:
    """Return the topic that carries a subscription; raises ConfigError naming what Kraken does not have.

    `book_depth` is the number of levels that books are taken with.
    """
    if subscription.native is not None:
        return _native_topic(subscription, book_depth)
    found = _topic(subscription.channel, subscription.symbol, book_depth)
    if found is None:
        raise ConfigError(f"{subscription}: Kraken has no {subscription.channel}; it has {_supported()}")
    if _symbol(subscription.symbol) is None:
        raise ConfigError(f"{subscription}: {subscription.symbol!r} is not a symbol of Kraken's such as BTC/USD")
    return found


def _topic(channel: str, symbol: str, book_depth: int) -> Topic | None:
    if channel == "trade":
        return Topic("trade", 0, symbol)
    if channel == "quote":
        return Topic("ticker", 0, symbol)
    if channel == "book" or channel in DERIVED_DEPTHS:
        return Topic("book", book_depth, symbol)
    minutes = MINUTES.get(channel.removeprefix("candle_"))
    return None if minutes is None else Topic("ohlc", minutes, symbol)


def _native_topic(subscription: Subscription, book_depth: int) -> Topic:
    found = _native(subscription.native or "")
    if found is None or _symbol(found[4]) is None or int(found["interval"] or 1) not in INTERVALS:
        raise ConfigError(
            f"{subscription}: no event is made of such a stream. Kraken has trade:BTC/USD, ticker:BTC/USD, "
            f"book:BTC/USD, ohlc-<minutes>:BTC/USD ({', '.join(map(str, INTERVALS))}); "
            f"in jrr's own words {_supported()}"
        )
    channel = _CHANNELS[found[1].partition("-")[0]]
    depth = int(found["depth"] or book_depth)
    if channel == "book" and depth != book_depth:
        raise ConfigError(
            f"{subscription}: one book is kept per symbol, of {book_depth} levels; "
            f"for another write exchanges.kraken.book_depth = {depth}"
        )
    return Topic(channel, depth if channel == "book" else int(found["interval"] or 0), found[4])


def requests(method: Literal["subscribe", "unsubscribe"], topics: Iterable[Topic]) -> Iterator[Send]:
    """Yield messages, each for symbols of one channel; a subscribe is to be answered symbol by symbol."""
    for (channel, detail), group in groupby(sorted(topics), key=lambda topic: (topic.channel, topic.detail)):
        rows = list(group)
        for start in range(0, len(rows), SYMBOLS_PER_REQUEST):
            yield _request(method, channel, detail, rows[start : start + SYMBOLS_PER_REQUEST])


def _request(method: str, channel: Channel, detail: int, topics: Sequence[Topic]) -> Send:
    parameters: dict[str, object] = {"channel": channel, "symbol": [topic.symbol for topic in topics]}
    if channel == "book":
        parameters["depth"] = detail
    elif channel == "ohlc":
        parameters["interval"] = detail
    elif channel == "ticker":
        parameters["event_trigger"] = "bbo"
    if method == "subscribe":
        # The last fifty trades show whether any were missed; of candles that would be 720 a symbol.
        parameters["snapshot"] = channel != "ohlc"
    keys = tuple([topic.key for topic in topics]) if method == "subscribe" else ()
    return Send(encode({"method": method, "params": parameters, "req_id": request_id(channel, detail)}), acks=keys)


def request_id(channel: Channel, detail: int) -> int:
    """Return the number that tells in an answer the channel of the request: a refusal names the symbol alone."""
    return list(_CHANNELS).index(channel) * 100_000 + detail


def of_request(number: int, symbol: str) -> Topic | None:
    """Return the topic of a symbol in the request with this number; None for a number that is none of ours."""
    place, detail = divmod(number, 100_000)
    names = list(_CHANNELS.values())
    return Topic(names[place], detail, symbol) if 0 <= place < len(names) else None


def _supported() -> str:
    return f"trade, quote, book, {', '.join(DERIVED_DEPTHS)}, candle_<interval> ({', '.join(MINUTES)})"
