"""Wrong connectors: what they open, what they say, and what they promise the exchange."""

import socket
import uuid
from collections.abc import Sequence
from itertools import count
from typing import Any, ClassVar

import attrs
import msgspec

from jrr_core import wire
from jrr_core.connector import ExchangeSettings, Limits, Rate, SessionPlan
from jrr_core.errors import ConfigError
from jrr_core.frame import Frame, HttpGet, Send
from jrr_core.instrument import Instrument
from jrr_core.parser import Parser
from jrr_core.subscription import Subscription
from tests.conformance.reference.connector import LIMITS, HarbourConnector, HarbourSettings


class DropsNatives(HarbourConnector):
    """Streams written in the exchange's own way are left out."""

    rule = "every-stream-once"

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        return super().sessions([item for item in wanted if item.native is None])


class AsksTwice(HarbourConnector):
    """A stream stands twice in its plan."""

    rule = "every-stream-once"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return super().plan(name, [*streams, streams[0]])


class AddsStreams(HarbourConnector):
    """With each trade stream a quote stream is opened that nobody wanted."""

    rule = "every-stream-once"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return super().plan(name, [*streams, attrs.evolve(streams[0], channel="quote", native=None, symbol="ZZZ")])


class Overfills(HarbourConnector):
    """A connection carries one stream more than the exchange takes."""

    rule = "limits"
    most = 101


class BreaksItsWord(HarbourConnector):
    """A plan says that it carries less than it does."""

    rule = "limits"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return attrs.evolve(super().plan(name, streams), max_streams=99)


class KnowsNoMost(HarbourConnector):
    """A plan does not say how much it can carry, so that streams added later overfill it."""

    rule = "limits"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return attrs.evolve(super().plan(name, streams), max_streams=None)


class OneMessage(HarbourConnector):
    """Everything is asked for in one message."""

    rule = "limits"

    def messages(self, op: str, streams: Sequence[Subscription]) -> Sequence[Send]:
        names = [f"{item.channel}.{item.symbol}" for item in streams]
        return [Send(wire.encode({"op": op, "id": "1", "streams": names}), ("1",))]


class TooFast(HarbourConnector):
    """More messages a second than the exchange takes."""

    rule = "limits"
    limits = attrs.evolve(LIMITS, messages=Rate(100, 1.0))


class ConnectsTooFast(HarbourConnector):
    """More connections a second than the exchange takes."""

    rule = "limits"
    limits = attrs.evolve(LIMITS, connects=Rate(5, 1.0))


class SpendsTooMuch(HarbourConnector):
    """A larger budget of requests than the exchange gives."""

    rule = "limits"
    limits = attrs.evolve(LIMITS, http={"rest": Rate(1000, 60.0)})


class NoRate(HarbourConnector):
    """A rate of nothing, so that no message is ever sent."""

    rule = "limits"
    limits = Limits(connects=Rate(1, 1.0), messages=Rate(0, 1.0))


class NoHeartbeat(HarbourConnector):
    """Nothing is said on a quiet connection."""

    rule = "heartbeat"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return attrs.evolve(super().plan(name, streams), keepalive=None)


class LateHeartbeat(HarbourConnector):
    """The keepalive comes after the exchange has closed."""

    rule = "heartbeat"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        plan = super().plan(name, streams)
        assert plan.keepalive is not None
        return attrs.evolve(plan, keepalive=attrs.evolve(plan.keepalive, idle_s=45.0))


class PingsInstead(HarbourConnector):
    """Protocol pings are sent to an exchange that only counts text."""

    rule = "heartbeat"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return attrs.evolve(super().plan(name, streams), keepalive=None, ping_interval_s=10.0)


class NeverRenews(HarbourConnector):
    """A connection is used until the exchange ends it after a day."""

    rule = "renewal"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return attrs.evolve(super().plan(name, streams), rotate_after_s=None)


class RandomNames(HarbourConnector):
    """Plans are named by chance."""

    rule = "deterministic-sessions"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return super().plan(uuid.uuid4().hex, streams)


class CountsOn(HarbourConnector):
    """Plans are numbered on from call to call."""

    rule = "deterministic-sessions"
    numbers: ClassVar[Any] = count()

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return super().plan(f"harbour-{next(self.numbers)}", streams)


class SameName(HarbourConnector):
    """All plans have one name."""

    rule = "plan-fields"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        return super().plan("harbour", streams)


class LeavesNativesOpen(HarbourConnector):
    """Native streams have neither channel nor symbol."""

    rule = "plan-fields"

    def described(self, item: Subscription) -> Subscription:
        made = super().described(item)
        return made if item.native is None else attrs.evolve(made, channel="", symbol="")


class ForgetsTheLast(HarbourConnector):
    """The last stream of a list is not asked for."""

    rule = "subscribe-messages"

    def subscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return super().subscribe(streams[:-1])


class SubscribesOnce(HarbourConnector):
    """What was asked for once is not asked for again, also after the connection was lost."""

    rule = "subscribe-messages"

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.asked: set[Subscription] = set()

    def subscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        new = [item for item in streams if item not in self.asked]
        self.asked.update(new)
        return super().subscribe(new)


