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
from typing import ClassVar

import attrs
import pytest
from hypothesis import given, settings

from ..connector import Connector, ExchangeSettings, ListsInPages, SessionPlan
from ..errors import ConfigError, ParseError
from ..frame import Frame, HttpGet, Send
from ..instrument import Instrument
from ..subscription import Subscription
from . import FUZZ_EXAMPLES, calls, damage, hostile
from .contract import broken
from .limit_suite import LimitSuite
from .recording import START

_WS, _REST = "ws://127.0.0.1:41", "http://127.0.0.1:42"


class ConnectorSuite(LimitSuite):
    """Two dozen tests of one connector; `connector`, `wanted` and `many` are all an author must give."""

    # True for a connector that hands every native name on as written, as BaseWebSocketConnector does.
    takes_any_native: ClassVar[bool] = False
    # Recorded replies to `instrument_requests`, in the same order.
    instrument_replies: ClassVar[Sequence[str | bytes]] = ()

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

    def test_subscribe_messages_carry_every_stream(self) -> None:
        for plan in self._plans():
            sends = plan.subscribe(plan.subscriptions)
            self._carries(plan.subscriptions, [plan.url, *[send.text for send in sends]])
            rule = "subscribe gives Sends; each ack key stands for one message."
            assert all(isinstance(send, Send) for send in sends), broken("subscribe-messages", rule, sends)
            acks = [key for send in sends for key in send.acks]
            assert len(set(acks)) == len(acks), broken("subscribe-messages", rule, acks)

    def test_messages_are_made_anew_for_each_connection(self) -> None:
        for plan in self._plans():
            for connection in ("first", "second"):
                sends = plan.subscribe(plan.subscriptions)
                rule = f"subscribe asks for every stream on the {connection} connection of a plan too, with acks."
                said = " ".join([plan.url, *[send.text for send in sends]]).lower()
                fit = all(self.stream_text(item).lower() in said for item in plan.subscriptions)
                assert fit, broken("subscribe-messages", rule, sends)
                answered = not self.acknowledges or all(send.acks for send in sends)
                assert answered, broken("subscribe-messages", rule, sends)

    def test_unsubscribing_is_not_subscribing(self) -> None:
        for plan in self._plans():
            asked = {send.text for send in plan.subscribe(plan.subscriptions)}
            both = asked & {send.text for send in plan.unsubscribe(plan.subscriptions)}
            assert not both, broken("subscribe-messages", "unsubscribe says something else than subscribe.", both)

    def test_nothing_is_opened_or_waited_for(self) -> None:
        def run() -> None:
            connector, wanted = self.make_connector(), self._wanted()
            for plan in connector.sessions(wanted):
                plan.subscribe(plan.subscriptions)
                plan.unsubscribe(plan.subscriptions)
                connector.parser(plan.subscriptions)
            connector.instrument_requests()

        run()
        found = calls.waiting(run)
        rule = "A connector opens nothing and waits for nothing: it says what core should open."
        assert not found, broken("opens-nothing", rule, found)

    def test_what_is_wanted_is_left_as_it_is(self) -> None:
        wanted = self._wanted()
        self.make_connector().sessions(wanted)
        rule = "sessions leaves the list it is given as it is."
        assert wanted == self._wanted(), broken("opens-nothing", rule, wanted)

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

    def test_hostile_names_lead_nowhere_else(self) -> None:
        for plan in self._plans():
            for channel in {item.channel for item in plan.subscriptions}:
                for name in hostile.TEXTS:
                    self._keeps_inside(Subscription(self.connector.exchange, channel, name), plan.url)

    def _keeps_inside(self, subscription: Subscription, like: str) -> None:
        rule = "Any symbol gives an address of the exchange and messages that are text, or raises ConfigError."
        what = f"{subscription.symbol[:60]!r} of {subscription.channel}"
        try:
            for plan in self.make_connector().sessions([subscription]):
                texts = [send.text for send in plan.subscribe(plan.subscriptions)]
                assert "\n" not in "".join(texts), broken("hostile-streams", rule, f"{what}: {texts}")
                # Where streams stand in the address, another symbol gives another one, of the same parts.
                inside = plan.url == like or not hostile.misleads(plan.url, like)
                assert inside, broken("hostile-streams", rule, f"{what}: {plan.url[:200]}")
        except ConfigError:
            return
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(broken("hostile-streams", rule, f"{what}: {error!r}")) from error

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
                if isinstance(connector, ListsInPages):
                    connector.next_instruments(frame)
            except ParseError:
                return
            except Exception as error:
                raise AssertionError(broken("instruments", rule, repr(error))) from error
            fit = all(isinstance(item, Instrument) for item in found)
            assert fit, broken("instruments", rule, found)

        check()

    def test_pages_of_instruments_are_read(self) -> None:
        connector = self.make_connector()
        if not isinstance(connector, ListsInPages):
            pytest.skip("the exchange lists its instruments without pages")
        recorded = self._instrument_frames(connector)[: len(self.instrument_replies)]
        if not recorded:
            pytest.skip("instrument_replies is empty")
        rule = "The GET for the next page charges a budget that limits.http has; it is None behind the last page."
        pages = [connector.next_instruments(frame) for frame in recorded]
        for page in pages:
            fit = page is None or page.pool in ("", *connector.limits.http)
            assert fit, broken("instruments", rule, page)
        assert None in pages, broken("instruments", rule, "each recorded reply leads on to another")

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
        except Exception as error:
            raise AssertionError(broken("unknown-streams", rule, repr(error))) from error
        raise AssertionError(broken("unknown-streams", rule, plans))

    def _instrument_frames(self, connector: Connector) -> list[Frame]:
        """Return the recorded replies as frames; an empty object stands for each that was not recorded."""
        requests = connector.instrument_requests()
        replies = [*self.instrument_replies, *["{}"] * (len(requests) - len(self.instrument_replies))]
        return [
            Frame(connector.exchange, reply, START, request.tag)
            for request, reply in zip(requests, replies, strict=False)
        ]
