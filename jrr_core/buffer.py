"""The bounded buffer between the bus and one reader: O(1) to put, never blocks, taken in batches.

When it is full, market events are dropped, counted, and summed up as one Gap
per stream that the reader gets once there is room. What jrr says about streams
(Connected, Gap ...) is always kept: it is rare and tells what was lost.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
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
    """Events waiting for one reader."""

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
        self._capacity = capacity
        self._counters = counters
        self._keeps_gaps = keeps_gaps
        self._now_ns = now_ns
        # A reader is woken when a batch is full, or when no more will fit.
        self._full_at = min(policy.max_rows, capacity)
        self._oldest_s = 0.0
        self._taken_s = -math.inf
        self._items: list[Any] = []
        self._lost: dict[tuple[str, str, str], _Lost] = {}
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = asyncio.Event()
        self.closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, event: Any) -> None:
        """Take one event, or count it as dropped when full."""
        items = self._items
        self._counters.published += 1
        waiting = len(items)
        if waiting >= self._capacity and not isinstance(event, StreamEvent):
            self._drop(event)
            return
        items.append(event)
        if waiting == 0:
            self._oldest_s = time.monotonic()
            self._some.set()
        elif waiting + 1 == self._full_at:
            self._enough.set()

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
        batch = self._items[: self._policy.max_rows]
        del self._items[: self._policy.max_rows]
        # What stays came while a batch was waiting already: counting its age from here is near enough.
        self._taken_s = self._oldest_s = time.monotonic()
        self._report_lost()
        self._room.set()
        return batch

    def _due_s(self) -> float:
        """Return when what waits is to be taken, full batch or not."""
        due_s = self._oldest_s + self._policy.max_age_s
        if self._policy.pause_s is None:
            return due_s
        return min(due_s, self._taken_s + self._policy.pause_s)

    async def room(self) -> None:
        """Return when the buffer is at most half full: for replay, which can wait where a socket cannot."""
        while len(self._items) > self._capacity // 2 and not self.closed:
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
