"""The subscriber suite passes a subscriber that keeps its promises and fails each way of breaking them."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from jrr_core.events import ALL_EVENTS, MARKET_EVENTS, Trade
from jrr_core.instrument import Instrument
from jrr_core.subscriber import Subscriber
from jrr_core.testing.samples import samples, trade
from jrr_core.testing.subscriber_suite import SubscriberSuite


class CountingSubscriber:
    name: ClassVar[str] = "counting"
    Settings: ClassVar[type] = dict
    accepts: tuple[type, ...] = MARKET_EVENTS

    def __init__(self, settings: Any) -> None:
        self.seen = 0

    async def notify(self, batch: Sequence[Any]) -> None:
        self.seen += len(batch)


class TestCountingSubscriber(SubscriberSuite):
    subscriber: ClassVar[type[Subscriber]] = CountingSubscriber

    def make_subscriber(self) -> Subscriber:
        return self.subscriber({})


class ChangesEvents(CountingSubscriber):
    async def notify(self, batch: Sequence[Any]) -> None:
        for event in batch:
            event.symbol = event.symbol.lower()


class AcceptsNothing(CountingSubscriber):
    accepts: tuple[type, ...] = ()


@pytest.mark.parametrize(
    ("subscriber", "test", "anchor"),
    [
        (ChangesEvents, "test_leaves_events_as_they_are", "events-are-shared"),
        (AcceptsNothing, "test_says_its_name_and_what_it_accepts", "subscriber-describes-itself"),
    ],
)
def test_a_broken_promise_fails_by_name(subscriber: type[Subscriber], test: str, anchor: str) -> None:
    suite = type("Suite", (TestCountingSubscriber,), {"subscriber": subscriber})()
    with pytest.raises(AssertionError, match=f"#{anchor}"):
        getattr(suite, test)()


@pytest.mark.parametrize("kind", [*ALL_EVENTS, Instrument])
def test_samples_of_a_class_are_all_different_events(kind: type) -> None:
    made = samples(kind)
    assert {type(event) for event in made} == {kind}
    if kind is not Instrument:
        assert len({(event.exchange, event.symbol, event.key()) for event in made}) == len(made)


def test_samples_are_new_objects_each_time() -> None:
    one, two = samples(Trade), samples(Trade)
    assert one == two
    assert one[0] is not two[0]


def test_unknown_classes_have_no_samples() -> None:
    with pytest.raises(LookupError, match="override samples"):
        samples(str)


def test_a_trade_can_be_changed_field_by_field() -> None:
    assert trade(5, symbol="ETH-USDT").symbol == "ETH-USDT"
    assert trade(5).trade_id != trade(6).trade_id
