"""Bybit's three connectors: which connections to open and what to say on them. Opens nothing itself."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from attrs import define, validators

from jrr_core.connector import ExchangeSettings, Keepalive, Limits, SessionPlan
from jrr_core.frame import Frame, HttpGet
from jrr_core.instrument import Instrument
from jrr_core.playback import Reception
from jrr_core.setting import setting
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import WantedTopics, by_topic
from jrr_core.wire import encode

from . import playback
from .clock import server_time
from .instruments import next_page, read_instruments
from .parser import BybitParser
from .products import (
    ARGS_CHARS,
    BOOK_DEPTHS,
    CONNECTS,
    FIXED_RATES,
    INVERSE,
    LINEAR,
    MESSAGES,
    MOST_INSTRUMENTS,
    PING_S,
    POOL,
    POOL_RATE,
    REST_URL,
    SPOT,
    STALE_S,
    STREAMS_PER_CONNECTION,
    WS_URL,
    Product,
)
from .topics import Topic, batches, request, topic_of

_PING = encode({"op": "ping"})
_PRE_LAUNCH = "PreLaunch"


@define(kw_only=True)
class BybitSettings(ExchangeSettings):
    """Settings of `[exchanges.bybit]`, `[exchanges.bybit-linear]` and `[exchanges.bybit-inverse]`."""

    ws_url: str = setting(WS_URL, "WebSocket address of Bybit, without path.")
    rest_url: str = setting(REST_URL, "REST address of Bybit, without path; regional sites have their own.")
    stale_s: float = setting(STALE_S, "Seconds without any frame after which a connection counts as dead.")
    book_depth: int = setting(
        1000,
        "Levels a side of `book`, and of the book behind `book_snapshot_<n>`: 50 (every 20 ms), 200 (every 100 ms) or "
        "1000 (every 200 ms).",
        validator=validators.in_(BOOK_DEPTHS),
    )
    streams_per_connection: int = setting(
        STREAMS_PER_CONNECTION, "Most topics on one connection.", validator=validators.ge(1)
    )


class _Connector:
    """What the three products share; a subclass names its product."""

    exchange: ClassVar[str]
    Settings: ClassVar[type[ExchangeSettings]] = BybitSettings
    simulator: ClassVar[str | None]
    product: ClassVar[Product]
    limits = Limits(connects=CONNECTS, messages=MESSAGES, http={POOL: POOL_RATE})
    fixed_rates: ClassVar[Mapping[str, float]] = FIXED_RATES

    def __init__(self, settings: Any) -> None:
        """Take an instance of `Settings`."""
        self._settings = settings
        self._rest_url = settings.rest_url.rstrip("/")

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Shard by number of topics and by the length of their names; raises ConfigError."""
        carried = by_topic(wanted, self._topic, lambda item, topic: item.described(topic.channel, topic.symbol))
        shards: list[list[Topic]] = []
        chars = 0
        for topic in carried:
            length = len(topic.text) + len('"",')
            full = not shards or len(shards[-1]) >= self._settings.streams_per_connection
            if full or chars + length > ARGS_CHARS:
                shards.append([])
                chars = 0
            shards[-1].append(topic)
            chars += length
        return [
            self._plan(number, [subscription for topic in shard for subscription in carried[topic]])
            for number, shard in enumerate(shards)
        ]

    def _topic(self, subscription: Subscription) -> Topic:
        return topic_of(self.product, subscription, self._settings.book_depth)

    def _plan(self, number: int, subscriptions: Sequence[Subscription]) -> SessionPlan:
        topics = WantedTopics[str](lambda subscription: self._topic(subscription).text)
        return SessionPlan(
            name=f"{self.exchange}-{number}",
            exchange=self.exchange,
            url=f"{self._settings.ws_url.rstrip('/')}/v5/public/{self.product.category}",
            subscriptions=tuple(subscriptions),
            subscribe=lambda wanted: [request("subscribe", batch) for batch in batches(topics.want(wanted))],
            unsubscribe=lambda unwanted: [request("unsubscribe", batch) for batch in batches(topics.leave(unwanted))],
            keepalive=Keepalive(_PING, PING_S, always=True),
            max_streams=self._settings.streams_per_connection,
        )

    def parser(self, subscriptions: Sequence[Subscription] | None) -> BybitParser:
        """Return a fresh parser for a connection carrying these streams; None takes every stream (replay)."""
        return BybitParser(self.product, subscriptions, self._settings.book_depth, self._rest_url)

    def time_request(self) -> HttpGet:
        """Return the GET of the exchange's time."""
        return HttpGet(f"{self._rest_url}/v5/market/time", "time", 1, POOL)

    def server_time(self, frame: Frame) -> int:
        """Read the reply; raises ParseError."""
        return server_time(frame)

    def topic_of(self, payload: str) -> str | None:
        """Return what clients ask for to get a recorded frame; raises ParseError."""
        return playback.topic_of(payload)

    def reception(self, path: str, query: str) -> Reception | None:
        """Return what receives a client of a served capture."""
        return playback.reception(path, self.product.category)

    def instrument_requests(self) -> Sequence[HttpGet]:
        """Return the GET of what trades, and for derivatives that of what is about to; these are listed apart."""
        states = ("", _PRE_LAUNCH) if self.product.derivative else ("",)
        return [self._page(state, "") for state in states]

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read one page; raises ParseError when it is not one."""
        return read_instruments(self.product, frame)

    def next_instruments(self, frame: Frame) -> HttpGet | None:
        """Return the GET for the page behind this one; raises ParseError."""
        cursor = next_page(frame)
        return self._page((frame.tag or "").removeprefix("instruments:"), cursor) if cursor else None

    def _page(self, state: str, cursor: str) -> HttpGet:
        # Spot takes neither limit nor cursor (docs, "Get Instruments Info").
        query = f"category={self.product.category}"
        query += f"&limit={MOST_INSTRUMENTS}" * self.product.derivative
        query += f"&status={state}" if state else ""
        query += f"&cursor={quote(cursor, safe='')}" if cursor else ""
        return HttpGet(f"{self._rest_url}/v5/market/instruments-info?{query}", f"instruments:{state}", 1, POOL)


class Spot(_Connector):
    """Bybit spot."""

    exchange = SPOT.exchange
    simulator: ClassVar[str | None] = "jrr_bybit.simulator:SpotScript"
    product = SPOT


class Linear(_Connector):
    """Contracts settled in USDT or USDC, amounts in the base coin."""

    exchange = LINEAR.exchange
    simulator: ClassVar[str | None] = "jrr_bybit.simulator:LinearScript"
    product = LINEAR


class Inverse(_Connector):
    """Contracts settled in coins, amounts in contracts of one dollar."""

    exchange = INVERSE.exchange
    simulator: ClassVar[str | None] = "jrr_bybit.simulator:InverseScript"
    product = INVERSE
