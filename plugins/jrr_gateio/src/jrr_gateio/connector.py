"""Gate's two connectors: which connections to open and what to say on them. Opens nothing itself."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import define, validators

from jrr_core.connector import ExchangeSettings, Keepalive, SessionPlan
from jrr_core.frame import Frame, HttpGet
from jrr_core.instrument import Instrument
from jrr_core.playback import Reception
from jrr_core.setting import setting
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import WantedTopics, by_topic

from . import playback
from .clock import server_time
from .instruments import read_instruments
from .parser import GateParser
from .products import (
    API,
    BOOK_DEPTHS,
    FIXED_RATES,
    FUTURES,
    LIMITS,
    PING_S,
    REST_URL,
    SPOT,
    STALE_S,
    STREAMS_PER_CONNECTION,
    TIME_PATH,
    Product,
)
from .topics import BookChoice, Topic, ping, request, topic_of


@define(kw_only=True)
class GateSettings(ExchangeSettings):
    """Settings of `[exchanges.gateio]`."""

    ws_url: str = setting(SPOT.ws_url, "WebSocket address of Gate, without path.")
    rest_url: str = setting(REST_URL, "REST address of Gate, without path.")
    stale_s: float = setting(STALE_S, "Seconds without any frame after which a connection counts as dead.")
    book_stream: str = setting(
        "obu",
        'Source of `book`: "obu" (the book comes in the stream) or "order_book_update" (it begins over REST).',
        validator=validators.in_(("obu", "order_book_update")),
    )
    book_depth: int = setting(
        400,
        'Levels a side of `book` with book_stream "obu": 400 (every 100 ms) or 50 (every 20 ms).',
        validator=validators.in_(BOOK_DEPTHS),
    )
    streams_per_connection: int = setting(
        STREAMS_PER_CONNECTION, "Most channels of symbols on one connection.", validator=validators.ge(1)
    )


@define(kw_only=True)
class GateFuturesSettings(GateSettings):
    """Settings of `[exchanges.gateio-futures]`."""

    ws_url: str = setting(FUTURES.ws_url, "WebSocket address of Gate's futures, without path.")


class _Connector:
    """What both products share; a subclass names its product."""

    exchange: ClassVar[str]
    Settings: ClassVar[type[ExchangeSettings]]
    simulator: ClassVar[str | None]
    product: ClassVar[Product]
    limits = LIMITS
    fixed_rates: ClassVar[Mapping[str, float]] = FIXED_RATES

    def __init__(self, settings: Any) -> None:
        """Take an instance of `Settings`."""
        self._settings = settings
        self._book = BookChoice(settings.book_stream, settings.book_depth)

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Shard by number of topics; raises ConfigError."""
        carried = by_topic(wanted, self._topic, lambda item, topic: item.described(topic.channel, topic.symbol))
        topics, size = list(carried), self._settings.streams_per_connection
        shards = [topics[start : start + size] for start in range(0, len(topics), size)]
        return [
            self._plan(number, [subscription for topic in shard for subscription in carried[topic]])
            for number, shard in enumerate(shards)
        ]

    def _topic(self, subscription: Subscription) -> Topic:
        return topic_of(self.product, subscription, self._book)

    def _plan(self, number: int, subscriptions: Sequence[Subscription]) -> SessionPlan:
        product, topics = self.product, WantedTopics(self._topic)
        return SessionPlan(
            name=f"{self.exchange}-{number}",
            exchange=self.exchange,
            url=f"{self._settings.ws_url.rstrip('/')}{product.ws_path}",
            subscriptions=tuple(subscriptions),
            subscribe=lambda wanted: [request(product, "subscribe", topic) for topic in topics.want(wanted)],
            unsubscribe=lambda unwanted: [request(product, "unsubscribe", topic) for topic in topics.leave(unwanted)],
            keepalive=Keepalive(ping(product), PING_S, always=True),
            max_streams=self._settings.streams_per_connection,
            headers=product.headers,
        )

    def parser(self, subscriptions: Sequence[Subscription] | None) -> GateParser:
        """Return a fresh parser for a connection carrying these streams; None takes every stream (replay)."""
        return GateParser(self.product, subscriptions, self._book, self._settings.rest_url)

    def time_request(self) -> HttpGet:
        """Return the GET of the exchange's time."""
        return HttpGet(f"{self._settings.rest_url.rstrip('/')}{API}{TIME_PATH}", "time", 1, self.product.exchange)

    def server_time(self, frame: Frame) -> int:
        """Read the reply; raises ParseError."""
        return server_time(frame)

    def topic_of(self, payload: str) -> str | None:
        """Return what clients ask for to get a recorded frame; raises ParseError."""
        return playback.topic_of(payload)

    def reception(self, path: str, query: str) -> Reception | None:
        """Return what receives a client of a served capture."""
        return playback.reception(path, self.product)

    def instrument_requests(self) -> Sequence[HttpGet]:
        """Return the one GET that lists all symbols."""
        product = self.product
        url = f"{self._settings.rest_url.rstrip('/')}{API}{product.instruments_path}"
        return [HttpGet(url, "instruments", 1, product.exchange, headers=product.headers)]

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read the answer; raises ParseError when it is not one."""
        return read_instruments(self.product, frame)


class Spot(_Connector):
    """Gate spot."""

    exchange = SPOT.exchange
    Settings: ClassVar[type[ExchangeSettings]] = GateSettings
    simulator: ClassVar[str | None] = "jrr_gateio.simulator:SpotScript"
    product = SPOT


class Futures(_Connector):
    """Perpetual contracts settled in USDT, amounts in contracts."""

    exchange = FUTURES.exchange
    Settings: ClassVar[type[ExchangeSettings]] = GateFuturesSettings
    simulator: ClassVar[str | None] = "jrr_gateio.simulator:FuturesScript"
    product = FUTURES
