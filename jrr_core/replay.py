"""A capture or recorded frames through the same parsers and sinks as live data.

Replies the parsers once asked for are among the frames, so what they ask for
now is left undone. Unlike a socket a file can wait: nothing is ever dropped
for want of room.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import Factory, define

from .bus import Bus
from .capture import read_capture
from .config import Config, structure
from .coverage import END_OF_CAPTURE
from .drain import drain_from
from .errors import ConfigError, ParseError
from .events import Connected, Disconnected, Gap, Message, StreamEvent
from .frame import Frame
from .lines import Damage
from .parser import Parser
from .plugins import Plugins
from .quarantine import Quarantine
from .sink import Sink

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


@define
class _Session:
    """One connection of the capture: its parser and the streams it delivered."""

    exchange: str
    name: str
    parser: Parser
    last_ns: int = 0
    streams: set[tuple[str, str]] = Factory(set)


class Replay:
    """One file on its way into the sinks."""

    def __init__(self, sinks: Sequence[Sink], make_parser: Callable[[str], Parser], quarantine: Quarantine) -> None:
        """`make_parser` gives a fresh parser of an exchange, for every session of the file."""
        self.counts = ReplayCounts()
        self._make_parser = make_parser
        self._quarantine = quarantine
        self._bus = Bus()
        self.drains = [drain_from(self._bus, sink, _BUFFER_EVENTS, quarantine.keep) for sink in sinks]
        self._sessions: dict[tuple[str, str], _Session] = {}

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
                self.counts.skipped += 1
                continue
            session = self._session(frame.exchange, name or file.name)
            self._take(session, frame)
            if ends.get((frame.exchange, session.name)) == number:
                self._end(session, "the connection ended")
            for drain in self.drains:
                await drain.buffer.room()
            if time.monotonic() > due:
                due = time.monotonic() + _TICK_S
                on_tick(self, time.monotonic())
            elif number % 256 == 0:
                await asyncio.sleep(0)
        for session in list(self._sessions.values()):
            self._end(session, END_OF_CAPTURE)

    def _session(self, exchange: str, name: str) -> _Session:
        session = self._sessions.get((exchange, name))
        if session is None:
            session = self._sessions[exchange, name] = _Session(exchange, name, self._make_parser(exchange))
        return session

    def _take(self, session: _Session, frame: Frame) -> None:
        counts = self.counts
        counts.frames += 1
        session.last_ns = frame.ts_recv
        try:
            events = session.parser.receive(frame)
        except Exception as error:
            # The parser boundary: ParseError is the promise, anything else a broken one; neither ends the replay.
            counts.rejected += 1
            reason = str(error) if isinstance(error, ParseError) else f"parser failed: {error!r}"
            if reason not in counts.reasons and len(counts.reasons) < _DAMAGES_KEPT:
                counts.reasons.append(reason)
            self._quarantine.keep(session.name, reason, frame.payload)
        else:
            if events:
                counts.parsed += 1
                self._publish(session, events, frame.ts_recv)
            else:
                counts.control += 1
        session.parser.requests.clear()

    def _publish(self, session: _Session, events: Sequence[Message], ts_recv: int) -> None:
        totals = self.counts.events.setdefault(session.exchange, {})
        for event in events:
            if isinstance(event, StreamEvent):
                event.session = event.session or session.name
                if isinstance(event, Gap):
                    self.counts.gaps += 1
                    self.counts.missing += event.count or 0
                continue
            channel = event.channel
            totals[channel] = totals.get(channel, 0) + 1
            if (channel, event.symbol) not in session.streams:
                session.streams.add((channel, event.symbol))
                self._bus.publish(
                    (Connected(event.exchange, event.symbol, None, ts_recv, channel, session.name, ts_from=ts_recv),)
                )
        self._bus.publish(events)

    def _end(self, session: _Session, reason: str) -> None:
        del self._sessions[session.exchange, session.name]
        self._bus.publish(
            [
                Disconnected(session.exchange, symbol, None, session.last_ns, channel, session.name, reason,
                             ts_to=session.last_ns)
                for channel, symbol in sorted(session.streams)
            ]
        )  # fmt: skip

    def _damaged(self, damage: Damage) -> None:
        self.counts.damaged += 1
        if len(self.counts.damages) < _DAMAGES_KEPT:
            self.counts.damages.append(damage)


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
