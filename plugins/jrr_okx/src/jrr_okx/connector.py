"""Which connections OKX needs for a set of streams, and what to say on them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import define, validators

from jrr_core.connector import ExchangeSettings, Keepalive, Numbering, SessionPlan
from jrr_core.frame import Frame, HttpGet
from jrr_core.instrument import Instrument
from jrr_core.playback import Reception
from jrr_core.setting import setting
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import WantedTopics, by_topic

from . import playback
from .clock import server_time
from .instruments import read_instruments
from .parser import OkxParser
from .products import (
    BOOKS_PER_CONNECTION,
    EXCHANGE,
    FIXED_RATES,
    INSTRUMENT_TYPES,
    INSTRUMENTS_POOL,
    KEEPALIVE_IDLE_S,
    LIMITS,
    PATHS,
    REST_URL,
    STALE_S,
    STREAMS_PER_CONNECTION,
    TIME_POOL,
    WS_URL,
)
from .topics import Topic, batches, described, request, topic_of


@define(kw_only=True)
class OkxSettings(ExchangeSettings):
    """Settings of `[exchanges.okx]`."""

    ws_url: str = setting(WS_URL, "WebSocket address of OKX, without path; regional stacks have their own.")
    rest_url: str = setting(REST_URL, "REST address of OKX, without path.")
    stale_s: float = setting(STALE_S, "Seconds without any frame after which a connection counts as dead.")
    trade_stream: str = setting(
        "trades",
        'Source of `trade`: "trades" (fills of one taker order at one price merged) or "trades-all" (every fill).',
        validator=validators.in_(("trades", "trades-all")),
    )
    streams_per_connection: int = setting(
        STREAMS_PER_CONNECTION, "Most streams on one connection.", validator=validators.ge(1)
    )
    books_per_connection: int = setting(
        BOOKS_PER_CONNECTION,
        "Most whole order books on one connection; OKX recommends fewer than 30.",
        validator=validators.ge(1),
    )


@define
class _Shard:
    """Topics gathered for one connection, with the streams each carries."""

    streams: dict[Topic, list[Subscription]]
    books: int = 0


class OkxConnector:
    """Spot, swap and futures of OKX, which share one symbol namespace and one address."""

    exchange: ClassVar[str] = EXCHANGE
    Settings: ClassVar[type[ExchangeSettings]] = OkxSettings
    simulator: ClassVar[str | None] = "jrr_okx.simulator:OkxScript"
    limits = LIMITS
    fixed_rates: ClassVar[Mapping[str, float]] = FIXED_RATES
    # Docs, "Trades channel": `count` fills end in `tradeId`; "All trades channel": one push a fill.
    trade_numbering: ClassVar[Mapping[str | None, Numbering]] = {None: "fills", "fill": "each"}

    def __init__(self, settings: OkxSettings) -> None:
        """Take an instance of `Settings`."""
        self._settings = settings

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Shard the streams by path, then by number of streams and of whole books; raises ConfigError."""
        streams = by_topic(wanted, lambda item: topic_of(item, self._settings.trade_stream), described)
        plans = []
        for path in PATHS:
            shards: list[_Shard] = []
            for topic, carried in streams.items():
                if topic.rule.path == path:
                    self._place(topic, carried, shards)
            plans += [self._plan(path, number, shard) for number, shard in enumerate(shards)]
        return plans

    def _place(self, topic: Topic, carried: list[Subscription], shards: list[_Shard]) -> None:
        """Put a topic on the first connection with room for it."""
        deep = int(topic.rule.deep)
        for shard in shards:
            if len(shard.streams) >= self._settings.streams_per_connection:
                continue
            if shard.books + deep <= self._settings.books_per_connection:
                break
        else:
            shard = _Shard({})
            shards.append(shard)
        shard.streams[topic] = carried
        shard.books += deep

    def _plan(self, path: str, number: int, shard: _Shard) -> SessionPlan:
        subscriptions = tuple([stream for carried in shard.streams.values() for stream in carried])
        topics = WantedTopics(lambda subscription: topic_of(subscription, self._settings.trade_stream))
        return SessionPlan(
            name=f"{EXCHANGE}-{path}-{number}",
            exchange=EXCHANGE,
            url=f"{self._settings.ws_url.rstrip('/')}/ws/v5/{path}",
            subscriptions=subscriptions,
            subscribe=lambda wanted: [request("subscribe", batch) for batch in batches(topics.want(wanted))],
            unsubscribe=lambda unwanted: [request("unsubscribe", batch) for batch in batches(topics.leave(unwanted))],
            keepalive=Keepalive("ping", KEEPALIVE_IDLE_S),
            max_streams=self._settings.streams_per_connection,
        )

    def parser(self, subscriptions: Sequence[Subscription] | None) -> OkxParser:
        """Return a fresh parser for a connection carrying these streams; None takes every stream (replay)."""
        return OkxParser(subscriptions, self._settings.trade_stream, self._settings.rest_url)

    def time_request(self) -> HttpGet:
        """Return the GET of the exchange's time."""
        return HttpGet(f"{self._settings.rest_url.rstrip('/')}/api/v5/public/time", "time", pool=TIME_POOL)

    def server_time(self, frame: Frame) -> int:
        """Read the reply; raises ParseError."""
        return server_time(frame)

    def topic_of(self, payload: str) -> str | None:
        """Return what clients ask for to get a recorded frame; raises ParseError."""
        return playback.topic_of(payload)

    def reception(self, path: str, query: str) -> Reception | None:
        """Return what receives a client of a served capture."""
        return playback.reception(path)

    def instrument_requests(self) -> Sequence[HttpGet]:
        """Return one GET for each instrument type."""
        rest = self._settings.rest_url.rstrip("/")
        return [
            HttpGet(
                f"{rest}/api/v5/public/instruments?instType={kind}", tag=f"instruments:{kind}", pool=INSTRUMENTS_POOL
            )
            for kind in INSTRUMENT_TYPES
        ]

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read one reply to `instrument_requests`; raises ParseError when it is not one."""
        return read_instruments(frame)
