"""From a buffer to a sink: batches, retries, halving; every event ends in one counter.

One task per sink. The only place that knows what to do when a store is away or
refuses a row.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from .backoff import Backoff
from .buffer import Buffer
from .counters import Latency, SinkCounters
from .errors import SinkUnavailable
from .journal import say, say_seldom
from .sink import Sink

State = Literal["closed", "ok", "away"]
# Latency is sampled evenly, at most so many events of a batch, each weighing as many as it stands for.
_SAMPLES = 64


class Drain:
    """Writes one buffer's batches to one sink until the buffer is closed and empty."""

    def __init__(
        self, sink: Sink, buffer: Buffer, counters: SinkCounters, quarantine: Callable[[str, str, str], None]
    ) -> None:
        """`quarantine` keeps a refused row: origin, reason, the row as text."""
        self.sink = sink
        self.buffer = buffer
        self.counters = counters
        self.latency = Latency()
        self.state: State = "closed"
        self.lag_s = 0.0
        self._quarantine = quarantine
        self._holding: Sequence[Any] = ()

    async def try_open(self) -> bool:
        """Open the sink; False while the store is away (`run` tries again). Raises ConfigError for the user."""
        try:
            await self.sink.open()
        except SinkUnavailable as away:
            self._away(away)
            return False
        self.state = "ok"
        return True

    async def run(self) -> None:
        """Drain until the buffer is closed and empty; opens the sink first if `try_open` could not."""
        backoff = Backoff()
        while self.state != "ok" and not await self.try_open():  # noqa: ASYNC110 - the store tells nobody it is back
            await asyncio.sleep(backoff.next_s())
        while batch := await self.buffer.take():
            self._holding = batch
            await self._write(batch)
            self._holding = ()

    @property
    def pending(self) -> int:
        """Events accepted that no counter has yet: in the buffer or in a batch being written."""
        return len(self.buffer) + len(self._holding)

    def give_up(self) -> int:
        """Count what is still waiting as dropped, at a stop that could not wait; return how many."""
        left = len(self.buffer.left()) + len(self._holding)
        self._holding = ()
        self.counters.dropped += left
        return left

    async def close(self) -> None:
        """Close the sink; a failure is logged, since all it could do is done."""
        try:
            await self.sink.close()
        except Exception as error:
            say(logging.ERROR, "sink_close_failed", f"{self.sink.name}: closing failed: {error}", sink=self.sink.name)
        self.state = "closed"

    async def _write(self, batch: Sequence[Any]) -> None:
        """Store the batch, however long the store is away; a refused one is halved until the bad row is found."""
        backoff = Backoff()
        while True:
            try:
                result = await self.sink.write(batch)
            except SinkUnavailable as away:
                self.counters.retries += 1
                self._away(away)
                await asyncio.sleep(backoff.next_s())
            except Exception as rejected:
                await self._halve(batch, rejected)
                return
            else:
                self._stored(batch, result.written, result.duplicate)
                return

    async def _halve(self, batch: Sequence[Any], rejected: Exception) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
            return
        self.counters.quarantined += 1
        self._holding = ()
        self._quarantine(self.sink.name, str(rejected), repr(batch[0]))
        say_seldom(logging.ERROR, "row_quarantined", self.sink.name,
                   f"{self.sink.name} refused a row, kept in quarantine: {rejected}",
                   sink=self.sink.name, reason=str(rejected))  # fmt: skip

    def _stored(self, batch: Sequence[Any], written: int, duplicate: int) -> None:
        counters = self.counters
        counters.written += written
        counters.duplicate += duplicate
        counters.batches += 1
        if len(self._holding) != len(batch):
            # Part of a halved batch: what is still held shrinks with each part that is done.
            self._holding = self._holding[len(batch) :]
        if self.state == "away":
            self.state = "ok"
            say(logging.WARNING, "sink_back", f"{self.sink.name} is back; nothing was lost", sink=self.sink.name)
        now_ns = time.time_ns()
        self.lag_s = (now_ns - (getattr(batch[0], "ts_recv", None) or now_ns)) / 1e9
        stride = -(-len(batch) // _SAMPLES)
        for event in batch[::stride]:
            received = getattr(event, "ts_recv", None)
            if received is not None:
                self.latency.add(now_ns - received, stride)

    def _away(self, away: Exception) -> None:
        if self.state != "away":
            say(logging.ERROR, "sink_away", f"{self.sink.name} is away, trying again: {away}",
                sink=self.sink.name, reason=str(away))  # fmt: skip
        self.state = "away"
