"""From a buffer to somebody's own code: plugins' subscribers and plain callables.

Whatever they raise is counted and goes no further.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from .buffer import Buffer
from .counters import SinkCounters
from .events import ALL_EVENTS, MARKET_EVENTS, BookDelta, BookSnapshot, Candle, Message
from .journal import say_seldom
from .subscription import CHANNELS

Callback = Callable[[Any], Awaitable[None] | None]
# After so long in somebody's callables the sockets get their turn.
_SLICE_S = 0.005


class Notified(Protocol):
    """What a Notifier feeds: a plugin's Subscriber or a wrapped callable."""

    @property
    def name(self) -> str:
        """How it is called in stats and log."""

    @property
    def accepts(self) -> tuple[type, ...]:
        """The event classes it wants."""

    async def notify(self, batch: Sequence[Any]) -> None:
        """Take a batch."""


class CallbackSubscriber:
    """Turns a callable of one event, sync or async, into something to notify.

    Each event is tried on its own: `failures` counts those the callable
    raised on.
    """

    def __init__(self, channel: str, callback: Callback) -> None:
        """Call `callback` with each event of `channel` (see `accepts`)."""
        self.name = getattr(callback, "__qualname__", None) or repr(callback)
        self.accepts: tuple[type, ...] = accepts(channel)
        self.failures = 0
        self._channel = channel
        # Some classes of events are of several channels, and only they have to be told apart.
        self._all = channel == "*" or all(channel in (kind.channel, kind.type) for kind in self.accepts)
        self._callback = callback

    async def notify(self, batch: Sequence[Any]) -> None:
        """Call the callable once per event, in order."""
        yield_at, callback, every = time.monotonic() + _SLICE_S, self._callback, self._all
        for event in batch:
            if not every and self._channel not in (event.channel, event.type):
                continue
            try:
                result = callback(event)
                if result is not None and inspect.isawaitable(result):
                    await result
            except asyncio.CancelledError as error:
                if _cancelled():
                    raise
                self._failed(error)
            except Exception as error:
                self._failed(error)
            if time.monotonic() > yield_at:
                await asyncio.sleep(0)
                yield_at = time.monotonic() + _SLICE_S

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        say_seldom(logging.ERROR, "subscriber_failed", self.name,
                   f"subscriber {self.name} raised {error!r}", subscriber=self.name)  # fmt: skip


def accepts(channel: str) -> tuple[type[Message], ...]:
    """Return the event classes a channel name stands for; raises KeyError for a name that is none.

    Besides the channels of subscriptions: "candle" (every interval),
    "book_snapshot" (every depth), "book_delta", "connected", "disconnected",
    "gap", "backfilled", and "*" for every market event.
    """
    if channel == "*":
        return MARKET_EVENTS
    if channel == "book":
        return (BookSnapshot, BookDelta)
    if channel == "book_snapshot" or (channel.startswith("book_snapshot_") and channel[14:].isdecimal()):
        return (BookSnapshot,)
    if channel == "candle" or (channel.startswith("candle_") and channel.partition("@")[0] in CHANNELS):
        return (Candle,)
    by_type: dict[str, type[Message]] = {kind.type: kind for kind in ALL_EVENTS}
    return (by_type[channel],)


class Notifier:
    """Calls one subscriber with one buffer's batches.

    In its counters `written` is what the subscriber took and `quarantined`
    what it failed on.
    """

    def __init__(self, subscriber: Notified, buffer: Buffer, counters: SinkCounters) -> None:
        """Feed `subscriber` from `buffer`."""
        self.subscriber = subscriber
        self.buffer = buffer
        self.counters = counters
        self._holding = 0

    @property
    def pending(self) -> int:
        """Events accepted that no counter has yet: in the buffer or in a batch being delivered."""
        return len(self.buffer) + self._holding

    async def run(self) -> None:
        """Notify until the buffer is closed and empty."""
        while batch := await self.buffer.take():
            self._holding = len(batch)
            await self._notify(batch)
            self._holding = 0
            if len(self.buffer):
                # Neither a batch nor a callable need wait for anything: the sockets get their turn here.
                await asyncio.sleep(0)

    async def _notify(self, batch: Sequence[Any]) -> None:
        failed_before = getattr(self.subscriber, "failures", 0)
        try:
            await self.subscriber.notify(batch)
        except asyncio.CancelledError as error:
            if _cancelled():
                raise
            self._failed(len(batch), error)
        except Exception as error:
            self._failed(len(batch), error)
        else:
            failed = getattr(self.subscriber, "failures", 0) - failed_before
            self.counters.quarantined += failed
            self.counters.written += len(batch) - failed

    def _failed(self, count: int, error: BaseException) -> None:
        self.counters.quarantined += count
        say_seldom(logging.ERROR, "subscriber_failed", self.subscriber.name,
                   f"subscriber {self.subscriber.name} failed: {error!r}",
                   subscriber=self.subscriber.name)  # fmt: skip


def _cancelled() -> bool:
    """Tell a cancelled reader from a cancellation inside somebody's callable."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
