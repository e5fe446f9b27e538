"""One connection's life: subscribe, feed frames to the parser, carry out its requests, watch for silence.

Knows nothing of reconnecting (`line` does that) or of stores. `feed` is
synchronous, so that a socket, a file or a test can drive it alike.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from attrs import define

from .connector import ExchangeSettings, Rate, SessionPlan
from .counters import ExchangeCounters
from .coverage import STOPPED, UNSUBSCRIBED
from .errors import JrrError, ParseError
from .events import Connected, Disconnected, Gap, Message, StreamEvent
from .frame import Acked, Frame, HttpGet, Refused, Request, Rotate, Send
from .journal import say, say_seldom
from .pace import Spacing
from .parser import Parser
from .stream import Stream, StreamBoard
from .subscription import Subscription
from .vigil import Vigil

_WATCH_S = 0.25
# As much of a refused message as a line of log quotes.
_QUOTED_CHARS = 400


class SessionOver(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The session ended; the text is the reason."""


class OpenSocket(Protocol):
    """What a session needs of a socket; `transport.Socket` is one."""

    async def receive(self) -> str | bytes: ...
    async def send(self, text: str) -> None: ...
    async def ping(self) -> None: ...


@define(frozen=True)
class Surroundings:
    """What a session is wired to; one set per exchange, made by the manager."""

    settings: ExchangeSettings
    messages: Rate
    board: StreamBoard
    counters: ExchangeCounters
    publish: Callable[[Sequence[Message]], None]
    fetch: Callable[[HttpGet], Awaitable[Frame]]
    quarantine: Callable[[str, str, str | bytes], None]
    capture: Callable[[str, Frame], None] | None


