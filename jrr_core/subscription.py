"""What a user wants to collect: channels, subscriptions and their text form."""

import re
from difflib import get_close_matches

from attrs import define, evolve

from .errors import ConfigError

INTERVALS = (
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h",
    "1d", "2d", "3d", "5d", "1w", "1M", "3M",
)  # fmt: skip
CHANNELS = (
    "trade", "quote", "book", "book_snapshot_5", "book_snapshot_10", "book_snapshot_20",
    *(f"candle_{interval}" for interval in INTERVALS),
    "funding", "mark_price", "open_interest", "liquidation",
)  # fmt: skip
_known = frozenset(CHANNELS)
_exchange_name = re.compile(r"[a-z0-9][a-z0-9_-]*").fullmatch


@define(frozen=True, weakref_slot=False)
class Subscription:
    """One stream of one exchange.

    Either `channel` and `symbol` (native, canonical or a pattern until the
    manager resolves it to the native symbol), or `native`: the exchange's own
    stream name, passed through as written (then `channel` and `symbol` are
    what the connector made of it, empty until it did).
    """

    exchange: str
    channel: str = ""
    symbol: str = ""
    native: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Subscription":
        """Read `exchange:channel:symbol` or `exchange:<native stream>`.

        Raises ConfigError that names the part that is wrong.
        """
        exchange, colon, rest = text.strip().partition(":")
        if not colon or not rest or not _exchange_name(exchange):
            raise ConfigError(
                f"subscription {text!r} is not of the form exchange:channel:symbol (example:trade:BTCUSDT) "
                "or exchange:<native stream>"
            )
        return cls.of(exchange, rest)

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for every symbol that fits, by the exchange's list."""
        return self.native is None and ("*" in self.symbol or "?" in self.symbol)

    @classmethod
    def of(cls, exchange: str, stream: str) -> "Subscription":
        """Read the part behind the exchange: `channel:symbol`, or the exchange's own stream name.

        Raises ConfigError where it is neither.
        """
        if any("\ud800" <= char <= "\udfff" for char in stream):
            raise ConfigError(f"subscription {exchange}:{stream!r} is not UTF-8 text")
        channel, colon, symbol = (part.strip() for part in stream.partition(":"))
        if not channel:
            raise ConfigError(f"subscription {exchange}:{stream} names no stream: {exchange}:CHANNEL:SYMBOL")
        if channel in _known:
            if not symbol:
                raise ConfigError(f"subscription {exchange}:{stream} lacks a symbol: {exchange}:{channel}:SYMBOL")
            return cls(exchange, channel, symbol)
        # Exchanges have channels called `trades` or `mark-price`; only what can be
        # nobody's but ours is taken for a slip, the connector judges the rest.
        ours = "_" in channel or channel.lower() in _known
        near = get_close_matches(channel, CHANNELS, n=1, cutoff=0.75) if colon and ours else []
        if near:
            raise ConfigError(
                f"unknown channel {channel!r} in {exchange}:{stream}; did you mean {near[0]}? "
                f"Channels: {', '.join(short_channels())}"
            )
        return cls(exchange, native=stream.strip())

    def described(self, channel: str, symbol: str) -> "Subscription":
        """Return it with `channel` and `symbol` filled in where it is native; any other as it is."""
        return self if self.native is None else evolve(self, channel=channel, symbol=symbol)

    def __str__(self) -> str:
        if self.native is not None:
            return f"{self.exchange}:{self.native}"
        return f"{self.exchange}:{self.channel}:{self.symbol}"


def short_channels() -> list[str]:
    """Return the channel names for a message, candles folded into one entry."""
    return [c for c in CHANNELS if not c.startswith("candle_")] + ["candle_<interval>"]