class UnsubscribesBySubscribing(HarbourConnector):
    """To end a stream it is asked for again."""

    rule = "subscribe-messages"

    def unsubscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return self.subscribe(streams)


class AwaitsNoAnswer(HarbourConnector):
    """Messages have no ack keys, so that a refusal passes unnoticed."""

    rule = "subscribe-messages"

    def messages(self, op: str, streams: Sequence[Subscription]) -> Sequence[Send]:
        return [Send(send.text) for send in super().messages(op, streams)]


class OneKeyForAll(HarbourConnector):
    """All messages share an ack key, so that one answer stands for all."""

    rule = "subscribe-messages"

    def subscribe(self, streams: Sequence[Subscription]) -> Sequence[Send]:
        return [
            send for item in streams for send in [Send(super(OneKeyForAll, self).subscribe([item])[0].text, ("1",))]
        ]


class OneParser(HarbourConnector):
    """All connections share a parser."""

    rule = "fresh-parsers"

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.only = super().parser(None)

    def parser(self, subscriptions: Sequence[Subscription] | None) -> Parser:
        return self.only


class TakesAnything(HarbourConnector):
    """A channel the exchange does not have is asked for."""

    rule = "unknown-streams"

    def described(self, item: Subscription) -> Subscription:
        try:
            return super().described(item)
        except ConfigError:
            return attrs.evolve(item, channel=item.channel or "x", symbol=item.symbol or "x")


class RefusesWithoutName(HarbourConnector):
    """A refusal does not say which stream it is about."""

    rule = "unknown-streams"

    def described(self, item: Subscription) -> Subscription:
        try:
            return super().described(item)
        except ConfigError as error:
            raise ConfigError("harbour has no such stream") from error


class RefusesByAccident(HarbourConnector):
    """An unknown stream raises KeyError."""

    rule = "unknown-streams"

    def described(self, item: Subscription) -> Subscription:
        try:
            return super().described(item)
        except ConfigError as error:
            raise KeyError(item.native or item.channel) from error


class FixedAddress(HarbourConnector):
    """The live exchange is opened whatever the settings say."""

    rule = "settings"

    def __init__(self, settings: Any) -> None:
        super().__init__(HarbourSettings())


@attrs.define(kw_only=True)
class BareSettings(HarbourSettings):
    """Settings one of which says nothing of itself."""

    depth: int = 1000


class UnexplainedSetting(HarbourConnector):
    """A setting has no help."""

    rule = "settings"
    Settings: ClassVar[type[ExchangeSettings]] = BareSettings


class ConnectsItself(HarbourConnector):
    """`sessions` looks whether the exchange can be reached."""

    rule = "opens-nothing"

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        with socket.socket() as probe:
            probe.connect_ex(("127.0.0.1", 9))
        return super().sessions(wanted)


class EmptiesTheList(HarbourConnector):
    """The list of what is wanted is used up."""

    rule = "opens-nothing"

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        plans = super().sessions(wanted)
        assert isinstance(wanted, list)
        wanted.clear()
        return plans


class LeaksErrors(HarbourConnector):
    """A reply that is no list of instruments raises KeyError."""

    rule = "instruments"

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        found: Any = wire.decode(frame.payload)
        return super().instruments(msgspec.structs.replace(frame, payload=wire.encode([found[0]])))


class FloatSteps(HarbourConnector):
    """Price steps are floats."""

    rule = "instruments"

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        step: Any = 0.1
        return [attrs.evolve(item, tick_size=step) for item in super().instruments(frame)]


class ListsTwice(HarbourConnector):
    """An instrument is listed twice."""

    rule = "instruments"

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        return [*super().instruments(frame), *super().instruments(frame)]


class NoCanonicalName(HarbourConnector):
    """Instruments have no name that is the same everywhere."""

    rule = "instruments"

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        return [attrs.evolve(item, canonical="") for item in super().instruments(frame)]


class EndlessPages(HarbourConnector):
    """Behind the last page of instruments there is always another."""

    rule = "instruments"

    def next_instruments(self, frame: Frame) -> HttpGet | None:
        return self.instrument_requests()[0]


class PageOfAnotherBudget(HarbourConnector):
    """A further page of instruments is charged to a budget that does not exist."""

    rule = "instruments"

    def next_instruments(self, frame: Frame) -> HttpGet | None:
        return attrs.evolve(self.instrument_requests()[0], pool="other")


class UnknownBudget(HarbourConnector):
    """A request is charged to a budget that does not exist."""

    rule = "instruments"

    def instrument_requests(self) -> Sequence[HttpGet]:
        return [attrs.evolve(request, pool="other") for request in super().instrument_requests()]


class SymbolInTheAddress(HarbourConnector):
    """A symbol stands in the address as it is."""

    rule = "hostile-streams"

    def plan(self, name: str, streams: Sequence[Subscription]) -> SessionPlan:
        plan = super().plan(name, streams)
        return attrs.evolve(plan, url=f"{plan.url}/{streams[0].symbol}")


class FailsAtOddSymbols(HarbourConnector):
    """A symbol that is not ASCII is an error of another kind."""

    rule = "hostile-streams"

    def described(self, item: Subscription) -> Subscription:
        item.symbol.encode("ascii")
        return super().described(item)
