"""The bounded buffer between the bus and one reader: O(1) to put, never blocks, taken in batches.

When it is full, market events are dropped, counted, and summed up as one Gap
per stream that the reader gets once half of it is free: one for a whole outage.
What jrr says about streams (Connected, Gap ...) is always kept: it is rare and
tells what was lost. While a spool takes what waits, the buffer is cut from the
front by that instead of being taken from.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define

from .counters import SinkCounters
from .events import Gap, StreamEvent
from .sink import BatchPolicy

# The longest sleep between two tries once the buffer is closed.
_HASTE_S = 0.25


@define
class _Lost:
    count: int
    ts_from: int
    ts_to: int


class Buffer:
    """Events waiting for one reader; at most `capacity` of them."""

    def __init__(
        self,
        policy: BatchPolicy,
        capacity: int,
        counters: SinkCounters,
        keeps_gaps: bool = True,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Hold at most `capacity` events; `keeps_gaps` is whether the reader wants Gap events."""
        self._policy = policy
        self.capacity = capacity
        self._counters = counters
        self._keeps_gaps = keeps_gaps
        self._now_ns = now_ns
        # A reader is woken when a batch is full, or when no more will fit.
        self._full_at = min(policy.max_rows, capacity)
        # Beyond this a spool takes over, if there is one.
        self._much_at = max(capacity // 4, 1) + 1
        # The next of the two lengths that somebody waits for.
        self._notice_at: float = min(self._full_at, self._much_at)
        self._oldest_s = 0.0
        self._taken_s = -math.inf
        self._items: list[Any] = []
        self._lost: dict[tuple[str, str, str], _Lost] = {}
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._much = asyncio.Event()
        self._closing = asyncio.Event()
        self.closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, event: Any) -> None:
        """Take one event, or count it as dropped when full."""
        items = self._items
        self._counters.published += 1
        waiting = len(items)
        if waiting >= self.capacity and not isinstance(event, StreamEvent):
            self._drop(event)
            return
        items.append(event)
        if waiting == 0:
            self._oldest_s = time.monotonic()
            self._some.set()
        elif waiting + 1 >= self._notice_at:
            self._notice()

    async def take(self) -> list[Any]:
        """Return the next batch, by size or age; empty only when closed and drained."""
        while not self._items:
            if self.closed:
                return []
            self._some.clear()
            await self._some.wait()
        left_s = self._due_s() - time.monotonic()
        if left_s > 0 and len(self._items) < self._full_at and not self.closed:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._enough.wait()
        batch = self.cut(self._policy.max_rows)
        self._taken_s = self._oldest_s
        self.relieved()
        return batch

    def cut(self, count: int) -> list[Any]:
        """Remove and return the first `count` events, or as many as there are, waiting for none."""
        batch = self._items[:count]
        del self._items[:count]
        # What stays came while a batch was waiting already: counting its age from here is near enough.
        self._oldest_s = time.monotonic()
        self._notice()
        self._room.set()
        return batch

    def give_back(self, events: Sequence[Any]) -> None:
        """Put events that were cut off in front again, where they stood."""
        self._items[:0] = events
        self._notice()
        if self._items:
            self._some.set()

    def relieved(self) -> None:
        """Report what was lost if there is room again; after a cut that was for good."""
        if len(self._items) <= self.capacity // 2:
            self._report_lost()

    @property
    def much(self) -> bool:
        """Whether more than a quarter of the capacity waits."""
        return len(self._items) >= self._much_at

    async def pressed(self, seconds: float) -> None:
        """Return when more than a quarter of the capacity waits, or after `seconds`."""
        self._much.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._much.wait()

    def _notice(self) -> None:
        """Wake whom the length concerns, and find the next length that concerns somebody."""
        waiting = len(self._items)
        if waiting >= self._full_at:
            self._enough.set()
        if waiting >= self._much_at:
            self._much.set()
        self._notice_at = min([at for at in (self._full_at, self._much_at) if at > waiting], default=math.inf)

    def _due_s(self) -> float:
        """Return when what waits is to be taken, full batch or not."""
        due_s = self._oldest_s + self._policy.max_age_s
        if self._policy.pause_s is None:
            return due_s
        return min(due_s, self._taken_s + self._policy.pause_s)

    async def room(self) -> None:
        """Return when the buffer is at most half full: for replay, which can wait where a socket cannot."""
        while len(self._items) > self.capacity // 2 and not self.closed:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Take no more after this; the reader still gets what is waiting, at once."""
        self.closed = True
        self._report_lost()
        self._some.set()
        self._enough.set()
        self._room.set()
        self._closing.set()

    async def rest(self, seconds: float) -> None:
        """Sleep between two tries of the reader; `close` cuts the sleep short, as there is little time left then."""
        if self.closed:
            await asyncio.sleep(min(seconds, _HASTE_S))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def left(self) -> list[Any]:
        """Remove and return all that is waiting, for the account of a stop that could not wait."""
        items, self._items = self._items, []
        return items

    def _drop(self, event: Any) -> None:
        self._counters.dropped += 1
        stream = (event.exchange, getattr(event, "channel", "instrument"), event.symbol)
        ts = getattr(event, "ts_recv", None) or self._now_ns()
        lost = self._lost.get(stream)
        if lost is None:
            self._lost[stream] = _Lost(1, ts, ts)
        else:
            lost.count += 1
            lost.ts_to = ts

    def _report_lost(self) -> None:
        if not self._lost:
            return
        lost, self._lost = self._lost, {}
        if not self._keeps_gaps:
            return
        for (exchange, channel, symbol), gap in lost.items():
            self.put(
                Gap(exchange, symbol, None, self._now_ns(), channel, "buffer", "buffer full",
                    gap.count, gap.ts_from, gap.ts_to)
            )  # fmt: skip
