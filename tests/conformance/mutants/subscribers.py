"""Wrong subscribers."""

import time
from collections.abc import Sequence
from typing import Any

from jrr_core.events import Quote
from tests.conformance.reference.subscriber import TickerSubscriber


class Nameless(TickerSubscriber):
    """It has no name to be chosen by."""

    rule = "subscriber-describes-itself"
    name = ""


class AcceptsNothing(TickerSubscriber):
    """It accepts no events."""

    rule = "subscriber-describes-itself"
    accepts: tuple[type, ...] = ()


class WaitsInLine(TickerSubscriber):
    """`notify` is a plain function."""

    rule = "notify"

    def notify(self, batch: Sequence[Any]) -> Any:
        return super().notify(batch)


class Sleeps(TickerSubscriber):
    """`notify` sleeps, and all connections with it."""

    rule = "notify"

    async def notify(self, batch: Sequence[Any]) -> None:
        time.sleep(0)  # noqa: ASYNC251 - the mistake
        await super().notify(batch)


class NeedsAnEvent(TickerSubscriber):
    """An empty batch raises IndexError."""

    rule = "notify"

    async def notify(self, batch: Sequence[Any]) -> None:
        self.first = batch[0]
        await super().notify(batch)


class NeedsABid(TickerSubscriber):
    """A quote without bid raises TypeError."""

    rule = "notify"

    def take(self, event: Any) -> None:
        super().take(event)
        if isinstance(event, Quote):
            self.half = event.bid_price / 2  # type: ignore[operator]  # the mistake


class Renames(TickerSubscriber):
    """Symbols are changed in the events themselves."""

    rule = "events-are-shared"

    def take(self, event: Any) -> None:
        event.symbol = event.symbol.lower()
        super().take(event)


class Sorts(TickerSubscriber):
    """The batch is sorted in place."""

    rule = "events-are-shared"

    async def notify(self, batch: Sequence[Any]) -> None:
        if isinstance(batch, list):
            batch.reverse()
        await super().notify(batch)


class KeepsEverything(TickerSubscriber):
    """Every event is kept."""

    rule = "bounded-state"

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.past: list[Any] = []

    def take(self, event: Any) -> None:
        self.past.append(event)
        super().take(event)
