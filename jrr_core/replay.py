"""A capture or recorded frames through the same parsers and sinks as live data.

Replies the parsers once asked for are among the frames, so what they ask for
now is left undone. Unlike a socket a file can wait: nothing is ever dropped
for want of room.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import Factory, define, evolve

from .bus import Bus
from .capture import read_capture
from .config import Config, structure
from .connector import Numbering
from .continuity import Continuity
from .counters import ExchangeCounters
from .coverage import END_OF_CAPTURE
from .drain import drain_from
from .errors import ConfigError
from .frame import Absent, Frame
from .intake import Desk, Intake
from .lines import Damage
from .parser import Parser
from .plugins import Plugins
from .quarantine import Quarantine
from .sink import Sink
from .stream import StreamBoard

# Twice what one frame of the largest size can mean.
_BUFFER_EVENTS = 200_000
_TICK_S = 0.2
_DAMAGES_KEPT = 5


@define
class ReplayCounts:
    """What was in the file; always frames == parsed + control + rejected.

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
    damages: list[Damage] = Factory(list)
    reasons: list[str] = Factory(list)


class Replay:
    """One file on its way into the sinks."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        make_parser: Callable[[str], Parser],
        quarantine: Quarantine,
        numbering: Callable[[str], Mapping[str | None, Numbering]] = lambda exchange: {},
    ) -> None:
        """`make_parser` gives a fresh parser of an exchange, for every session; `numbering` its `trade_numbering`."""
        self._numbering = numbering
        self._totals = ReplayCounts()
        self._make_parser = make_parser
        self._quarantine = quarantine
        self._bus = Bus()
        self._desks: dict[str, Desk] = {}
        self.drains = [drain_from(self._bus, sink, _BUFFER_EVENTS, quarantine.keep) for sink in sinks]
        self._sessions: dict[tuple[str, str], Intake] = {}

    @property
    def counts(self) -> ReplayCounts:
        """What has been read so far."""
        counts = evolve(self._totals, events={})
        for exchange, desk in self._desks.items():
            each = desk.counters
            counts.frames += each.frames
            counts.parsed += each.parsed
            counts.control += each.control
            counts.rejected += each.rejected
            counts.gaps += each.gaps
            counts.missing += each.missing - each.backfilled
            counts.events[exchange] = desk.board.counts()
        return counts

    async def run(
        self,
        file: Path,
        exchange: str | None = None,
        on_tick: "Callable[[Replay, float], None]" = lambda replay, now_s: None,
    ) -> None:
        """Replay `file`; `exchange` names the exchange of plain lines, and of a capture the only one to replay.

        Raises ConfigError for a file that cannot be read, a pipe among
        them, or sinks that cannot be opened. `on_tick` is called about five times a second, with
        the monotonic time.
        """
        ends = _session_ends(file, exchange)
        failure: BaseException | None = None
        try:
            for drain in self.drains:
                await drain.try_open()
            async with asyncio.TaskGroup() as group:
                for drain in self.drains:
                    group.create_task(drain.run())
                await self._feed(file, exchange, ends, on_tick)
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
            found.append("the file holds no frames to replay")
        for count, what in (
            (counts.damaged, "damaged lines"),
            (counts.rejected, "frames not understood, kept in quarantine"),
        ):
            if count:
                found.append(f"{count} {what}")
        for drain in self.drains:
            lost = drain.counters.dropped + drain.counters.quarantined + drain.pending
            if lost:
                found.append(f"{drain.sink.name}: {lost} events not stored")
        return found

    async def _feed(
        self,
        file: Path,
        exchange: str | None,
        ends: dict[tuple[str, str], int],
        on_tick: "Callable[[Replay, float], None]",
    ) -> None:
        due = time.monotonic() + _TICK_S
        for number, item in enumerate(read_capture(file, exchange), start=1):
            if isinstance(item, Damage):
                self._damaged(item)
                continue
            name, frame = item
            if exchange is not None and frame.exchange != exchange:
                self._totals.skipped += 1
                continue
            session = self._session(frame.exchange, name or file.name)
            self._take(session, frame)
            if ends.get((frame.exchange, session.name)) == number:
                self._end(frame.exchange, session, "the connection ended")
            for drain in self.drains:
                await drain.buffer.room()
            if time.monotonic() > due:
                due = time.monotonic() + _TICK_S
                on_tick(self, time.monotonic())
            elif number % 256 == 0:
                await asyncio.sleep(0)
        for (exchange_name, _), session in list(self._sessions.items()):
            self._end(exchange_name, session, END_OF_CAPTURE)

    def _session(self, exchange: str, name: str) -> Intake:
        session = self._sessions.get((exchange, name))
        if session is None:
            desk = self._desks.get(exchange) or self._desk(exchange)
            session = self._sessions[exchange, name] = Intake(name, self._make_parser(exchange), desk)
        return session

    def _desk(self, exchange: str) -> Desk:
        continuity = Continuity(exchange, self._numbering(exchange), 0)
        desk = self._desks[exchange] = Desk(exchange, StreamBoard(), continuity, ExchangeCounters(), self._bus.publish,
                                            self._refused)  # fmt: skip
        return desk

    def _refused(self, origin: str, reason: str, content: str | bytes) -> None:
        if reason not in self._totals.reasons and len(self._totals.reasons) < _DAMAGES_KEPT:
            self._totals.reasons.append(reason)
        self._quarantine.keep(origin, reason, content)

    def _take(self, session: Intake, frame: Frame) -> None:
        """Take a frame; of what the parser asks for, only what it says is looked at, since answers are recorded."""
        desk = self._desks[frame.exchange]
        held = desk.continuity.due(session.live.values(), frame.ts_recv)
        if held:
            desk.publish(held)
        session.take(frame)
        for request in session.parser.requests:
            if isinstance(request, Absent):
                desk.publish(desk.continuity.absent(request, frame.ts_recv, session.name))
        session.parser.requests.clear()

    def _end(self, exchange: str, session: Intake, reason: str) -> None:
        del self._sessions[exchange, session.name]
        session.end(reason, session.last_recv_ns)

    def _damaged(self, damage: Damage) -> None:
        self._totals.damaged += 1
        if len(self._totals.damages) < _DAMAGES_KEPT:
            self._totals.damages.append(damage)


def parser_maker(plugins: Plugins, config: Config) -> Callable[[str], Parser]:
    """Return how replay makes parsers: by a parser plugin for the exchange, else by its connector.

    An exchange whose plugin is not among `plugins` is looked for among all
    installed. The function raises ConfigError where there is none.
    """

    makers: dict[str, Callable[[], Parser]] = {}

    def make(exchange: str) -> Parser:
        if exchange not in makers:
            makers[exchange] = _maker(exchange, plugins, config)
        return makers[exchange]()

    return make


def numbering_of(plugins: Plugins) -> Callable[[str], Mapping[str | None, Numbering]]:
    """Return how replay learns which trade ids leave none out: from the connector of the exchange, installed or not."""

    def numbering(exchange: str) -> Mapping[str | None, Numbering]:
        known = plugins if exchange in plugins.connectors else Plugins.load()
        found: Mapping[str | None, Numbering] = getattr(known.connectors.get(exchange), "trade_numbering", {})
        return found

    return numbering


def _maker(exchange: str, plugins: Plugins, config: Config) -> Callable[[], Parser]:
    if exchange not in plugins.parsers and exchange not in plugins.connectors:
        plugins = Plugins.load()
    own: Any = plugins.parsers.get(exchange)
    if own is not None:
        return lambda: own(None)
    cls = plugins.connector(exchange)
    connector = cls(structure(cls.Settings, config.exchanges.get(exchange, {}), f"exchanges.{exchange}"))
    return lambda: connector.parser(None)


def _session_ends(file: Path, exchange: str | None) -> dict[tuple[str, str], int]:
    """Return which item of the file is the last of each session, so that a session is ended before its successor."""
    if file.is_fifo() or file.is_socket() or file.is_char_device():
        raise ConfigError(f"cannot replay {file}: a recording is read twice, so write it to a file first")
    ends: dict[tuple[str, str], int] = {}
    items: Iterable[tuple[str | None, Frame] | Damage] = read_capture(file, exchange)
    for number, item in enumerate(items, start=1):
        if not isinstance(item, Damage):
            name, frame = item
            if name is None:
                return {}
            ends[frame.exchange, name] = number
    return ends
