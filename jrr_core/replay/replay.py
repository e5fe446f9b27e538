"""Files of frames on their way into the sinks."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import Factory, define, evolve

from ..bus import Bus
from ..capture import Line, Lost, Opened, read_capture
from ..drain import drain_from
from ..errors import ConfigError
from ..lines import Damage
from ..quarantine import Quarantine
from ..sink import Sink
from ..tape import Received
from .player import Player
from .source import Source
from .tempo import Tempo
from .window import EVERYTHING, Window

# Twice what one frame of the largest size can mean.
_BUFFER_EVENTS = 200_000
_TICK_S = 0.2
_DAMAGES_KEPT = 5


@define
class ReplayCounts:
    """What was in the files; always frames == parsed + control + rejected.

    `skipped` are frames of exchanges not asked for, `damages` the first few
    of the `damaged` lines, `reasons` the first few different ones of
    `rejected`, `events` are by exchange and channel.
    """

    frames: int = 0
    parsed: int = 0
    control: int = 0
    rejected: int = 0
    damaged: int = 0
    skipped: int = 0
    gaps: int = 0
    missing: int = 0
    events: dict[str, dict[str, int]] = Factory(dict)
    damages: list[str] = Factory(list)
    reasons: list[str] = Factory(list)


OnTick = Callable[["Replay", float], None]


class Replay:
    """A recording on its way into the sinks; what was received in `window` is stored."""

    def __init__(
        self, sinks: Sequence[Sink], source: Callable[..., Source], quarantine: Quarantine, window: Window = EVERYTHING
    ) -> None:
        """`source(exchange, settings)` gives what reads an exchange's frames."""
        self._totals = ReplayCounts()
        self._quarantine = quarantine
        self._window = window
        bus = Bus()
        self.player = Player(source, window.through(bus.publish), self._refused)
        self.drains = [drain_from(bus, sink, _BUFFER_EVENTS, quarantine.keep) for sink in sinks]

    @property
    def counts(self) -> ReplayCounts:
        """What has been read so far."""
        counts = evolve(self._totals, events=self.player.events())
        for each in self.player.counters.values():
            counts.frames += each.frames
            counts.parsed += each.parsed
            counts.control += each.control
            counts.rejected += each.rejected
            counts.gaps += each.gaps
            counts.missing += each.missing - each.backfilled
        return counts

    async def run(
        self,
        files: Sequence[Path],
        exchange: str | None = None,
        speed: float | None = None,
        on_tick: OnTick = lambda replay, now_s: None,
    ) -> None:
        """Replay `files` in order; `exchange` names that of plain lines, and of captures the only one to replay.

        `speed` 1 takes as long as the recording did, 10 a tenth of it, None
        as long as it takes. Raises ConfigError for a file that cannot be
        read, or sinks that cannot be opened. `on_tick` is called about five
        times a second, with the monotonic time.
        """
        failure: BaseException | None = None
        try:
            for drain in self.drains:
                await drain.try_open()
            async with asyncio.TaskGroup() as group:
                for drain in self.drains:
                    group.create_task(drain.run())
                await self._feed(files, exchange, Tempo(speed), on_tick)
                for drain in self.drains:
                    drain.buffer.close()
        except* ConfigError as failed:
            failure = failed.exceptions[0]
        finally:
            for drain in self.drains:
                await drain.close()
            self._quarantine.close()
        if failure is not None:
            raise failure
        on_tick(self, time.monotonic())

    def failings(self) -> list[str]:
        """Return, in words, everything that was lost or failed; empty after a clean replay."""
        counts, found = self.counts, []
        if not counts.frames:
            found.append("there are no frames to replay")
        for count, what in (
            (counts.damaged, "damaged lines or missing parts"),
            (counts.rejected, "frames not understood, kept in quarantine"),
        ):
            if count:
                found.append(f"{count} {what}")
        for drain in self.drains:
            lost = drain.counters.dropped + drain.counters.quarantined + drain.pending
            if lost:
                found.append(f"{drain.sink.name}: {lost} events not stored")
        return found

    async def _feed(self, files: Sequence[Path], exchange: str | None, tempo: Tempo, on_tick: OnTick) -> None:
        due, opening, last = time.monotonic() + _TICK_S, self._window.since, 0
        for number, (file, item) in enumerate(self._chosen(files, exchange), start=1):
            last = item.ts
            if self._window.over(last):
                break
            if opening is not None and last >= opening:
                self.player.say_live(opening)
                opening = None
            if opening is None:
                await tempo.wait(last)
            lacking = self.player.play(item, file)
            if lacking is not None:
                self._damaged(f"{file}: the capture lacks {lacking}")
            for drain in self.drains:
                await drain.buffer.room()
            if time.monotonic() > due:
                due = time.monotonic() + _TICK_S
                on_tick(self, time.monotonic())
            elif number % 256 == 0:
                await asyncio.sleep(0)
        until = self._window.until
        self.player.finish(now_ns=None if until is None or last < until else until - 1)

    def _chosen(self, files: Sequence[Path], exchange: str | None) -> Iterator[tuple[str, Line]]:
        """Yield what is to be done again, and of which file it is."""
        for file in files:
            for item in read_capture(file, exchange):
                if isinstance(item, Damage):
                    self._damaged(f"{file.name} line {item.line}: {item.reason}")
                elif isinstance(item, (Opened, Lost)) or exchange in (None, item.exchange):
                    yield file.name, item
                elif isinstance(item, Received):
                    self._totals.skipped += 1

    def _refused(self, origin: str, reason: str, content: str | bytes) -> None:
        if reason not in self._totals.reasons and len(self._totals.reasons) < _DAMAGES_KEPT:
            self._totals.reasons.append(reason)
        self._quarantine.keep(origin, reason, content)

    def _damaged(self, what: str) -> None:
        self._totals.damaged += 1
        if len(self._totals.damages) < _DAMAGES_KEPT:
            self._totals.damages.append(what)
