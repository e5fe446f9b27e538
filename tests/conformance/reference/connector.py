"""The connector of Harbour: a hundred streams a connection, twenty a message, and `ping` before it falls silent."""

from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from jrr_core import wire
from jrr_core.connector import ExchangeSettings, Keepalive, Limits, Rate, SessionPlan
from jrr_core.errors import ConfigError
from jrr_core.exact import optional_decimal
from jrr_core.frame import Frame, HttpGet, Send
from jrr_core.instrument import Instrument
from jrr_core.parser import Parser
from jrr_core.setting import setting
from jrr_core.subscription import Subscription
from tests.conformance.reference.parser import HarbourParser

CHANNELS = ("trade", "quote", "book", "candle_1s", "candle_1m")
STREAMS_PER_CONNECTION = 100
STREAMS_PER_MESSAGE = 20
IDLE_S = 30.0
LIFETIME_S = 86_400.0
LIMITS = Limits(connects=Rate(2, 1.0), messages=Rate(10, 1.0), http={"rest": Rate(100, 60.0)})


@attrs.define(kw_only=True)
class HarbourSettings(ExchangeSettings):
    """Settings of `[exchanges.harbour]`."""

    ws_url: str = setting("wss://ws.harbour.example", "WebSocket address of Harbour, without path.")
    rest_url: str = setting("https://api.harbour.example", "REST address of Harbour, without path.")


class Listed(wire.Struct):
    """A row of `/instruments`."""

    sym: str
    base: str
    quote: str
    tick: str
    lot: str


_listed = wire.decoder(list[Listed])


class HarbourConnector:
    """Right in everything the kit asks of a connector."""

    exchange: ClassVar[str] = "harbour"
    Settings: ClassVar[type[ExchangeSettings]] = HarbourSettings
    simulator: ClassVar[str | None] = "tests.conformance.reference.simulator:HarbourScript"
    limits: Limits = LIMITS
    most: ClassVar[int] = STREAMS_PER_CONNECTION

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Put a hundred streams on a connection; raises ConfigError for a stream Harbour does not have."""
        streams = [self.described(item) for item in dict.fromkeys(wanted)]
        shards = [streams[at : at + self.most] for at in range(0, len(streams), self.most)]
        return [self.plan(f"harbour-{number}", shard) for number, shard in enumerate(shards)]

    def described(self, item: Subscription) -> Subscription:
        """Fill in channel and symbol of a native name, which is written channel.SYMBOL."""
        channel, symbol = item.channel, item.symbol
        if item.native is not None:
            channel, _, symbol = item.native.partition(".")
        if channel not in CHANNELS or not symbol:
            raise ConfigError(f"harbour has no stream {item.native or channel!r}; it has {', '.join(CHANNELS)}")
        return attrs.evolve(item, channel=channel, symbol=symbol)

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return SessionPlan(
            name, self.exchange, f"{self.settings.ws_url}/v1", tuple(streams), self.subscribe, self.unsubscribe,
            keepalive=Keepalive('{"op":"ping"}', 20.0), rotate_after_s=80_000.0, max_streams=self.most,
        )  # fmt: skip

    def subscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return self.messages("sub", streams)

    def unsubscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return self.messages("unsub", streams)

    def messages(self, op: str, streams: Sequence[Subscription]) -> Sequence[Send]:
        """Return messages of twenty streams each; a message's id, which its answer bears, holds their names."""
        sends = []
        for at in range(0, len(streams), STREAMS_PER_MESSAGE):
            names = [stream_name(item) for item in streams[at : at + STREAMS_PER_MESSAGE]]
            identity = " ".join([op, *names])
            sends.append(Send(wire.encode({"op": op, "id": identity, "streams": names}), (identity,)))
        return sends

    def parser(self, subscriptions: Sequence[Subscription] | None) -> Parser:
        return HarbourParser(self.settings.rest_url, {stream_name(item): item for item in subscriptions or ()})

    def instrument_requests(self) -> Sequence[HttpGet]:
        return [HttpGet(f"{self.settings.rest_url}/instruments", "instruments", pool="rest")]

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        return [
            Instrument(
                self.exchange, item.sym, item.base, item.quote, None, "spot", optional_decimal(item.tick),
                optional_decimal(item.lot), None, None, f"{item.base}-{item.quote}",
            )
            for item in _listed(frame.payload)
        ]  # fmt: skip


def stream_name(item: Subscription) -> str:
    """Return Harbour's name of a stream."""
    return f"{item.channel}.{item.symbol}"
