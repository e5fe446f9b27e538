"""The half of ConnectorSuite that is about what an exchange allows: rates, sizes, silence and age.

Every rule is explained in docs/plugins/conformance.md.
"""

from typing import ClassVar

import pytest

from ..connector import Limits, Rate
from .connector_case import ConnectorCase
from .contract import broken


class LimitSuite(ConnectorCase):
    """Tests of limits; those that are not declared are skipped."""

    # The largest message the exchange accepts from a client, None where it names no limit.
    max_message_bytes: ClassVar[int | None] = None
    # The most streams the exchange takes on one connection, and in one message; None where it names no limit.
    max_streams: ClassVar[int | None] = None
    max_streams_per_message: ClassVar[int | None] = None
    # What the exchange allows; the connector's own limits may be lower.
    allowed: ClassVar[Limits | None] = None
    # Seconds of silence after which the exchange closes a connection, and of age; None where it does not.
    idle_s: ClassVar[float | None] = None
    lifetime_s: ClassVar[float | None] = None
    # True where only text of the exchange's own keeps a connection open, not a protocol ping.
    needs_text: ClassVar[bool] = False
    # True where the exchange answers every subscribe message.
    acknowledges: ClassVar[bool] = False

    def test_limits_are_rates_above_zero(self) -> None:
        limits = self.make_connector().limits
        rule = "limits is a Limits of Rates above zero."
        assert isinstance(limits, Limits), broken("limits", rule, limits)
        for rate in (limits.connects, limits.messages, *limits.http.values()):
            fit = isinstance(rate, Rate) and rate.count > 0 and rate.per_s > 0
            assert fit, broken("limits", rule, rate)

    def test_connections_stay_within_the_stream_limit(self) -> None:
        for plan in self.make_connector().sessions(self._many()):
            rule = f"{plan.name} carries at most max_streams = {plan.max_streams}."
            fit = plan.max_streams is None or len(plan.subscriptions) <= plan.max_streams
            assert fit, broken("limits", rule, len(plan.subscriptions))

    def test_limits_are_the_exchanges(self) -> None:
        if self.allowed is None and self.max_streams is None:
            pytest.skip("allowed and max_streams are None")
        limits, allowed = self.make_connector().limits, self.allowed
        if allowed is not None:
            pairs = [("connects", limits.connects, allowed.connects), ("messages", limits.messages, allowed.messages)]
            pairs += [(name, rate, allowed.http[name]) for name, rate in limits.http.items() if name in allowed.http]
            for name, rate, most in pairs:
                rule = f"No more {name} are made than the exchange allows: {most}."
                fit = rate.count / rate.per_s <= most.count / most.per_s
                assert fit, broken("limits", rule, rate)
        for plan in self.make_connector().sessions(self._many()):
            rule = f"{plan.name} carries at most the exchange's {self.max_streams} streams, and max_streams says so."
            most_streams = max(len(plan.subscriptions), plan.max_streams or 0)
            fit = self.max_streams is None or (plan.max_streams is not None and most_streams <= self.max_streams)
            assert fit, broken("limits", rule, f"{len(plan.subscriptions)}, max_streams={plan.max_streams}")

    def test_messages_stay_within_the_argument_limit(self) -> None:
        if self.max_streams_per_message is None:
            pytest.skip("max_streams_per_message is None")
        for plan in self.make_connector().sessions(self._many()):
            names = [self.stream_text(item).lower() for item in plan.subscriptions]
            for send in (*plan.subscribe(plan.subscriptions), *plan.unsubscribe(plan.subscriptions)):
                text = send.text.lower()
                found = sum(name in text for name in names)
                rule = f"A message to the exchange names at most {self.max_streams_per_message} streams."
                assert found <= self.max_streams_per_message, broken("limits", rule, found)

    def test_connections_are_kept_open(self) -> None:
        if self.idle_s is None:
            pytest.skip("idle_s is None: the exchange closes no idle connection")
        stale_s = self.connector.Settings().stale_s
        for plan in self._plans():
            kept = plan.keepalive.idle_s if plan.keepalive else None
            if kept is None and not self.needs_text:
                kept = plan.ping_interval_s
            rule = f"{plan.name} says something before the exchange's {self.idle_s} s of silence are over."
            fit = kept is not None and kept < self.idle_s
            assert fit, broken("heartbeat", rule, f"keepalive={plan.keepalive}, ping_interval_s={plan.ping_interval_s}")
            rule = f"A keepalive comes before stale_s = {stale_s}, or a quiet connection counts as dead unasked."
            fit = kept is not None and kept < stale_s
            assert fit, broken("heartbeat", rule, kept)

    def test_connections_are_renewed_before_their_end(self) -> None:
        if self.lifetime_s is None:
            pytest.skip("lifetime_s is None: the exchange ends no connection for its age")
        for plan in self._plans():
            rule = f"{plan.name} is renewed (rotate_after_s) before the exchange ends it after {self.lifetime_s} s."
            fit = plan.rotate_after_s is not None and plan.rotate_after_s < self.lifetime_s
            assert fit, broken("renewal", rule, plan.rotate_after_s)

    def test_messages_stay_within_the_size_limit(self) -> None:
        if self.max_message_bytes is None:
            pytest.skip("max_message_bytes is None")
        for plan in self.make_connector().sessions(self._many()):
            for send in (*plan.subscribe(plan.subscriptions), *plan.unsubscribe(plan.subscriptions)):
                rule = f"A message to the exchange has at most {self.max_message_bytes} bytes."
                size = len(send.text.encode())
                assert size <= self.max_message_bytes, broken("limits", rule, size)
