"""The short way to a new exchange: inherit, write four methods, hand the class over in `jrr_connectors()`.

Everything else (reconnecting, pacing, counting, storing) comes from core. Where
an exchange needs sharding, REST snapshots or acks, write a Connector and a
Parser instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from attrs import fields_dict

from .connector import ExchangeSettings, Keepalive, Limits, Rate, SessionPlan
from .errors import ConfigError, ParseError
from .events import Message
from .frame import Frame, HttpGet, Request, Send
from .instrument import Instrument
from .parser import Parser
from .subscription import Subscription


class BaseWebSocketConnector:
    """A Connector and, per connection, a Parser, made from four methods.

    Class attributes to set: `exchange`; to change where the defaults do not
    fit: `Settings`, `limits`, `heartbeat_s` (idle seconds before
    `send_heartbeat` is asked) and `channels` (the channels it can serve; empty
    means any).
    """

    exchange: ClassVar[str] = ""
    Settings: ClassVar[type[ExchangeSettings]] = ExchangeSettings
    simulator: ClassVar[str | None] = None
    heartbeat_s: ClassVar[float] = 20.0
    channels: ClassVar[tuple[str, ...]] = ()
    limits: Limits = Limits(connects=Rate(1, 1.0), messages=Rate(5, 1.0))

    def __init__(self, settings: Any) -> None:
        """Take an instance of `Settings`."""
        self.settings = settings

    def get_ws_url(self) -> str:
        """Return the full WebSocket address; `self.settings.ws_url` unless overridden.

        A `ws_url` that the user set and this address does not begin with takes
        its place, so that every exchange can be pointed at another server.
        """
        return str(self.settings.ws_url)

    def subscribe(self, channels: Sequence[str]) -> str | Sequence[str]:
        """Return the message, or messages, that subscribe to `channels`.

        Each is "channel:symbol" as in a subscription, or the native stream
        name the user wrote.
        """
        raise NotImplementedError(f"{type(self).__name__} must define subscribe(channels)")

    def parse_message(self, raw: str | bytes) -> Message | Iterable[Message] | None:
        """Return the event or events a frame means; None for acks, heartbeats and other control frames.

        Leave `ts_recv` 0: it is filled in. Anything raised counts the frame
        as rejected and keeps it in quarantine.
        """
        raise NotImplementedError(f"{type(self).__name__} must define parse_message(raw)")

    def send_heartbeat(self) -> str | None:
        """Return the text that keeps an idle connection open; None lets protocol pings do it."""
        return None

    def unsubscribe(self, channels: Sequence[str]) -> str | Sequence[str]:
        """Return the message, or messages, that end `channels`; () where the exchange has none."""
        return ()

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Put everything on one connection; raises ConfigError for a channel not among `channels`."""
        if not wanted:
            return ()
        for subscription in wanted:
            if self.channels and subscription.native is None and subscription.channel not in self.channels:
                raise ConfigError(
                    f"{subscription}: {self.exchange} has no channel {subscription.channel!r}; "
                    f"it has {', '.join(self.channels)}"
                )
        text = self.send_heartbeat()
        plan = SessionPlan(
            name=f"{self.exchange}-0",
            exchange=self.exchange,
            url=self._url(),
            subscriptions=tuple([self._named(subscription) for subscription in wanted]),
            subscribe=lambda some: _sends(self.subscribe([_stream(s) for s in some])),
            unsubscribe=lambda some: _sends(self.unsubscribe([_stream(s) for s in some])),
            keepalive=None if text is None else Keepalive(text, self.heartbeat_s),
            ping_interval_s=self.heartbeat_s if text is None else None,
        )
        return (plan,)

    def parser(self, subscriptions: Sequence[Subscription] | None) -> Parser:
        """Return a parser over a fresh instance of this class, so that no two connections share state."""
        return _CallingParser(type(self)(self.settings))

    def instrument_requests(self) -> Sequence[HttpGet]:
        """Return no requests: symbols are taken as the user writes them."""
        return ()

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read a reply to `instrument_requests`; there is none to read."""
        return ()

    def _url(self) -> str:
        own, chosen = self.get_ws_url(), str(self.settings.ws_url)
        usual = fields_dict(type(self.settings))["ws_url"].default
        return own if chosen == usual or own.startswith(chosen) else chosen

    def _named(self, subscription: Subscription) -> Subscription:
        """Give a native stream a channel and symbol to be known by."""
        if subscription.native is None:
            return subscription
        return Subscription(self.exchange, subscription.native, "*", subscription.native)


class _CallingParser:
    """A Parser that asks a connector's `parse_message`."""

    def __init__(self, connector: BaseWebSocketConnector) -> None:
        self.requests: list[Request] = []
        self._connector = connector

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        """Read further streams: frames tell `parse_message` of themselves what they mean."""
        return True

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return what `parse_message` makes of the frame; whatever it raises becomes ParseError."""
        try:
            found = self._connector.parse_message(frame.payload)
            events = () if found is None else (found,) if isinstance(found, Message) else tuple(found)
            if not all(isinstance(event, Message) for event in events):
                raise ParseError(f"parse_message returned {str(found)[:120]!r}, which is not an event or several")
        except ParseError:
            raise
        except Exception as error:
            raise ParseError(f"parse_message raised {error!r}") from error
        for event in events:
            if not event.ts_recv:
                event.ts_recv = frame.ts_recv
        return events


def _stream(subscription: Subscription) -> str:
    return subscription.native or f"{subscription.channel}:{subscription.symbol}"


def _sends(messages: str | Sequence[str]) -> Sequence[Send]:
    return [Send(text) for text in ([messages] if isinstance(messages, str) else messages)]
