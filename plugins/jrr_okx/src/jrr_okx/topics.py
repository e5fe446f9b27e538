"""Topics: what OKX calls an `arg`, the unit of subscribing, and the requests that carry them.

Several jrr subscriptions may share one topic (the whole book and its best ten
levels, the liquidations of many symbols). Called by the connector to ask for
streams and by the parser to know what came.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from typing import Literal

from attrs import define

from jrr_core.errors import ConfigError
from jrr_core.frame import Send
from jrr_core.subscription import Subscription
from jrr_core.wire import encode

from .products import BARS, EXCHANGE, LIQUIDATION_TYPES, NATIVE_OF, REQUEST_BYTES, RULES, ChannelRule, instrument_type

# An `id` may have 32 letters and digits.
_ID_BYTES = 12
_target = re.compile(r"[A-Za-z0-9_.-]{1,64}").fullmatch


def is_target(text: str) -> bool:
    """Whether the text can be an instrument or an instrument type of OKX's."""
    return _target(text) is not None


@define(frozen=True)
class Topic:
    """One channel of one instrument, or of one instrument type (`target`)."""

    channel: str
    target: str

    @property
    def key(self) -> str:
        """The topic as text, `trades:BTC-USDT`: key of its acknowledgement and its native stream name."""
        return f"{self.channel}:{self.target}"

    @property
    def rule(self) -> ChannelRule:
        """What is known of the channel."""
        return RULES[self.channel]

    def argument(self) -> dict[str, str]:
        """Return the topic as an element of a request's `args`."""
        return {"channel": self.channel, self.rule.argument: self.target}


def topic_of(subscription: Subscription, trade_stream: str) -> Topic:
    """Return the topic that carries a subscription; raises ConfigError naming what OKX does not have.

    `trade_stream` is the channel for trades: "trades" or "trades-all".
    """
    if subscription.native is not None:
        return _native_topic(subscription)
    channel = trade_stream if subscription.channel == "trade" else NATIVE_OF.get(subscription.channel)
    if channel is None:
        raise ConfigError(f"OKX has no {subscription.channel} (asked for by {subscription}); it has {_supported()}")
    rule = RULES[channel]
    symbol = subscription.symbol
    if not is_target(symbol):
        raise ConfigError(f"{subscription}: {symbol!r} is not an OKX instrument such as BTC-USDT or BTC-USDT-SWAP")
    return Topic(channel, instrument_type(symbol) if rule.argument == "instType" else symbol)


def _native_topic(subscription: Subscription) -> Topic:
    name, _, target = (subscription.native or "").partition(":")
    rule = RULES.get(name)
    if rule is None:
        near = get_close_matches(name, RULES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"{subscription}: no event is made of an OKX channel {name!r}{hint or '.'} "
            f"Supported are {', '.join(_short_natives())} and, in jrr's own words, {_supported()}"
        )
    if rule.argument == "instType" and target not in LIQUIDATION_TYPES:
        raise ConfigError(f"{subscription}: {name} goes by instrument type: {', '.join(LIQUIDATION_TYPES)}")
    if not is_target(target):
        raise ConfigError(f"{subscription} lacks an instrument: {EXCHANGE}:{name}:BTC-USDT-SWAP")
    return Topic(name, target)


def described(subscription: Subscription, topic: Topic) -> Subscription:
    """Return the subscription with `channel` and `symbol` filled in.

    A native topic of a whole instrument type has every symbol: "*".
    """
    return subscription.described(topic.rule.channel, "*" if topic.rule.argument == "instType" else topic.target)


def batches(topics: Iterable[Topic]) -> Iterator[list[Topic]]:
    """Yield the topics in requests' worth, each within OKX's size limit."""
    batch: list[Topic] = []
    size = 0
    for topic in topics:
        length = len(encode(topic.argument())) + 1
        if batch and size + length > REQUEST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(topic)
        size += length
    if batch:
        yield batch


def request(op: Literal["subscribe", "unsubscribe"], topics: Sequence[Topic]) -> Send:
    """Return one message; a subscribe is to be answered topic by topic.

    The same topics give the same id, so that the parser can tell which
    topics an error concerns that names only the id.
    """
    arguments = [topic.argument() for topic in topics]
    keys = tuple([topic.key for topic in topics])
    text = encode({"id": request_id(op, keys), "op": op, "args": arguments})
    return Send(text, acks=keys if op == "subscribe" else ())


def request_id(op: str, keys: Sequence[str]) -> str:
    """Return the id of the request for these topics: letters and digits, 24 of them."""
    return blake2b("\n".join((op, *keys)).encode(), digest_size=_ID_BYTES).hexdigest()


def _short_natives() -> list[str]:
    return [name for name in RULES if not name.startswith("candle")] + ["candle<bar> (candle1m, candle1Dutc)"]


def _supported() -> str:
    channels = [name for name in NATIVE_OF if not name.startswith("candle_")]
    intervals = ", ".join(interval for interval in BARS.values() if "@" not in interval)
    return f"{', '.join(channels)}, candle_<interval> ({intervals})"
