"""From a buffer to a sink: batches, retries, halving; every event ends in one counter.

One task per sink. The only place that knows what to do when a store is away or
refuses a row. With a spool, what the sink cannot take goes to disk meanwhile and
comes from there, in the order it was published.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from .backoff import Backoff
from .buffer import Buffer
from .bus import Bus
from .counters import Latency, SinkCounters
from .errors import JrrError, PluginError, SinkUnavailable
from .events import Candle, Gap
from .journal import say, say_seldom
from .packing import kinds_of
from .sink import Sink, StreamKey, WriteResult
from .spool import Spool
from .spooler import Hand, Spooler

State = Literal["closed", "ok", "away"]
# Latency is sampled evenly, at most so many events of a batch, each weighing as many as it stands for.
_SAMPLES = 64
# A store that is back should not wait long for us, nor a stop for the next try.
_RETRY_CAP_S = 5.0
# What a sink may take to close before it is left to itself.
_CLOSE_S = 10.0
# A write that takes longer is a sink too slow for what comes.
_SLOW_S = 1.0
# What a sink may take to say where its streams ended.
_RESUME_S = 60.0

Resumed = Callable[[Mapping[StreamKey, int]], None]


class Drain:
    """Writes one buffer's batches to one sink until the buffer is closed and empty."""

    def __init__(
        self,
        sink: Sink,
        buffer: Buffer,
        counters: SinkCounters,
        quarantine: Callable[[str, str, str], None],
        spool: Spool | None = None,
    ) -> None:
        """`quarantine` keeps a refused row: origin, reason, the row as text.

        `resumed`, where set before `run`, is called once with the sink's
        resume points (where it offers them): when all that earlier runs
        spooled is stored, and nothing of this run is.
        """
        self.sink = sink
        self.buffer = buffer
        self.counters = counters
        self.latency = Latency()
        self.state: State = "closed"
        self.lag_s = 0.0
        self.resumed: Resumed | None = None
        self._quarantine = quarantine
        self._spooler: Spooler | None = None
        self._hand = Hand()
        if spool is not None:
            self._spooler = Spooler(spool, sink.name, kinds_of(sink.accepts), buffer, counters, quarantine)
            self._hand = self._spooler.hand
        self._taking = False
        self._dropped_before = 0

    async def try_open(self) -> bool:
        """Open the spool and the sink; False while the store is away (`run` tries again).

        Raises ConfigError for the user, PluginError for what a sink must not raise.
        """
        if self._spooler is not None:
            await self._spooler.open()
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
        if self._spooler is None:
            await self._drain()
            return
        await self._spooler.open()
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self._spooler.keep(self._pressed))
            await self._drain()
            keeping.cancel()

    @property
    def pending(self) -> int:
        """Events accepted that no counter has yet: in the buffer, in a batch being written, on the way to disk."""
        held = len(self._hand.events) if self._hand.kept is None else 0
        return len(self.buffer) + held + (self._spooler.pending if self._spooler is not None else 0)

    @property
    def spooling(self) -> bool:
        """Whether events go through the spool now."""
        return self._spooler is not None and self._spooler.active

    @property
    def spool_bytes(self) -> int:
        """Bytes the spool takes on disk."""
        return self._spooler.spool.size if self._spooler is not None else 0

    async def give_up(self) -> None:
        """After a stop that could not wait: put what is left into the spool; what does not fit there is dropped."""
        if self._spooler is not None:
            await self._spooler.put_all_away()
        held = len(self._hand.events) if self._hand.kept is None else 0
        self._hand.events = ()
        left = len(self.buffer.left()) + held
        self.counters.dropped += left
        name, spooled = self.sink.name, self.counters.spooled
        if left:
            say(logging.ERROR, "left_unstored", f"{name}: stopped with {left} events not stored",
                sink=name, count=left)  # fmt: skip
        if spooled and self._spooler is not None:
            say(logging.ERROR, "left_in_spool",
                f"{name}: {spooled} events not stored are in the spool {self._spooler.spool.folder}; the next "
                "`jrr run` stores them first, or `jrr spool drain` does", sink=name, count=spooled)  # fmt: skip

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
        if self._spooler is not None:
            await self._spooler.close()

    async def _drain(self) -> None:
        backoff = Backoff(cap_s=_RETRY_CAP_S)
        while self.state != "ok":
            if self.buffer.closed and not len(self.buffer) and not self.spooling:
                return
            if await self.try_open():
                break
            await self.buffer.rest(backoff.next_s())
        while batch := await self._next():
            for start in range(0, len(batch), self.sink.batch.max_rows):
                await self._write(batch[start : start + self.sink.batch.max_rows])
            if self._spooler is not None:
                await self._spooler.release()

    async def _next(self) -> Sequence[Any]:
        """Return the next batch, now in hand: from the spool while it is in use, else from the buffer."""
        if self.resumed is not None and not (self._spooler is not None and self._spooler.spool.earlier):
            await self._resume(self.resumed)
            self.resumed = None
        if self._spooler is not None and self._spooler.active:
            batch = await self._spooler.next(self.sink.batch.max_rows)
            if batch:
                return batch
        self._taking = True
        try:
            self._hand.events = await self.buffer.take()
        finally:
            self._taking = False
        self._hand.since_s = time.monotonic()
        return self._hand.events

    def _pressed(self) -> bool:
        """Whether what waits should go to disk: the sink is away, behind, or slow."""
        if self._taking:
            return False
        slow = bool(self._hand.events) and time.monotonic() - self._hand.since_s > _SLOW_S
        return self.state != "ok" or self.buffer.much or slow

    async def _resume(self, resumed: Resumed) -> None:
        """Hand on where the sink's streams ended; what goes wrong harms nothing else."""
        ask = getattr(self.sink, "resume_points", None)
        backoff = Backoff(cap_s=_RETRY_CAP_S)
        while ask is not None:
            try:
                async with asyncio.timeout(_RESUME_S):
                    points = await ask()
            except SinkUnavailable as away:
                self._away(away)
                if self.buffer.closed:
                    return
                await self.buffer.rest(backoff.next_s())
            except Exception as error:
                say(logging.ERROR, "resume_failed", f"{self.sink.name} cannot tell where its streams ended, so what is "
                    f"missing since then is not fetched: {error!r}", sink=self.sink.name)  # fmt: skip
                return
            else:
                self._back()
                resumed(points)
                return

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
        self._settle(1)
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
        self._settle(len(batch))
        self._back()
        now_ns = time.time_ns()
        self.lag_s = (now_ns - (getattr(batch[0], "ts_recv", None) or now_ns)) / 1e9
        stride = -(-len(batch) // _SAMPLES)
        for event in batch[::stride]:
            received = getattr(event, "ts_recv", None)
            if received is not None:
                self.latency.add(now_ns - received, stride)

    def _settle(self, count: int) -> None:
        """Note the end of the first events in hand: the parts of a halved batch come in order."""
        self._hand.events = self._hand.events[count:]
        if self._hand.kept is not None:
            self.counters.spooled -= count

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
            if self.counters.spooled:
                what += f"; {self.counters.spooled} events follow from the spool"
            say(logging.WARNING, "sink_back", f"{self.sink.name} is back; {what}",
                sink=self.sink.name, dropped=lost, spooled=self.counters.spooled)  # fmt: skip
        self.state = "ok"

    def _away(self, away: Exception) -> None:
        if self.state != "away":
            self._dropped_before = self.counters.dropped
            say(logging.ERROR, "sink_away", f"{self.sink.name} is away, trying again: {away}",
                sink=self.sink.name, reason=str(away))  # fmt: skip
        self.state = "away"


def drain_from(
    bus: Bus,
    sink: Sink,
    capacity: int,
    quarantine: Callable[[str, str, str], None],
    spool: Spool | None = None,
) -> Drain:
    """Route what `sink` accepts from the bus through a buffer of `capacity` events to a new Drain."""
    counters = SinkCounters()
    buffer = Buffer(sink.batch, capacity, counters, keeps_gaps=Gap in sink.accepts)
    put = buffer.put
    if getattr(sink, "open_candles", True) or Candle not in sink.accepts:
        bus.route(sink.accepts, put)
    else:
        bus.route([kind for kind in sink.accepts if kind is not Candle], put)
        bus.route((Candle,), lambda candle: put(candle) if candle.closed else None)
    return Drain(sink, buffer, counters, quarantine, spool)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
