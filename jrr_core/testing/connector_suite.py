"""Checks of the Connector contract, for the author of an exchange to inherit.

    class TestMyConnector(ConnectorSuite):
        connector = MyConnector
        wanted = ("myexchange:trade:BTCUSDT", "myexchange:book:BTCUSDT", "myexchange:btcusdt@kline_1m")

        def many(self, count):
            return [f"myexchange:trade:A{i}USDT" for i in range(count)]

Every rule is explained in docs/plugins/conformance.md.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given, settings

from ..connector import Connector, ExchangeSettings, Limits, Rate, SessionPlan
from ..errors import ConfigError, ParseError
from ..frame import Frame, HttpGet, Send
from ..instrument import Instrument
from ..subscription import Subscription
from . import FUZZ_EXAMPLES, damage
from .contract import broken
from .recording import START

_WS, _REST = "ws://127.0.0.1:41", "http://127.0.0.1:42"
_MANY = 1_000


class ConnectorSuite:
    """A dozen and more tests of one connector; `connector`, `wanted` and `many` are all an author must give."""

    connector: ClassVar[type[Connector]]
    # Different streams the exchange serves, symbols native: one of each channel at least, and native stream names.
    wanted: ClassVar[Sequence[str]]
    # The largest message the exchange accepts from a client, None where it names no limit.
    max_message_bytes: ClassVar[int | None] = None
    # True for a connector that hands every native name on as written, as BaseWebSocketConnector does.
    takes_any_native: ClassVar[bool] = False
    # Recorded replies to `instrument_requests`, in the same order.
    instrument_replies: ClassVar[Sequence[str | bytes]] = ()

    def many(self, count: int) -> Sequence[str]:
        """Return `count` subscriptions, more than one connection should carry; symbols may be made up."""
        raise NotImplementedError("ConnectorSuite: define many(self, count) in your test class")

    def make_connector(self, **changes: Any) -> Connector:
        """Return a connector with default settings but for `changes`."""
        return self.connector(self.connector.Settings(**changes))

    def stream_text(self, subscription: Subscription) -> str:
        """Return what stands for the stream in a subscribe message or URL; upper and lower case are alike."""
        return subscription.symbol

    def test_settings_have_defaults_and_help(self) -> None:
        kind = self.connector.Settings
        rule = "Settings extend ExchangeSettings and can be made without arguments."
        assert issubclass(kind, ExchangeSettings), broken("settings", rule, kind)
        for field in attrs.fields(kind):
            rule = "Every setting is made with jrr_core.setting.setting and says what it is."
            assert field.metadata.get("help"), broken("settings", rule, f"{kind.__name__}.{field.name}")
        made = kind()
        rule = "The addresses default to the live exchange's."
        assert made.ws_url, broken("settings", rule, "no ws_url")

    def test_limits_are_rates_above_zero(self) -> None:
        limits = self.make_connector().limits
        rule = "limits is a Limits of Rates above zero."
        assert isinstance(limits, Limits), broken("limits", rule, limits)
        for rate in (limits.connects, limits.messages, *limits.http.values()):
            fit = isinstance(rate, Rate) and rate.count > 0 and rate.per_s > 0
            assert fit, broken("limits", rule, rate)

    def test_no_subscriptions_need_no_sessions(self) -> None:
        plans = self.make_connector().sessions([])
        assert len(plans) == 0, broken("every-stream-once", "sessions([]) is empty.", plans)

    def test_same_subscriptions_give_the_same_sessions(self) -> None:
        for wanted in (self._wanted(), self._many()):
            one, two = (self._described(self.make_connector().sessions(wanted)) for _ in range(2))
            rule = "The same subscriptions give the same plans."
            assert one == two, broken("deterministic-sessions", rule, f"{one} and {two}")

    def test_every_stream_is_in_a_plan_and_once_in_it(self) -> None:
        for wanted in (self._wanted(), self._many()):
            plans = self.make_connector().sessions(wanted)
            carried = [Counter(str(item) for item in plan.subscriptions) for plan in plans]
            missing = {str(item) for item in wanted} - {text for plan in carried for text in plan}
            added = {text for plan in carried for text in plan} - {str(item) for item in wanted}
            doubled = [text for plan in carried for text, count in plan.items() if count > 1]
            rule = "Each subscription is in at least one plan and once in it; nothing else is."
            wrong = {"missing": missing, "added": added, "twice": doubled}
            assert not any(wrong.values()), broken("every-stream-once", rule, wrong)

    def test_plans_say_channel_and_symbol_of_every_stream(self) -> None:
        for plan in self._plans():
            for item in plan.subscriptions:
                rule = "A plan's subscriptions have channel and symbol filled in, native ones too."
                filled = bool(item.channel and item.symbol)
                assert filled, broken("plan-fields", rule, item)

    def test_plan_names_are_unique_and_of_the_exchange(self) -> None:
        for wanted in (self._wanted(), self._many()):
            plans = self.make_connector().sessions(wanted)
            names = [plan.name for plan in plans]
            rule = "Each plan has a name of its own and the connector's exchange."
            named = len(set(names)) == len(names) and all(names)
            assert named, broken("plan-fields", rule, names)
            exchanges = {plan.exchange for plan in plans}
            assert exchanges == {self.connector.exchange}, broken("plan-fields", rule, exchanges)

    def test_connections_stay_within_the_stream_limit(self) -> None:
        for plan in self.make_connector().sessions(self._many()):
            rule = f"{plan.name} carries at most max_streams = {plan.max_streams}."
            fit = plan.max_streams is None or len(plan.subscriptions) <= plan.max_streams
            assert fit, broken("limits", rule, len(plan.subscriptions))

    def test_messages_stay_within_the_size_limit(self) -> None:
        if self.max_message_bytes is None:
            pytest.skip("max_message_bytes is None")
        for plan in self.make_connector().sessions(self._many()):
            for send in (*plan.subscribe(plan.subscriptions), *plan.unsubscribe(plan.subscriptions)):
                rule = f"A message to the exchange has at most {self.max_message_bytes} bytes."
                size = len(send.text.encode())
                assert size <= self.max_message_bytes, broken("limits", rule, size)

    def test_subscribe_messages_carry_every_stream(self) -> None:
        for plan in self._plans():
            sends = plan.subscribe(plan.subscriptions)
            self._carries(plan.subscriptions, [plan.url, *[send.text for send in sends]])
            rule = "subscribe gives Sends; each ack key stands for one message."
            assert all(isinstance(send, Send) for send in sends), broken("subscribe-messages", rule, sends)
            acks = [key for send in sends for key in send.acks]
            assert len(set(acks)) == len(acks), broken("subscribe-messages", rule, acks)

    def test_one_stream_can_be_added_and_removed(self) -> None:
        for plan in self._plans():
            for item in plan.subscriptions:
                self._carries([item], [plan.url, *[send.text for send in plan.subscribe([item])]])
                sends = plan.unsubscribe([item])
                if sends:
                    self._carries([item], [send.text for send in sends])

    def test_addresses_come_from_the_settings(self) -> None:
        connector = self.make_connector(ws_url=_WS, rest_url=_REST)
        rule = f"A connector with ws_url={_WS} and rest_url={_REST} opens nothing else."
        for plan in connector.sessions(self._wanted()):
            assert plan.url.startswith(_WS), broken("settings", rule, plan.url)
        for request in connector.instrument_requests():
            assert request.url.startswith(_REST), broken("settings", rule, request.url)

    def test_unknown_channel_is_refused_by_name(self) -> None:
        self._refuses(Subscription(self.connector.exchange, "no_such_channel", self._wanted()[0].symbol or "X"))

    def test_unknown_native_stream_is_refused_by_name(self) -> None:
        if self.takes_any_native:
            pytest.skip("capability not declared: the connector takes any native name")
        self._refuses(Subscription(self.connector.exchange, native="no such stream"))

    def test_parsers_are_fresh(self) -> None:
        connector = self.make_connector()
        for subscriptions in (None, self._plans()[0].subscriptions):
            one, two = connector.parser(subscriptions), connector.parser(subscriptions)
            rule = "parser() gives a new parser each time, for given streams and for all (None)."
            fresh = one is not two and one.requests is not two.requests
            assert fresh, broken("fresh-parsers", rule, one)

    def test_instrument_requests_charge_a_known_budget(self) -> None:
        connector = self.make_connector()
        for request in connector.instrument_requests():
            rule = "An instrument request is an HttpGet whose pool, if any, is one of limits.http."
            fit = isinstance(request, HttpGet) and (not request.pool or request.pool in connector.limits.http)
            assert fit, broken("instruments", rule, request)

    def test_recorded_instruments_are_read(self) -> None:
        if not self.instrument_replies:
            pytest.skip("instrument_replies is empty")
        connector, found = self.make_connector(), list[Instrument]()
        for frame in self._instrument_frames(connector):
            found += connector.instruments(frame)
        rule = "Instruments have the exchange's name, a symbol of their own, a canonical name and no floats."
        assert found, broken("instruments", rule, "no instruments")
        for item in found:
            floats = [value for value in attrs.astuple(item) if isinstance(value, float)]
            fit = item.exchange == connector.exchange and item.symbol and item.canonical and not floats
            assert fit, broken("instruments", rule, item)
        repeated = [symbol for symbol, count in Counter(item.symbol for item in found).items() if count > 1]
        assert not repeated, broken("instruments", rule, f"{repeated} twice")

    def test_damaged_instrument_lists_give_instruments_or_parse_error(self) -> None:
        connector = self.make_connector()
        frames = self._instrument_frames(connector)
        if not frames:
            pytest.skip("the exchange has no instrument list")
        kinds = (damage.noise, damage.cut, damage.replace_value)

        @settings(max_examples=FUZZ_EXAMPLES, deadline=None, report_multiple_bugs=False)
        @given(damage.seeded(lambda random: random.choice(kinds)(random.choice(frames), random)))
        def check(frame: Frame) -> None:
            rule = "Any reply gives instruments or ParseError, and nothing else."
            try:
                found = connector.instruments(frame)
            except ParseError:
                return
            except Exception as error:
                raise AssertionError(broken("instruments", rule, repr(error))) from error
            fit = all(isinstance(item, Instrument) for item in found)
            assert fit, broken("instruments", rule, found)

        check()

    def _wanted(self) -> list[Subscription]:
        return [Subscription.parse(text) for text in self.wanted]

    def _many(self) -> list[Subscription]:
        return [Subscription.parse(text) for text in self.many(_MANY)]

    def _plans(self) -> Sequence[SessionPlan]:
        return self.make_connector().sessions(self._wanted())

    def _described(self, plans: Sequence[SessionPlan]) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(plan.name, plan.url, tuple(map(str, plan.subscriptions))) for plan in plans]

    def _carries(self, streams: Sequence[Subscription], texts: Sequence[str]) -> None:
        said = " ".join(texts).lower()
        missing = [str(item) for item in streams if self.stream_text(item).lower() not in said]
        rule = "Subscribe and unsubscribe messages (or the URL) name every stream (see stream_text)."
        assert not missing, broken("subscribe-messages", rule, f"{missing} not in {said}")

    def _refuses(self, subscription: Subscription) -> None:
        name = subscription.native or subscription.channel
        rule = f"A stream the exchange does not have ({name!r}) raises ConfigError that names it."
        try:
            plans = self.make_connector().sessions([subscription])
        except ConfigError as error:
            if name in str(error):
                return
            raise AssertionError(broken("unknown-streams", rule, error)) from error
        raise AssertionError(broken("unknown-streams", rule, plans))

    def _instrument_frames(self, connector: Connector) -> list[Frame]:
        """Return the recorded replies as frames; an empty object stands for each that was not recorded."""
        requests = connector.instrument_requests()
        replies = [*self.instrument_replies, *["{}"] * (len(requests) - len(self.instrument_replies))]
        return [
            Frame(connector.exchange, reply, START, request.tag)
            for request, reply in zip(requests, replies, strict=False)
        ]
