"""Binance's three connectors: which connections to open and what to say on them. Opens nothing itself."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from zlib import crc32

from attrs import define, evolve

from jrr_core.connector import ExchangeSettings, Limits, Numbering, Rate, SessionPlan
from jrr_core.errors import ConfigError
from jrr_core.frame import Frame, HttpGet, Send
from jrr_core.instrument import Instrument
from jrr_core.playback import Reception
from jrr_core.setting import setting
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import WantedTopics
from jrr_core.wire import encode

from . import playback, streams
from .clock import server_time
from .instruments import instruments
from .parser import Parser
from .products import COINM, CONNECTS, FUNDING_POOL, FUNDING_RATE, SPOT, USDM, Product
from .streams import Stream

# 200 names in one message are accepted (measured 2026-10-07); more was never tried.
_NAMES_PER_MESSAGE = 200
# Binance closes connections after 24 hours; renewals are spread over the hour from 22 h on.
_ROTATE_S = 22 * 3600
_ROTATE_SPREAD_S = 3600
# Client pings are answered and count as messages; one a minute finds a half-open socket.
_PING_S = 60.0
_DEPTH_HELP = "Levels a side of the book snapshot a book starts from; more cost more request weight."
_TRADE_HELP = (
    'Stream behind the trade channel: "trade" (single trades) or "aggTrade" (fills merged by taker and price).'
)
_SPEED_HELP = "Update speed of the book channel: "
_SHARD_HELP = "Streams put on one connection before another is opened."
_POLL_HELP = "Seconds between two REST polls of one symbol's open interest."


@define(kw_only=True)
class SpotSettings(ExchangeSettings):
    """Settings of `[exchanges.binance]`."""

    ws_url: str = setting(SPOT.ws_url, "WebSocket address, without path.")
    rest_url: str = setting(SPOT.rest_url, "REST address, without path.")
    history_url: str = setting(
        "",
        "REST address, without path, that missing trades are fetched from (historicalTrades). Empty: "
        f"{SPOT.history_url} beside the default rest_url, which does not serve them, else rest_url.",
    )
    trade_stream: str = setting(SPOT.trade_stream, _TRADE_HELP)
    book_speed: str = setting("100ms", _SPEED_HELP + "100ms or 1000ms.")
    depth_limit: int = setting(1000, _DEPTH_HELP + " 1 to 5000.")
    streams_per_connection: int = setting(400, _SHARD_HELP + " At most 1024.")


@define(kw_only=True)
class UsdmSettings(ExchangeSettings):
    """Settings of `[exchanges.binance-usdm]`."""

    ws_url: str = setting(USDM.ws_url, "WebSocket address, without path.")
    rest_url: str = setting(USDM.rest_url, "REST address, without path.")
    trade_stream: str = setting(USDM.trade_stream, _TRADE_HELP + " trade is undocumented by the exchange.")
    book_speed: str = setting("100ms", _SPEED_HELP + "100ms, 250ms, 500ms or 0ms (undocumented, as fast as it comes).")
    depth_limit: int = setting(1000, _DEPTH_HELP + " One of 5, 10, 20, 50, 100, 500, 1000.")
    streams_per_connection: int = setting(400, _SHARD_HELP + " At most 1024.")
    open_interest_s: float = setting(60.0, _POLL_HELP)


@define(kw_only=True)
class CoinmSettings(UsdmSettings):
    """Settings of `[exchanges.binance-coinm]`."""

    ws_url: str = setting(COINM.ws_url, "WebSocket address, without path.")
    rest_url: str = setting(COINM.rest_url, "REST address, without path.")
    streams_per_connection: int = setting(200, _SHARD_HELP + " At most 200.")


class _Requests:
    """SUBSCRIBE and UNSUBSCRIBE messages of one plan, numbered; funding and mark price share a stream."""

    def __init__(self, stream_of: Callable[[Subscription], Stream]) -> None:
        self._names = WantedTopics[str](lambda subscription: stream_of(subscription).name)
        self._last_id = 0

    def subscribe(self, wanted: Sequence[Subscription]) -> Sequence[Send]:
        """Return the messages that ask for these streams."""
        return self._messages("SUBSCRIBE", self._names.want(wanted))

    def unsubscribe(self, unwanted: Sequence[Subscription]) -> Sequence[Send]:
        """Return the messages that end the streams nobody wants any more."""
        return self._messages("UNSUBSCRIBE", self._names.leave(unwanted))

    def _messages(self, method: str, names: Sequence[str]) -> Sequence[Send]:
        starts = range(0, len(names), _NAMES_PER_MESSAGE)
        return [self._message(method, names[start : start + _NAMES_PER_MESSAGE]) for start in starts]

    def _message(self, method: str, names: Sequence[str]) -> Send:
        self._last_id += 1
        key = self._last_id
        return Send(encode({"method": method, "params": names, "id": key}), (str(key),))


class _Connector:
    """What the three products share; a subclass names its product and settings.

    Ids of futures' single trades have holes by nature: aggregates alone leave none out.
    """

    trade_numbering: ClassVar[Mapping[str | None, Numbering]] = {"agg": "each"}
    exchange: ClassVar[str]
    Settings: ClassVar[type[ExchangeSettings]]
    simulator: ClassVar[str | None]
    product: ClassVar[Product]

    def __init__(self, settings: Any) -> None:
        """Take an instance of `Settings`; raises ConfigError naming a value that cannot be."""
        self.settings = settings
        product = self.product
        pools = {product.pool: Rate(product.weight_per_min, 60.0)}
        if product.funding is not None and product.funding[0] == FUNDING_POOL:
            pools[FUNDING_POOL] = FUNDING_RATE
        self.limits = Limits(connects=CONNECTS, messages=product.messages, http=pools)
        self._poll_s: float = getattr(settings, "open_interest_s", 60.0)
        self._check_settings()
        # For `jrr plan`: markPrice@1s brings the mark price and the funding rate, REST polls the open interest.
        self.fixed_rates: Mapping[str, float] = {"mark_price": 1.0, "funding": 1.0, "open_interest": 1 / self._poll_s}

    def _check_settings(self) -> None:
        settings, product = self.settings, self.product
        levels = product.depth_limits or range(1, product.most_levels + 1)
        shown = ", ".join(map(str, sorted(levels))) if product.depth_limits else f"1 to {product.most_levels}"
        shard, most = settings.streams_per_connection, product.max_streams
        for name, allowed, choices in (
            ("trade_stream", settings.trade_stream in ("trade", "aggTrade"), "trade or aggTrade"),
            ("book_speed", settings.book_speed in product.book_speeds, " or ".join(product.book_speeds)),
            ("depth_limit", settings.depth_limit in levels, shown),
            ("streams_per_connection", 1 <= shard <= most, f"1 to {most}"),
            ("open_interest_s", 1 <= self._poll_s < math.inf, "1 or more seconds"),
        ):
            if not allowed:
                value = getattr(settings, name, None)
                raise ConfigError(f"exchanges.{self.exchange}.{name} = {value!r} is not possible; use {choices}")

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Shard by path and by streams per connection; see `Connector.sessions`."""
        carried: dict[Stream, dict[Subscription, None]] = {}
        books: dict[str, str] = {}
        for subscription in wanted:
            stream = self.stream_of(subscription)
            if stream.payload == "depth" and books.setdefault(stream.symbol, stream.name) != stream.name:
                raise ConfigError(
                    f"{subscription}: a second speed of one book, {stream.name} beside {books[stream.symbol]}; "
                    "one book is kept per symbol, subscribe one of them"
                )
            filled = evolve(subscription, channel=subscription.channel or stream.channels[0], symbol=stream.symbol)
            carried.setdefault(stream, {})[filled] = None
        by_path: dict[str, list[Stream]] = {}
        for stream in carried:
            by_path.setdefault(self.product.paths[stream.payload], []).append(stream)
        size = self.settings.streams_per_connection
        return [
            self._plan(path, number, [s for stream in found[start : start + size] for s in carried[stream]])
            for path, found in sorted(by_path.items())
            for number, start in enumerate(range(0, len(found), size), start=1)
        ]

    def stream_of(self, subscription: Subscription) -> Stream:
        """Return the stream that carries a subscription; raises ConfigError naming what the exchange cannot serve."""
        if subscription.native is not None:
            return streams.native(self.product, subscription.native)
        settings = self.settings
        return streams.for_channel(self.product, subscription, settings.trade_stream, settings.book_speed)

    def _plan(self, path: str, number: int, subscriptions: list[Subscription]) -> SessionPlan:
        name = f"{path.strip('/').split('/')[0]}-{number}"
        requests = _Requests(self.stream_of)
        return SessionPlan(
            name=name,
            exchange=self.exchange,
            url=self.settings.ws_url.rstrip("/") + path,
            subscriptions=tuple(subscriptions),
            subscribe=requests.subscribe,
            unsubscribe=requests.unsubscribe,
            ping_interval_s=_PING_S,
            rotate_after_s=float(_ROTATE_S + crc32(f"{self.exchange} {name}".encode()) % _ROTATE_SPREAD_S),
            max_streams=self.product.max_streams,
        )

    def parser(self, subscriptions: Sequence[Subscription] | None) -> Parser:
        """Return a fresh parser for a connection with these streams; None takes every stream (replay)."""
        settings = self.settings
        history_url = getattr(settings, "history_url", "") or self.product.history_url_beside(settings.rest_url)
        return Parser(
            self.product,
            subscriptions,
            self.stream_of,
            settings.rest_url,
            settings.depth_limit,
            self._poll_s,
            history_url,
        )

    def time_request(self) -> HttpGet:
        """Return the GET of the exchange's time."""
        return HttpGet(f"{self.settings.rest_url.rstrip('/')}{self.product.api}/time", "time", 1, self.product.pool)

    def server_time(self, frame: Frame) -> int:
        """Read the reply; raises ParseError."""
        return server_time(frame)

    def topic_of(self, payload: str) -> str | None:
        """Return what clients ask for to get a recorded frame; raises ParseError."""
        return playback.topic_of(payload)

    def reception(self, path: str, query: str) -> Reception | None:
        """Return what receives a client of a served capture."""
        return playback.reception(path, query)

    def instrument_requests(self) -> Sequence[HttpGet]:
        """Return the one GET that lists all symbols."""
        product = self.product
        url = f"{self.settings.rest_url.rstrip('/')}{product.api}/exchangeInfo"
        return [HttpGet(url, "instruments", product.instruments_weight, product.pool)]

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read the answer; raises ParseError when it is not one."""
        return instruments(self.product, frame)


class Spot(_Connector):
    """Binance spot."""

    trade_numbering: ClassVar[Mapping[str | None, Numbering]] = {None: "each", "agg": "each"}
    exchange = "binance"
    Settings: ClassVar[type[ExchangeSettings]] = SpotSettings
    simulator: ClassVar[str | None] = "jrr_binance.simulator:SpotScript"
    product = SPOT


class UsdM(_Connector):
    """Binance USD-M futures: linear perpetuals and dated contracts."""

    exchange = "binance-usdm"
    Settings: ClassVar[type[ExchangeSettings]] = UsdmSettings
    simulator: ClassVar[str | None] = "jrr_binance.simulator:UsdmScript"
    product = USDM


class CoinM(_Connector):
    """Binance COIN-M futures: inverse contracts, amounts in contracts."""

    exchange = "binance-coinm"
    Settings: ClassVar[type[ExchangeSettings]] = CoinmSettings
    simulator: ClassVar[str | None] = "jrr_binance.simulator:CoinmScript"
    product = COINM
