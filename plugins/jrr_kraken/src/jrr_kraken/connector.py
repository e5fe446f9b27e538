"""Which connections Kraken needs for a set of streams, and what to say on them. Opens nothing itself."""

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
from jrr_core.wire import encode

from . import playback
from .clock import server_time
from .instruments import read_instruments
from .parser import KrakenParser
from .products import (
    BOOK_DEPTHS,
    EXCHANGE,
    LIMITS,
    PING_IDLE_S,
    REST_URL,
    STALE_S,
    STREAMS_PER_CONNECTION,
    WS_PATH,
    WS_URL,
)
from .topics import Topic, requests, topic_of

_PING = encode({"method": "ping"})


@define(kw_only=True)
class KrakenSettings(ExchangeSettings):
    """Settings of `[exchanges.kraken]`."""

    ws_url: str = setting(WS_URL, "WebSocket address of Kraken, without path.")
    rest_url: str = setting(REST_URL, "REST address of Kraken, without path.")
    stale_s: float = setting(STALE_S, "Seconds without any frame after which a connection counts as dead.")
    book_depth: int = setting(
        1000,
        "Levels a side of `book`, and of the book behind `book_snapshot_<n>`: 10, 25, 100, 500 or 1000.",
        validator=validators.in_(BOOK_DEPTHS),
    )
    streams_per_connection: int = setting(
        STREAMS_PER_CONNECTION, "Most channels of symbols on one connection.", validator=validators.ge(1)
    )


class KrakenConnector:
    """Kraken's spot market, WebSocket v2."""

    exchange: ClassVar[str] = EXCHANGE
    Settings: ClassVar[type[ExchangeSettings]] = KrakenSettings
    simulator: ClassVar[str | None] = "jrr_kraken.simulator:KrakenScript"
    limits = LIMITS
    # Docs, "Trade": trade_id is a sequence number of the symbol.
    trade_numbering: ClassVar[Mapping[str | None, Numbering]] = {None: "each"}

    def __init__(self, settings: KrakenSettings) -> None:
        """Take an instance of `Settings`."""
        self._settings = settings

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Shard by number of topics; raises ConfigError."""
        carried = by_topic(wanted, self._topic, lambda item, topic: item.described(topic.stream, topic.symbol))
        topics, size = list(carried), self._settings.streams_per_connection
        shards = [topics[start : start + size] for start in range(0, len(topics), size)]
        return [
            self._plan(number, [subscription for topic in shard for subscription in carried[topic]])
            for number, shard in enumerate(shards)
        ]

    def _topic(self, subscription: Subscription) -> Topic:
        return topic_of(subscription, self._settings.book_depth)

    def _plan(self, number: int, subscriptions: Sequence[Subscription]) -> SessionPlan:
        topics = WantedTopics(self._topic)
        return SessionPlan(
            name=f"{EXCHANGE}-{number}",
            exchange=EXCHANGE,
            url=f"{self._settings.ws_url.rstrip('/')}{WS_PATH}",
            subscriptions=tuple(subscriptions),
            subscribe=lambda wanted: list(requests("subscribe", topics.want(wanted))),
            unsubscribe=lambda unwanted: list(requests("unsubscribe", topics.leave(unwanted))),
            keepalive=Keepalive(_PING, PING_IDLE_S),
            max_streams=self._settings.streams_per_connection,
        )

    def parser(self, subscriptions: Sequence[Subscription] | None) -> KrakenParser:
        """Return a fresh parser for a connection carrying these streams; None takes every stream (replay)."""
        return KrakenParser(subscriptions, self._settings.book_depth, self._settings.rest_url)

    def time_request(self) -> HttpGet:
        """Return the GET of the exchange's time."""
        return HttpGet(f"{self._settings.rest_url.rstrip('/')}/0/public/Time", "time", 1, EXCHANGE)

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
        """Return the one GET that lists all pairs."""
        return [HttpGet(f"{self._settings.rest_url.rstrip('/')}/0/public/AssetPairs", "instruments", 1, EXCHANGE)]

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read the answer; raises ParseError when it is not one."""
        return read_instruments(frame)
