"""The connector suite passes a connector that keeps its promises and fails each way of breaking them."""

from collections.abc import Sequence
from itertools import count
from typing import Any, ClassVar

import attrs
import pytest

from jrr_core import wire
from jrr_core.connector import ExchangeSettings, Limits, Rate, SessionPlan
from jrr_core.errors import ConfigError
from jrr_core.events import Message
from jrr_core.frame import Frame, HttpGet, Request, Send
from jrr_core.instrument import Instrument
from jrr_core.setting import setting
from jrr_core.subscription import Subscription
from jrr_core.testing.connector_suite import ConnectorSuite


class _SilentParser:
    def __init__(self) -> None:
        self.requests: list[Request] = []

    def receive(self, frame: Frame) -> Sequence[Message]:
        return ()


@attrs.define(kw_only=True)
class ExampleSettings(ExchangeSettings):
    ws_url: str = setting("wss://ws.example.net", "WebSocket address.")
    rest_url: str = setting("https://api.example.net", "REST address.")


class _Listed(wire.Struct):
    symbol: str
    base: str
    quote: str


class ExampleConnector:
    """Three hundred streams a connection; native streams are written symbol@channel."""

    exchange: ClassVar[str] = "example"
    Settings: ClassVar[type[ExchangeSettings]] = ExampleSettings
    simulator: ClassVar[str | None] = None
    limits = Limits(Rate(5, 1), Rate(5, 1), {"rest": Rate(6000, 60)})
    most = 300

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        streams = [self.filled(item) for item in wanted]
        shards = [streams[start : start + self.most] for start in range(0, len(streams), self.most)]
        return [self.plan(f"example-{n}", shard) for n, shard in enumerate(shards)]

    def filled(self, item: Subscription) -> Subscription:
        channel, symbol = item.channel, item.symbol
        if item.native is not None:
            symbol, _, channel = item.native.upper().partition("@")
        if channel.lower() not in ("trade", "quote"):
            raise ConfigError(f"example has no stream {item.native or item.channel!r}; it has trade and quote")
        return attrs.evolve(item, channel=channel.lower(), symbol=symbol)

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        url = f"{self.settings.ws_url}/v1"
        return SessionPlan(name, self.exchange, url, tuple(streams), self.subscribe, self.unsubscribe, max_streams=300)

    def subscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return [
            Send(wire.encode({"subscribe": [f"{s.symbol}@{s.channel}" for s in streams[at : at + 50]]}), (f"sub-{at}",))
            for at in range(0, len(streams), 50)
        ]

    def unsubscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return self.subscribe(streams)

    def parser(self, subscriptions: Sequence[Subscription] | None) -> _SilentParser:
        return _SilentParser()

    def instrument_requests(self) -> Sequence[HttpGet]:
        return [HttpGet(f"{self.settings.rest_url}/instruments", "instruments", 20, "rest")]

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        return [
            Instrument(
                self.exchange, i.symbol, i.base, i.quote, None, "spot", None, None, None, None, f"{i.base}-{i.quote}"
            )
            for i in wire.decoder(list[_Listed])(frame.payload)
        ]


class TestExampleConnector(ConnectorSuite):
    connector = ExampleConnector
    wanted = ("example:trade:BTCUSDT", "example:quote:BTCUSDT", "example:ethusdt@trade")
    max_message_bytes = 1024
    instrument_replies = ('[{"symbol":"BTCUSDT","base":"BTC","quote":"USDT"}]',)

    def many(self, count: int) -> Sequence[str]:
        return [f"example:trade:A{n}USDT" for n in range(count)]


class DropsNatives(ExampleConnector):
    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        return super().sessions([item for item in wanted if item.native is None])


class TakesAnything(ExampleConnector):
    def filled(self, item: Subscription) -> Subscription:
        return attrs.evolve(item, channel=item.channel or "x", symbol=item.symbol or "x")


class OverfillsConnections(ExampleConnector):
    most = 301


class NamesByTheClock(ExampleConnector):
    tick = count()

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return super().plan(f"{name}-{next(self.tick)}", streams)


class SendsOneHugeMessage(ExampleConnector):
    def subscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return [Send(" ".join(item.symbol for item in streams))]


class ForgetsTheLast(ExampleConnector):
    def subscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return super().subscribe(streams[:-1])


class IgnoresTheAddress(ExampleConnector):
    def __init__(self, settings: Any) -> None:
        super().__init__(ExampleSettings())


class LeaksErrors(ExampleConnector):
    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        listed: Any = wire.decode(frame.payload)
        return [listed[0]["symbol"]]


@pytest.mark.parametrize(
    ("connector", "test", "anchor"),
    [
        (DropsNatives, "test_every_stream_is_in_a_plan_and_once_in_it", "every-stream-once"),
        (TakesAnything, "test_unknown_channel_is_refused_by_name", "unknown-streams"),
        (TakesAnything, "test_unknown_native_stream_is_refused_by_name", "unknown-streams"),
        (OverfillsConnections, "test_connections_stay_within_the_stream_limit", "limits"),
        (NamesByTheClock, "test_same_subscriptions_give_the_same_sessions", "deterministic-sessions"),
        (SendsOneHugeMessage, "test_messages_stay_within_the_size_limit", "limits"),
        (ForgetsTheLast, "test_subscribe_messages_carry_every_stream", "subscribe-messages"),
        (IgnoresTheAddress, "test_addresses_come_from_the_settings", "settings"),
        (LeaksErrors, "test_damaged_instrument_lists_give_instruments_or_parse_error", "instruments"),
    ],
)
def test_a_broken_promise_fails_by_name(connector: type[ExampleConnector], test: str, anchor: str) -> None:
    suite = type("Suite", (TestExampleConnector,), {"connector": connector})()
    with pytest.raises(AssertionError, match=f"#{anchor}"):
        getattr(suite, test)()
