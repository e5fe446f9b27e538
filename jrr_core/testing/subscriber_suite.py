"""Checks of the Subscriber contract, for the author of a subscriber to inherit.

    class TestMySubscriber(SubscriberSuite):
        def make_subscriber(self):
            return MySubscriber(MySettings())

Every rule is explained in docs/plugins/conformance.md.
"""

import asyncio
import copy
import inspect
from collections.abc import Sequence
from typing import Any

from ..subscriber import Subscriber
from . import samples as kit
from .contract import broken


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
        asyncio.run(self.make_subscriber().notify([]))

    def test_takes_every_class_it_accepts(self) -> None:
        async def check(subscriber: Subscriber) -> None:
            for kind in subscriber.accepts:
                await subscriber.notify(self.samples(kind))

        asyncio.run(check(self.make_subscriber()))

    def test_takes_mixed_batches_and_the_same_again(self) -> None:
        async def check(subscriber: Subscriber) -> None:
            batch = self._mixed(subscriber)
            await subscriber.notify(batch)
            await subscriber.notify(batch)

        asyncio.run(check(self.make_subscriber()))

    def test_leaves_events_as_they_are(self) -> None:
        async def check(subscriber: Subscriber) -> None:
            batch = self._mixed(subscriber)
            before = copy.deepcopy(batch)
            await subscriber.notify(batch)
            rule = "A subscriber changes neither the batch nor its events: sinks hold the same objects."
            assert batch == before, broken("events-are-shared", rule, batch)

        asyncio.run(check(self.make_subscriber()))

    def _mixed(self, subscriber: Subscriber) -> list[Any]:
        return [event for kind in subscriber.accepts for event in self.samples(kind)]
