"""From the frames of one connection to published events: parsed, counted, put in their streams' order.

Synchronous and without a socket or a clock (times come with the frames), so
that a live session and a replay take frames by the same road.
"""

import logging
from collections.abc import Callable, Sequence

from attrs import define

from .continuity import Continuity
from .counters import ExchangeCounters
from .coverage import EARLIER, STOPPED, UNSUBSCRIBED
from .errors import ParseError
from .events import Backfilled, Candle, Connected, Disconnected, FundingRate, Gap, Message, StreamEvent, Trade
from .frame import Frame
from .journal import say_seldom
from .parser import Parser
from .stream import Stream, StreamBoard

# What answers bring of the past; it says nothing about a stream being alive.
_PAST = (Trade, Candle, FundingRate)
# Data that comes later than this after it was made has been waiting on the way, and more of it was when the line broke.
_LATE_NS = 500_000_000
# A larger difference is that of the clocks.
_MOST_LATE_NS = 10 * 10**9


@define(frozen=True)
class Desk:
    """Where the events of one exchange are laid, whichever session brings them."""

    exchange: str
    board: StreamBoard
    continuity: Continuity
    counters: ExchangeCounters
    emit: Callable[[Sequence[Message]], None]
    quarantine: Callable[[str, str, str | bytes], None]

    def publish(self, events: Sequence[Message]) -> None:
        """Hand out events in order; what they say is missing or found again is counted and logged."""
        for event in events:
            if isinstance(event, Gap):
                self._note_gap(event)
            elif isinstance(event, Backfilled) and event.count:
                self._note_found(event)
        self.emit(events)

    def _note_found(self, found: Backfilled) -> None:
        if found.reason != EARLIER:
            self.counters.backfilled += found.count or 0
        say_seldom(logging.INFO, "backfilled", f"{found.exchange}:{found.what}:{found.symbol}",
                   f"{found.exchange}:{found.what}:{found.symbol}: {found.count} of the missing are there now "
                   f"({found.reason})",
                   exchange=found.exchange, channel=found.what, symbol=found.symbol, count=found.count)  # fmt: skip

    def _note_gap(self, gap: Gap) -> None:
        if gap.count == 0:
            say_seldom(logging.WARNING, "gap_stays", f"{gap.exchange}:{gap.what}:{gap.symbol}",
                       f"{gap.exchange}:{gap.what}:{gap.symbol}: what is missing cannot be fetched: {gap.reason}",
                       exchange=gap.exchange, channel=gap.what, symbol=gap.symbol, reason=gap.reason)  # fmt: skip
            return
        self.counters.gaps += 1
        self.counters.breaks += gap.count is None
        self.counters.missing += gap.count or 0
        say_seldom(logging.WARNING, "gap", f"{gap.exchange}:{gap.what}:{gap.symbol}",
                   f"{gap.exchange}:{gap.what}:{gap.symbol}: {gap.count or 'unknown many'} missing ({gap.reason})",
                   exchange=gap.exchange, channel=gap.what, symbol=gap.symbol, count=gap.count)  # fmt: skip