class Session:
    """One connection of one plan, from its first message to its end."""

    def __init__(self, name: str, plan: SessionPlan, parser: Parser, around: Surroundings) -> None:
        """`name` is unique within the run; the parser is fresh."""
        self.name = name
        self.plan = plan
        self.live: dict[tuple[str, str], Stream] = {}
        self.rotating = asyncio.Event()
        self.rotate_reason = ""
        self.end_reason = STOPPED
        self.started = time.monotonic()
        self._parser = parser
        self._around = around
        self._last_recv_ns = time.time_ns()
        self._vigil = Vigil(self.started, around.settings.stale_s, around.settings.ack_timeout_s)
        self._outbox: asyncio.Queue[Send] = asyncio.Queue()
        self._errands: set[asyncio.Task[None]] = set()

    def feed(self, payload: str | bytes, ts_recv: int) -> None:
        """Take one payload as received at `ts_recv` (int ns): parse, publish, note what the parser asks for."""
        self._take(Frame(self.plan.exchange, payload, ts_recv))

    def _take(self, frame: Frame) -> None:
        around, counters = self._around, self._around.counters
        counters.frames += 1
        self._vigil.frames += 1
        self._last_recv_ns = frame.ts_recv
        if around.capture is not None:
            around.capture(self.name, frame)
        try:
            events = self._parser.receive(frame)
            if events:
                self._note(events, frame.ts_recv)
        except Exception as error:
            self._reject(frame, error)
        else:
            if events:
                counters.parsed += 1
                self._vigil.last_data = time.monotonic()
                around.publish(events)
            else:
                counters.control += 1
        if self._parser.requests:
            self._carry_out()

    def _reject(self, frame: Frame, error: Exception) -> None:
        self._around.counters.rejected += 1
        reason = str(error) if isinstance(error, ParseError) else f"parser failed: {error!r}"
        if not isinstance(error, ParseError):
            # The promise of `receive` is broken: the author needs the traceback, the user needs the data.
            logging.getLogger("jrr").debug("parser failed", exc_info=error)
        self._around.quarantine(self.name, reason, frame.payload)
        say_seldom(logging.WARNING, "frame_rejected", self.plan.exchange,
                   f"{self.plan.exchange}: a frame was not understood and is kept in quarantine: {reason}",
                   exchange=self.plan.exchange, session=self.name, reason=reason)  # fmt: skip

    def _note(self, events: Sequence[Message], ts_recv: int) -> None:
        """Count each event with its stream; the first one proves the stream alive."""
        live, streams = self.live, self._around.board.streams
        for event in events:
            key = (event.channel, event.symbol)
            if isinstance(event, StreamEvent):
                self._note_word(event)
                continue
            stream = live.get(key)
            if stream is None:
                stream = streams.get(key)
                if stream is None or not stream.wanted:
                    stream = self._adopt(key, ts_recv)
                self._revive(stream, ts_recv)
            if not stream.count:
                stream.first_ns = ts_recv
            stream.count += 1
            stream.last_ns = ts_recv

    def _note_word(self, event: StreamEvent) -> None:
        event.session = self.name
        if isinstance(event, Gap):
            self._note_gap(event)

    def _note_gap(self, gap: Gap) -> None:
        self._around.counters.gaps += 1
        self._around.counters.missing += gap.count or 0
        say_seldom(logging.WARNING, "gap", f"{gap.exchange}:{gap.what}:{gap.symbol}",
                   f"{gap.exchange}:{gap.what}:{gap.symbol}: {gap.count or 'unknown many'} missing ({gap.reason})",
                   exchange=gap.exchange, channel=gap.what, symbol=gap.symbol, count=gap.count)  # fmt: skip

    def _adopt(self, key: tuple[str, str], ts_recv: int) -> Stream:
        """Give a symbol of an all-market stream ("*") a record of its own; what was unsubscribed stays so."""
        board = self._around.board
        known, everything = board.streams.get(key), board.streams.get((key[0], "*"))
        if known is not None and not (everything is not None and everything.wanted):
            return known
        return board.expect(*key, ts_recv)

    def _revive(self, stream: Stream, ts_ns: int) -> None:
        """Say that the stream is complete from here on; once per session, and not for an unsubscribed one."""
        key = (stream.channel, stream.symbol)
        if key in self.live or not stream.wanted:
            return
        self.live[key] = stream
        self._around.publish(
            (Connected(self.plan.exchange, stream.symbol, None, ts_ns, stream.channel, self.name, ts_from=ts_ns),)
        )
        everything = self._around.board.streams.get((stream.channel, "*"))
        if everything is not None:
            everything.last_ns = ts_ns

    def _carry_out(self) -> None:
        requests, self._parser.requests = self._parser.requests, []
        for request in requests:
            self._do(request)

    def _do(self, request: Request) -> None:
        match request:
            case Send():
                self._outbox.put_nowait(request)
            case HttpGet():
                self._errand(self._fetch(request))
            case Rotate(reason):
                self.rotate(reason)
            case Acked(key, proves):
                self._vigil.answered(key)
                for subscription in proves:
                    stream = self._around.board.streams.get((subscription.channel, subscription.symbol))
                    if stream is not None:
                        self._revive(stream, self._last_recv_ns)
            case Refused(key, what, reason):
                text = self._vigil.refused(key)
                self._refused(what or (f"the request {_shortened(text)}" if text else "a request of ours"), reason)

    def _refused(self, what: str, reason: str) -> None:
        self._around.counters.refused += 1
        say(logging.ERROR, "subscription_refused", f"{self.plan.exchange} refused {what}: {reason}",
            exchange=self.plan.exchange, stream=what, reason=reason)  # fmt: skip

    def rotate(self, reason: str) -> None:
        """Ask for a successor connection; this one goes on until the successor delivers."""
        if not self.rotating.is_set():
            self.rotate_reason = reason
            self.rotating.set()

    def _errand(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _fetch(self, request: HttpGet) -> None:
        try:
            frame = await self._around.fetch(request)
        except Exception as error:
            say_seldom(logging.ERROR, "request_failed", f"{self.plan.exchange}:{request.tag}",
                       f"{self.plan.exchange}: {error}", exchange=self.plan.exchange, tag=request.tag)  # fmt: skip
        else:
            self._take(frame)

    def subscribe(self, wanted: Sequence[Subscription]) -> None:
        """Ask the exchange for these streams."""
        now_ns = time.time_ns()
        for subscription in wanted:
            # Where a connector cannot tell what a native stream carries, no event could ever be laid to it.
            if subscription.channel != subscription.native:
                self._around.board.expect(subscription.channel, subscription.symbol, now_ns)
        for message in self.plan.subscribe(wanted):
            self._outbox.put_nowait(message)

    def unsubscribe(self, unwanted: Sequence[Subscription]) -> None:
        """Ask the exchange to stop these streams, and say that they ended here."""
        kept = {(s.channel, s.symbol) for s in self.plan.subscriptions if s not in unwanted}
        for subscription in unwanted:
            for key in self._carried_by(subscription, kept):
                self._around.board.forget(*key)
                if self.live.pop(key, None) is not None:
                    self._around.publish((self._ended(key, UNSUBSCRIBED),))
        for message in self.plan.unsubscribe(unwanted):
            self._outbox.put_nowait(message)

    def _carried_by(self, subscription: Subscription, kept: set[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return what only this subscription carries: two may be of one channel and symbol."""
        keys = [(subscription.channel, subscription.symbol)]
        if subscription.symbol == "*":
            keys += [key for key in self.live if key[0] == subscription.channel]
        return [key for key in keys if key not in kept]

    async def run(self, socket: OpenSocket) -> str:
        """Live until the connection ends or is judged dead; return the reason.

        Cancelled, it gives `end_reason` to its streams. What a plugin raises
        against its contract ends this session alone.
        """
        reason = None
        try:
            self.subscribe(self.plan.subscriptions)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(socket))
                group.create_task(self._send(socket))
                group.create_task(self._watch(socket))
                if self.plan.ping_interval_s is not None:
                    group.create_task(self._ping(socket, self.plan.ping_interval_s))
        except* JrrError as ended:
            reason = str(ended.exceptions[0])
        except* Exception as failed:
            logging.getLogger("jrr").debug("session failed", exc_info=failed)
            reason = f"session failed: {failed.exceptions[0]!r}"
        finally:
            for task in self._errands:
                task.cancel()
            self._end(reason or self.end_reason)
        return reason or self.end_reason

    def _end(self, reason: str) -> None:
        ends = [self._ended(key, reason) for key in self.live]
        self.live.clear()
        if ends:
            self._around.publish(ends)

    def _ended(self, key: tuple[str, str], reason: str) -> Disconnected:
        channel, symbol = key
        return Disconnected(self.plan.exchange, symbol, None, time.time_ns(), channel, self.name, reason,
                            ts_to=self._last_recv_ns)  # fmt: skip

    async def _receive(self, socket: OpenSocket) -> None:
        receive, take, exchange, now_ns = socket.receive, self._take, self.plan.exchange, time.time_ns
        vigil = self._vigil
        while True:
            payload = await receive()
            vigil.last_sign = time.monotonic()
            take(Frame(exchange, payload, now_ns()))

    async def _send(self, socket: OpenSocket) -> None:
        spacing = Spacing(self._around.messages)
        while True:
            message = await self._outbox.get()
            await spacing.wait()
            self._vigil.expect(message.acks, message.text, time.monotonic())
            await socket.send(message.text)

    async def _ping(self, socket: OpenSocket, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await socket.ping()
            self._vigil.last_sign = time.monotonic()

    async def _watch(self, socket: OpenSocket) -> None:
        keepalive, rotate_after_s = self.plan.keepalive, self.plan.rotate_after_s
        kept_alive = listened = self.started
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            self._judge(now)
            if keepalive is not None and now - max(self._vigil.last_sign, kept_alive) > keepalive.idle_s:
                kept_alive = now
                await socket.send(keepalive.text)
            if rotate_after_s is not None and now - self.started > rotate_after_s:
                self.rotate("planned renewal")
            if now - listened > 1.0:
                listened = now
                self._listen_for_silence()

    def _judge(self, now: float) -> None:
        """Raise SessionOver for a connection that is dead though its socket is open."""
        unanswered = self._vigil.never_answered(now)
        if unanswered:
            say(logging.ERROR, "subscription_unanswered",
                f"{self.plan.exchange} never answered for {', '.join(unanswered)}: what it refused without a name",
                exchange=self.plan.exchange, streams=unanswered)  # fmt: skip
        verdict = self._vigil.verdict(now)
        if verdict is not None:
            raise SessionOver(verdict)
        overdue = self._vigil.overdue(now)
        if overdue is not None:
            # Other streams deliver: a successor asks again, and they lose nothing by it.
            self.rotate(overdue)

    def _listen_for_silence(self) -> None:
        settings, now_ns = self._around.settings, time.time_ns()
        for subscription in self.plan.subscriptions:
            key = (subscription.channel, subscription.symbol)
            stream = self._around.board.streams.get(key)
            if stream is not None and key in self.live and stream.last_ns < stream.subscribed_ns:
                # Its acknowledgement proved it: a symbol without trades is no trouble.
                continue
            finding = stream and stream.silence(now_ns, settings.first_data_s, settings.quiet_s)
            if not finding:
                continue
            self._around.counters.silent += 1
            text = (
                "subscribed, but nothing was ever received: a quiet symbol, or a stream this address does not serve"
                if finding == "never received"
                else "gone quiet against its own habit, though its connection lives"
            )
            say(logging.WARNING, "stream_silent", f"{subscription}: {text}",
                stream=str(subscription), finding=finding)  # fmt: skip


def _shortened(text: str) -> str:
    """Return a message of ours short enough for a line of log."""
    return text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]} ... ({len(text)} characters)"
