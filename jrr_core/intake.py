"""From the frames of one connection to published events: parsed, counted, put in their streams' order.

Synchronous and without a socket or a clock (times are handed in), so that a
live session and a replay take frames by the same road. What happens here is
told to the tape, where there is one: all that the events depend on is on it.
"""

import logging
from collections.abc import Callable, Sequence

from .coverage import STOPPED, UNSUBSCRIBED
from .desk import Desk
from .errors import ParseError
from .events import Candle, Connected, Disconnected, FundingRate, Message, StreamEvent, Trade
from .frame import Absent, Acked, Frame, Hole, Request, Unknown
from .journal import say_seldom
from .parser import Extending, Parser, Refilling
from .stream import Stream
from .subscription import Subscription
from .tape import Ended, Looked, Unwanted, Wanted
from .wire import inspecting

# What answers bring of the past; it says nothing about a stream being alive.
_PAST = (Trade, Candle, FundingRate)
# Data that comes later than this after it was made has been waiting on the way, and more of it was when the line broke.
_LATE_NS = 500_000_000
# Of so many frames one is looked at for fields its parser does not know.
_INSPECTED = 64
# Of so many frames one tells how long it was on its way.
_SAMPLED = 16
# A larger difference is that of the clocks.
_MOST_LATE_NS = 10 * 10**9