class Intake:
    """One connection's way in.

    `live` are the streams it has delivered, by (channel, symbol);
    `last_recv_ns` is when its last frame came, answers to requests aside.
    """

    def __init__(self, name: str, parser: Parser, desk: Desk) -> None:
        """`name` is the session's, unique within the run; the parser is fresh."""
        self.name = name
        self.parser = parser
        self.live: dict[tuple[str, str], Stream] = {}
        self.last_recv_ns = 0
        self._latest: Message | None = None
        self._desk = desk

    def take(self, frame: Frame) -> bool:
        """Parse a frame and publish what it means; return whether it meant anything."""
        desk = self._desk
        desk.counters.frames += 1
        if frame.tag is None:
            self.last_recv_ns = frame.ts_recv
        try:
            events = self.parser.receive(frame)
            sorted_out = self._sort(events, frame) if events else events
        except Exception as error:
            self._reject(frame, error)
            return False
        if not events:
            desk.counters.control += 1
            return False
        desk.counters.parsed += 1
        if frame.tag is None:
            self._latest = events[-1]
        if sorted_out is events:
            desk.emit(events)
        elif sorted_out:
            desk.publish(sorted_out)
        return True

    def prove(self, stream: Stream, ts_ns: int) -> None:
        """Say that the stream is complete from here on; once per session, and not for an unsubscribed one."""
        key = (stream.channel, stream.symbol)
        if key in self.live or not stream.wanted:
            return
        self.live[key] = stream
        desk = self._desk
        desk.emit((Connected(desk.exchange, stream.symbol, None, ts_ns, stream.channel, self.name, ts_from=ts_ns),))
        desk.continuity.join(stream, self.name)
        everything = desk.board.streams.get((stream.channel, "*"))
        if everything is not None:
            everything.last_ns = ts_ns

    def drop(self, key: tuple[str, str], reason: str, now_ns: int) -> None:
        """Say that a stream ended here, if it was live; what was held of it comes first."""
        stream = self.live.pop(key, None)
        if stream is None:
            return
        desk = self._desk
        in_order = reason in (STOPPED, UNSUBSCRIBED)
        events = desk.continuity.leave(stream, self.name, now_ns, in_order)
        if not in_order and not stream.sessions and not _heals(stream):
            desk.counters.interruptions += 1
        channel, symbol = key
        goes_on = bool(stream.sessions) and (in_order or (stream.track is not None and stream.track.seamless))
        until = now_ns if goes_on else self._complete_until()
        ended = Disconnected(desk.exchange, symbol, None, now_ns, channel, self.name, reason, ts_to=until)
        desk.publish([*events, ended])

    def _complete_until(self) -> int:
        """Return until when (int ns) everything made has come: what was still on its way has not."""
        received, latest = self.last_recv_ns, self._latest
        if latest is None or latest.ts_event is None:
            return received
        late_ns = received - latest.ts_event
        return received - late_ns if _LATE_NS < late_ns < _MOST_LATE_NS else received

    def end(self, reason: str, now_ns: int) -> None:
        """Say of every stream that it ended here."""
        for key in list(self.live):
            self.drop(key, reason, now_ns)

    def _reject(self, frame: Frame, error: Exception) -> None:
        desk = self._desk
        desk.counters.rejected += 1
        reason = str(error) if isinstance(error, ParseError) else f"parser failed: {error!r}"
        if not isinstance(error, ParseError):
            # The promise of `receive` is broken: the author needs the traceback, the user needs the data.
            logging.getLogger("jrr").debug("parser failed", exc_info=error)
        desk.quarantine(self.name, reason, frame.payload)
        say_seldom(logging.WARNING, "frame_rejected", desk.exchange,
                   f"{desk.exchange}: a frame was not understood and is kept in quarantine: {reason}",
                   exchange=desk.exchange, session=self.name, reason=reason)  # fmt: skip

    def _sort(self, events: Sequence[Message], frame: Frame) -> Sequence[Message]:
        """Count each event with its stream and lay it on its track; return the very same where all may go as it is."""
        live, ts_recv, answered = self.live, frame.ts_recv, frame.tag is not None
        sorted_out: list[Message] | None = [] if answered else None
        for at, event in enumerate(events):
            word = isinstance(event, StreamEvent)
            stream = live.get((event.channel, event.symbol))
            past = answered and isinstance(event, _PAST) and self._numbered(event)
            if stream is None:
                stream = self._found(event, ts_recv, word or past)
            if stream is not None and not word:
                if not stream.count:
                    stream.first_ns = ts_recv
                stream.count += 1
                if not past:
                    stream.last_ns = ts_recv
            track = None if stream is None else stream.track
            told = None if track is None else track.take(event, self.name, past)
            if word:
                event.session = self.name  # type: ignore[attr-defined]
            if sorted_out is None and (word or told is not None):
                sorted_out = list(events[:at])
            if sorted_out is not None:
                sorted_out += (event,) if told is None else told
        if answered and sorted_out is not None:
            for stream in live.values():
                if stream.track is not None:
                    sorted_out += stream.track.settle(ts_recv, self.name)
        return events if sorted_out is None else sorted_out

    def _numbered(self, event: Message) -> bool:
        """Whether core asks for what is missing of the event's stream; else answers are all it lives by."""
        stream = self._desk.board.streams.get((event.channel, event.symbol))
        return stream is not None and stream.track is not None and stream.track.numbered

    def _found(self, event: Message, ts_recv: int, passing: bool) -> Stream | None:
        """Return the stream of an event that is not live here: its first event proves it, unless it is `passing`."""
        key = (event.channel, event.symbol)
        stream = self._desk.board.streams.get(key)
        if passing:
            return stream
        if stream is None or not stream.wanted:
            stream = self._adopt(key, ts_recv)
        self.prove(stream, ts_recv)
        return stream

    def _adopt(self, key: tuple[str, str], ts_recv: int) -> Stream:
        """Give a symbol of an all-market stream ("*") a record of its own; what was unsubscribed stays so."""
        board = self._desk.board
        known, everything = board.streams.get(key), board.streams.get((key[0], "*"))
        if known is not None and not (everything is not None and everything.wanted):
            return known
        return board.expect(*key, ts_recv)


def _heals(stream: Stream) -> bool:
    """Whether what comes after an interruption of the stream will tell what it cost."""
    return stream.track is not None and stream.track.numbered
