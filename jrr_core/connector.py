"""The Connector contract: which connections to open to an exchange and what to say on them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from attrs import Factory, define, validators

from .frame import Frame, HttpGet, Send
from .instrument import Instrument
from .parser import Parser
from .setting import setting
from .subscription import Subscription

_positive = validators.gt(0)

Numbering = Literal["each", "fills"]
"""How trade ids leave none out: "each" is one trade, or a trade of `count` "fills" ends in its id and covers them."""


@define(kw_only=True)
class ExchangeSettings:
    """Settings every exchange has, read from `[exchanges.<name>]`; connectors add their own fields."""

    ws_url: str = setting("", "WebSocket address of the exchange, without path.")
    rest_url: str = setting("", "REST address of the exchange, without path.")
    stale_s: float = setting(
        60.0, "Seconds without any frame after which a connection counts as dead.", validator=_positive
    )
    first_data_s: float = setting(
        60.0,
        "Seconds after subscribing within which a stream should deliver before its silence is reported.",
        validator=_positive,
    )
    quiet_s: float = setting(
        120.0,
        "Least seconds of silence before a stream that used to deliver is reported quiet; "
        "slower streams are given 30 times their usual interval.",
        validator=_positive,
    )
    connect_timeout_s: float = setting(10.0, "Seconds a connection attempt may take.", validator=_positive)
    ack_timeout_s: float = setting(
        10.0, "Seconds within which the exchange must answer a subscribe message.", validator=_positive
    )
    instruments_s: float = setting(
        900.0,
        "Seconds after which the list of instruments is read again, give or take a tenth: what newly fits a pattern "
        "is subscribed, what is delisted ends. 0 reads it once.",
        validator=validators.ge(0),
    )
    redundancy: int = setting(
        1,
        "Connections that carry each stream; with 2 or more the loss of one loses nothing. 1 to 4.",
        validator=(validators.ge(1), validators.le(4)),
    )
    backfill_events: int = setting(
        200_000,
        "The most events of one hole that are fetched over REST; a larger hole stays a gap. 0 fetches none.",
        validator=validators.ge(0),
    )


@define(frozen=True)
class Rate:
    """At most `count` per `per_s` seconds."""

    count: float
    per_s: float

    def shared_by(self, sharers: int) -> "Rate":
        """Return the part of each of so many that keep to it together."""
        return Rate(self.count / sharers, self.per_s)


@define(frozen=True)
class Limits:
    """What the exchange allows, across all sessions unless said otherwise.

    `connects`: connection attempts. `messages`: messages we send, per
    connection, spaced evenly. `http`: weight budgets by pool name; exchanges
    that share a budget name the same pool.
    """

    connects: Rate
    messages: Rate
    http: Mapping[str, Rate] = Factory(dict)


@define(frozen=True)
class Keepalive:
    """Send `text` after `idle_s` seconds without a frame; any frame afterwards proves life.

    With `always` it is sent every `idle_s` seconds, whatever comes: for
    exchanges that want to hear of their clients. NOW_S in the text becomes the
    time, as in Send.
    """

    text: str
    idle_s: float
    always: bool = False


@define(frozen=True)
class SessionPlan:
    """One connection to open: its address, the streams it carries, and how to ask for them.

    `name` is unique within the exchange and stable for the same
    subscriptions. `subscribe` and `unsubscribe` turn streams into messages;
    they are called at connect and again when streams are added or removed.
    `rotate_after_s` renews the connection (successor first) before the
    exchange would close it. `max_streams` is the most it can carry. `headers`
    are sent with the handshake.
    """

    name: str
    exchange: str
    url: str
    subscriptions: tuple[Subscription, ...]
    subscribe: Callable[[Sequence[Subscription]], Sequence[Send]]
    unsubscribe: Callable[[Sequence[Subscription]], Sequence[Send]]
    keepalive: Keepalive | None = None
    ping_interval_s: float | None = None
    rotate_after_s: float | None = None
    max_streams: int | None = None
    headers: Mapping[str, str] = Factory(dict)


class Connector(Protocol):
    """Decides what to open and what to say; opens nothing itself. All methods are pure and do no I/O.

    `exchange` is one symbol namespace and rule set. `simulator` names the
    protocol script for `jrr simulate` as "module:Class", None without one.

    A connector may also have `trade_numbering: Mapping[str | None,
    Numbering]`: the id spaces of its pushed trades whose ids leave none out. Core
    then misses none silently: it notices a hole over all connections, has
    the parser ask for it (`Refilling`), and publishes each trade once. And
    `candle_trades: Collection[str | None]`, the id spaces of which all
    trades, and only they, are in the exchange's candles, for `jrr audit`;
    without it these are the plain ids, where they leave none out.
    """

    exchange: ClassVar[str]
    Settings: ClassVar[type[ExchangeSettings]]
    simulator: ClassVar[str | None]
    limits: Limits

    def __init__(self, settings: Any) -> None:
        """Take an instance of `Settings`."""

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Shard `wanted` (symbols already native) into connections within the exchange's limits.

        Each subscription is in exactly one plan (or in several that together
        carry it); the same input gives the same plans. The plans'
        subscriptions have `channel` and `symbol` filled in, natives too.
        Raises ConfigError naming a subscription the exchange cannot serve.
        """

    def parser(self, subscriptions: Sequence[Subscription] | None) -> Parser:
        """Return a fresh parser for a connection carrying these streams; None takes every stream (replay)."""

    def instrument_requests(self) -> Sequence[HttpGet]:
        """Return the GETs that list the exchange's instruments; empty where it has no such list."""

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read one reply to `instrument_requests`; raises ParseError when it is not one."""


@runtime_checkable
class ListsInPages(Protocol):
    """A Connector whose exchange lists its instruments in pages."""

    def next_instruments(self, frame: Frame) -> HttpGet | None:
        """Return the GET for the page behind a reply, None where it was the last; raises ParseError as `instruments`.

        The reply to it is read as those to `instrument_requests` are.
        """


@runtime_checkable
class TellsTime(Protocol):
    """A Connector whose exchange tells its time: this machine's clock is compared with it."""

    def time_request(self) -> HttpGet:
        """Return the GET of the exchange's time."""

    def server_time(self, frame: Frame) -> int:
        """Read the reply: int ns UTC, in the middle of what its resolution leaves open; raises ParseError."""
