"""What a connection can take on, going by its connector's plans."""

from collections.abc import Sequence
from typing import Any

from jrr_core.bundle import Bundle
from jrr_core.connector import SessionPlan
from jrr_core.line import Line
from jrr_core.pace import Spacing
from jrr_core.subscription import Subscription
from tests.toy import FAST, ToySettings, toy_plan


def streams(*symbols: str) -> tuple[Subscription, ...]:
    return tuple(Subscription("toy", "trade", symbol) for symbol in symbols)


def plan(*symbols: str, url: str = "ws://one") -> SessionPlan:
    return toy_plan(ToySettings(ws_url=url), streams(*symbols))


def room(carried: SessionPlan, *plans: SessionPlan) -> Sequence[Subscription]:
    unused: Any = None
    return Bundle([Line(carried, unused, unused, Spacing(FAST))]).room_for(plans)


def test_what_the_plan_of_the_same_address_adds_may_join() -> None:
    assert room(plan("A", "B"), plan("A", "B", "C", "D")) == list(streams("C", "D"))


def test_what_is_planned_elsewhere_may_not() -> None:
    assert room(plan("A"), plan("A", "B"), plan("C"), plan("D", url="ws://two")) == list(streams("B"))
    assert not room(plan("A"), plan("A", "B", url="ws://two"))


def test_a_stream_that_needs_two_connections_does_not_join_one() -> None:
    assert room(plan("A"), plan("A", "B", "C"), plan("C", url="ws://two")) == list(streams("B"))


def test_nothing_joins_where_the_connector_would_part_what_is_carried() -> None:
    assert not room(plan("A", "B"), plan("A", "C"), plan("B"))
