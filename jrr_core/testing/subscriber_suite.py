"""Checks of the Subscriber contract, for the author of a subscriber to inherit.

    class TestMySubscriber(SubscriberSuite):
        def make_subscriber(self):
            return MySubscriber(MySettings())

Every rule is explained in docs/plugins/conformance.md.
"""

import asyncio
import copy
import inspect
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest

from ..events import Trade
from ..subscriber import Subscriber
from . import calls
from . import samples as kit
from .contract import broken

_MANY = 3_000
# Less than keeping the trades takes, more than counting them.
_MOST_GROWTH = 300_000


class SubscriberSuite:
    """Tests of one subscriber; `make_subscriber` is all an author must give."""

    def make_subscriber(self) -> Subscriber:
        """Return a subscriber ready to be told of events."""
        raise NotImplementedError("SubscriberSuite: define make_subscriber(self) in your test class")

    def samples(self, kind: type) -> Sequence[Any]:
        """Return valid events of an accepted class; override it for classes of your own."""
        return kit.samples(kind)

    def test_says_its_name_and_what_it_accepts(self) -> None:
        subscriber = self.make_subscriber()
        rule = "A subscriber has a name, a Settings class and the event classes it accepts."
        assert subscriber.name, broken("subscriber-describes-itself", rule, "no name")
        assert isinstance(subscriber.Settings, type), broken("subscriber-describes-itself", rule, subscriber.Settings)
        accepts = subscriber.accepts
        fit = bool(accepts) and all(isinstance(kind, type) for kind in accepts)
        assert fit, broken("subscriber-describes-itself", rule, accepts)

    def test_notify_is_a_coroutine_function(self) -> None:
        rule = "notify is `async def`, so that it cannot hold up the event loop by waiting."
        fit = inspect.iscoroutinefunction(self.make_subscriber().notify)
        assert fit, broken("notify", rule, self.make_subscriber().notify)

    def test_takes_an_empty_batch(self) -> None:
        asyncio.run(_tell(self.make_subscriber(), []))

    def test_takes_every_class_it_accepts(self) -> None:
        async def check(subscriber: Subscriber) -> None:
            for kind in subscriber.accepts:
                await _tell(subscriber, self.samples(kind))

        asyncio.run(check(self.make_subscriber()))

    def test_takes_mixed_batches_and_the_same_again(self) -> None:
        async def check(subscriber: Subscriber) -> None:
            batch = self._mixed(subscriber)
            await _tell(subscriber, batch)
            await _tell(subscriber, batch)

        asyncio.run(check(self.make_subscriber()))

    def test_leaves_events_as_they_are(self) -> None:
        async def check(subscriber: Subscriber) -> None:
            batch = self._mixed(subscriber)
            before = copy.deepcopy(batch)
            await subscriber.notify(batch)
            rule = "A subscriber changes neither the batch nor its events: sinks hold the same objects."
            assert batch == before, broken("events-are-shared", rule, batch)

        asyncio.run(check(self.make_subscriber()))

    def test_the_event_loop_is_not_held_up(self) -> None:
        def run() -> None:
            subscriber = self.make_subscriber()
            asyncio.run(subscriber.notify(self._mixed(subscriber)))

        found = calls.sleeping(run)
        rule = "notify neither sleeps nor waits for a disk in the event loop's thread: await asyncio.sleep, to_thread."
        assert not found, broken("notify", rule, found)

    def test_memory_is_bounded(self) -> None:
        subscriber = self.make_subscriber()
        if Trade not in subscriber.accepts:
            pytest.skip("the subscriber does not accept trades")

        def feed(start: int) -> int:
            async def told() -> None:
                for number in range(start, start + _MANY, 500):
                    await subscriber.notify([kit.trade(number + i) for i in range(500)])

            asyncio.run(told())
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            warm = feed(0)
            grown = feed(_MANY) - warm
        finally:
            tracemalloc.stop()
        rule = f"A subscriber keeps a bounded part of what it is told: {_MANY} more trades take no more memory."
        assert grown < _MOST_GROWTH, broken("bounded-state", rule, f"{grown} bytes more")

    def _mixed(self, subscriber: Subscriber) -> list[Any]:
        return [event for kind in subscriber.accepts for event in self.samples(kind)]


async def _tell(subscriber: Subscriber, batch: Sequence[Any]) -> None:
    try:
        await subscriber.notify(batch)
    except Exception as error:
        rule = "notify takes any batch of the classes it accepts: empty, mixed, again, with fields that were not sent."
        raise AssertionError(broken("notify", rule, repr(error))) from error
