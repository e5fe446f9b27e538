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
from .bus import Bus
from .counters import Latency, SinkCounters
from .errors import JrrError, PluginError, SinkUnavailable
from .events import Candle, Gap
from .journal import say, say_seldom
from .sink import Sink, WriteResult

State = Literal["closed", "ok", "away"]
# Latency is sampled evenly, at most so many events of a batch, each weighing as many as it stands for.
_SAMPLES = 64
# A store that is back should not wait long for us, nor a stop for the next try.
_RETRY_CAP_S = 5.0
# What a sink may take to close before it is left to itself.
_CLOSE_S = 10.0


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
        self._dropped_before = 0

    async def try_open(self) -> bool:
        """Open the sink; False while the store is away (`run` tries again).

        Raises ConfigError for the user, PluginError for what a sink must not raise.
        """
        try:
            await self.sink.open()
        except SinkUnavailable as away:
            self._away(away)
            return False
        except JrrError:
            raise
        except Exception as error:
            raise PluginError(f"sink {self.sink.name} could not be opened: {error!r}") from error
        self._back()
        return True

    async def run(self) -> None:
        """Drain until the buffer is closed and empty; opens the sink first if `try_open` could not."""
        backoff = Backoff(cap_s=_RETRY_CAP_S)
        while self.state != "ok":
            if self.buffer.closed and not len(self.buffer):
                return
            if await self.try_open():
                break
            await self.buffer.rest(backoff.next_s())
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
            async with asyncio.timeout(_CLOSE_S):
                await self.sink.close()
        except TimeoutError:
            say(logging.ERROR, "sink_close_failed", f"{self.sink.name}: not closed after {_CLOSE_S:g} s, left alone",
                sink=self.sink.name)  # fmt: skip
        except Exception as error:
            say(logging.ERROR, "sink_close_failed", f"{self.sink.name}: closing failed: {error}", sink=self.sink.name)
        self.state = "closed"

    async def _write(self, batch: Sequence[Any]) -> None:
        """Store the batch, however long the store is away; a refused one is halved until the bad row is found."""
        backoff = Backoff(cap_s=_RETRY_CAP_S)
        while True:
            try:
                result = await self.sink.write(batch)
            except SinkUnavailable as away:
                self.counters.retries += 1
                self._away(away)
                await self.buffer.rest(backoff.next_s())
            except asyncio.CancelledError as stray:
                if _cancelled():
                    raise
                # Something inside the sink was cancelled, not this task.
                await self._halve(batch, stray)
                return
            except Exception as rejected:
                await self._halve(batch, rejected)
                return
            else:
                self._stored(batch, result)
                return

    async def _halve(self, batch: Sequence[Any], rejected: BaseException) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
            return
        self.counters.quarantined += 1
        self._holding = self._holding[1:]
        reason = str(rejected) or repr(rejected)
        self._quarantine(self.sink.name, reason, repr(batch[0]))
        say_seldom(logging.ERROR, "row_quarantined", self.sink.name,
                   f"{self.sink.name} refused a row, kept in quarantine: {reason}",
                   sink=self.sink.name, reason=reason)  # fmt: skip

    def _stored(self, batch: Sequence[Any], result: WriteResult) -> None:
        counters = self.counters
        written, duplicate = self._counted(result, len(batch))
        counters.written += written
        counters.duplicate += duplicate
        counters.batches += 1
        # The parts of a halved batch come in order: what is held shrinks from the front.
        self._holding = self._holding[len(batch) :]
        self._back()
        now_ns = time.time_ns()
        self.lag_s = (now_ns - (getattr(batch[0], "ts_recv", None) or now_ns)) / 1e9
        stride = -(-len(batch) // _SAMPLES)
        for event in batch[::stride]:
            received = getattr(event, "ts_recv", None)
            if received is not None:
                self.latency.add(now_ns - received, stride)

    def _counted(self, result: WriteResult, rows: int) -> tuple[int, int]:
        """Return new and known rows; `write` returned, so all are stored, whatever a faulty sink makes of the count."""
        written: Any = getattr(result, "written", None)
        duplicate: Any = getattr(result, "duplicate", None)
        whole = isinstance(written, int) and isinstance(duplicate, int)
        if whole and min(written, duplicate) >= 0 and written + duplicate == rows:
            return written, duplicate
        say_seldom(logging.ERROR, "sink_miscounts", self.sink.name,
                   f"sink {self.sink.name} returned {result!r} for {rows} rows: its author must make them add up",
                   sink=self.sink.name)  # fmt: skip
        known = min(max(duplicate, 0), rows) if whole else 0
        return rows - known, known

    def _back(self) -> None:
        if self.state == "away":
            lost = self.counters.dropped - self._dropped_before
            what = f"{lost} events were dropped meanwhile" if lost else "nothing was lost"
            say(logging.WARNING, "sink_back", f"{self.sink.name} is back; {what}", sink=self.sink.name, dropped=lost)
        self.state = "ok"

    def _away(self, away: Exception) -> None:
        if self.state != "away":
            self._dropped_before = self.counters.dropped
            say(logging.ERROR, "sink_away", f"{self.sink.name} is away, trying again: {away}",
                sink=self.sink.name, reason=str(away))  # fmt: skip
        self.state = "away"


def drain_from(bus: Bus, sink: Sink, capacity: int, quarantine: Callable[[str, str, str], None]) -> Drain:
    """Route what `sink` accepts from the bus through a buffer of `capacity` events to a new Drain."""
    counters = SinkCounters()
    buffer = Buffer(sink.batch, capacity, counters, keeps_gaps=Gap in sink.accepts)
    put = buffer.put
    if getattr(sink, "open_candles", True) or Candle not in sink.accepts:
        bus.route(sink.accepts, put)
    else:
        bus.route([kind for kind in sink.accepts if kind is not Candle], put)
        bus.route((Candle,), lambda candle: put(candle) if candle.closed else None)
    return Drain(sink, buffer, counters, quarantine)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