class Intake:
    """One connection's way in.

    `live` are the streams it has delivered, by (channel, symbol); `begun` is
    whether any have been asked for. `frames` came by its socket, `meant` of
    them meant something; `last_recv_ns` is when the last of them came.
    """

    def __init__(
        self, name: str, parser: Parser, desk: Desk, ask: Callable[[Request], None] = lambda request: None
    ) -> None:
        """`name` is the session's, unique within the run; the parser is fresh.

        `ask` is given what the parser asks of the world outside.
        """
        self.name = name
        self.live: dict[tuple[str, str], Stream] = {}
        self.frames = self.meant = self.last_recv_ns = 0
        self.parser = parser
        self._ask = ask
        self._latest: Message | None = None
        self._desk = desk
        self._wanted: list[Subscription] = []
        self.begun = False

    @property
    def extending(self) -> bool:
        """Whether its parser can take on further streams."""
        return isinstance(self.parser, Extending)

    def take(self, frame: Frame) -> None:
        """Parse a frame, publish what it means and hand on what the parser asks."""
        if frame.tag is not None:
            self._answer(frame)
            return
        desk, ts_recv = self._desk, frame.ts_recv
        counters = desk.counters
        if desk.tape is not None:
            desk.tape.frame(self.name, frame)
        counters.frames += 1
        self.frames += 1
        self.last_recv_ns = ts_recv
        try:
            events = self.parser.receive(frame) if counters.frames % _INSPECTED != 1 else self._inspected(frame)
            sorted_out = self._sort(events, ts_recv) if events else events
        except Exception as error:
            self._reject(frame, error)
        else:
            if events:
                counters.parsed += 1
                self.meant += 1
                self._latest = events[-1]
                if not counters.parsed % _SAMPLED:
                    self._sample(events[-1], ts_recv)
                if sorted_out is events:
                    desk.emit(events)
                else:
                    desk.publish(sorted_out)
            else:
                counters.control += 1
        if self.parser.requests:
            self._carry_out()

    def _answer(self, frame: Frame) -> None:
        """Do as `take` with the reply to a request."""
        desk = self._desk
        if desk.tape is not None:
            desk.tape.frame(self.name, frame)
        desk.counters.frames += 1
        inspected = desk.counters.frames % _INSPECTED == 1
        try:
            events = self._inspected(frame) if inspected else self.parser.receive(frame)
            sorted_out = self._sort_answer(events, frame.ts_recv) if events else events
        except Exception as error:
            self._reject(frame, error)
        else:
            desk.counters.parsed += bool(events)
            desk.counters.control += not events
            desk.publish(sorted_out)
        if self.parser.requests:
            self._carry_out()
        self._look(frame.ts_recv)

    def _sample(self, event: Message, ts_recv: int) -> None:
        """Note how long the event was on its way, for the many that are not looked at."""
        if event.ts_event is not None:
            self._desk.transit.add(ts_recv - event.ts_event, _SAMPLED)

    def look(self, now_ns: int) -> None:
        """Publish what has been held long enough, and ask for what is missing."""
        if self._look(now_ns) and self._desk.tape is not None:
            self._desk.tape.act(Looked(self._desk.exchange, self.name, now_ns))

    def expect(self, wanted: Sequence[Subscription], now_ns: int) -> None:
        """Take note that these streams have been asked for."""
        if self._desk.tape is not None:
            self._desk.tape.act(Wanted(self._desk.exchange, self.name, now_ns, tuple(wanted)))
        self.begun = True
        self._wanted += wanted
        for subscription in wanted:
            # Where a connector cannot tell what a native stream carries, no event could ever be laid to it.
            if subscription.channel != subscription.native:
                self._desk.board.expect(subscription.channel, subscription.symbol, now_ns)

    def extend(self, added: Sequence[Subscription], now_ns: int) -> bool:
        """Have the parser read these streams too, and expect them as the others; False where it cannot."""
        if not isinstance(self.parser, Extending) or not self.parser.extend(added):
            return False
        if self.begun:
            self.expect(added, now_ns)
        return True

    def forget(self, unwanted: Sequence[Subscription], now_ns: int) -> None:
        """Say that streams ended here because nobody wants them any more; two may be of one channel and symbol."""
        if self._desk.tape is not None:
            self._desk.tape.act(Unwanted(self._desk.exchange, self.name, now_ns, tuple(unwanted)))
        self._wanted = [each for each in self._wanted if each not in unwanted]
        kept = {(each.channel, each.symbol) for each in self._wanted}
        for subscription in unwanted:
            keys = [(subscription.channel, subscription.symbol)]
            if subscription.symbol == "*":
                keys += [key for key in self.live if key[0] == subscription.channel]
            for key in keys:
                if key not in kept:
                    self._desk.board.forget(*key)
                    self.drop(key, UNSUBSCRIBED, now_ns)

    def _look(self, now_ns: int) -> bool:
        """Do as `look`; return whether there was anything."""
        desk, streams = self._desk, self.live.values()
        events = desk.continuity.due(streams, now_ns)
        if events:
            desk.publish(events)
        holes = desk.continuity.asks(streams, self.name, now_ns)
        for hole in holes:
            reason = desk.continuity.too_large(hole) or self._refilled(hole)
            if reason is not None:
                self._absent(Absent(hole, reason))
        if self.parser.requests:
            self._carry_out()
        return bool(events or holes)

    def _refilled(self, hole: Hole) -> str | None:
        """Let the parser ask for a hole; return why it cannot be had."""
        try:
            if isinstance(self.parser, Refilling) and self.parser.refill(hole):
                return None
        except Exception as error:
            logging.getLogger("jrr").debug("parser failed", exc_info=error)
            return f"parser failed: {error!r}"
        return "the exchange gives out no past events of this stream"

    def _carry_out(self) -> None:
        """Do what concerns streams of what the parser asks for; the rest is for the world outside."""
        requests, self.parser.requests = self.parser.requests, []
        for request in requests:
            if isinstance(request, Absent):
                self._absent(request)
                continue
            if isinstance(request, Unknown):
                self._desk.note_unknown(request.what)
                continue
            if isinstance(request, Acked):
                for subscription in request.proves:
                    stream = self._desk.board.streams.get((subscription.channel, subscription.symbol))
                    if stream is not None:
                        self._prove(stream, self.last_recv_ns)
            self._ask(request)

    def _absent(self, absent: Absent) -> None:
        self._desk.publish(self._desk.continuity.absent(absent, self.last_recv_ns, self.name))

    def _inspected(self, frame: Frame) -> Sequence[Message]:
        """Parse a frame and look whether the exchange sends more than its parser knows."""
        with inspecting() as found:
            events = self.parser.receive(frame)
        for name in found:
            self._desk.note_unknown(f"field {name}")
        return events

    def _prove(self, stream: Stream, ts_ns: int) -> None:
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
        if self._desk.tape is not None:
            self._desk.tape.act(Ended(self._desk.exchange, self.name, now_ns, reason))
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

    def _sort(self, events: Sequence[Message], ts_recv: int) -> Sequence[Message]:
        """Count each event with its stream and lay it on its track; return the very same where all may go as it is."""
        live, name = self.live, self.name
        sorted_out: list[Message] | None = None
        for at, event in enumerate(events):
            word, told = isinstance(event, StreamEvent), None
            stream = live.get((event.channel, event.symbol)) or self._found(event, ts_recv, word)
            if stream is not None:
                track = stream.track
                if not word:
                    stream.came(event, ts_recv)
                if track is not None:
                    told = track.take(event, name, False)
            if word:
                event.session = name  # type: ignore[attr-defined]
            if sorted_out is None and (word or told is not None):
                sorted_out = list(events[:at])
            if sorted_out is not None:
                sorted_out += (event,) if told is None else told
        return events if sorted_out is None else sorted_out

    def _sort_answer(self, events: Sequence[Message], ts_recv: int) -> Sequence[Message]:
        """Do as `_sort` for what came in answer to a request: what of it is missing, and that it is there now."""
        sorted_out: list[Message] = []
        for event in events:
            word, told = isinstance(event, StreamEvent), None
            past = isinstance(event, _PAST) and self._numbered(event)
            stream = self.live.get((event.channel, event.symbol)) or self._found(event, ts_recv, word or past)
            if stream is not None:
                if past:
                    stream.fetched(ts_recv)
                elif not word:
                    stream.came(event, ts_recv)
                if stream.track is not None:
                    told = stream.track.take(event, self.name, past)
            if word:
                event.session = self.name  # type: ignore[attr-defined]
            sorted_out += (event,) if told is None else told
        for stream in self.live.values():
            if stream.track is not None and stream.track.awake:
                sorted_out += stream.track.settle(ts_recv, self.name)
        return sorted_out

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
        self._prove(stream, ts_recv)
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
