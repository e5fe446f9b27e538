"""One connection's life: subscribe, carry out what the parser asks for, watch for silence, end.

Knows nothing of reconnecting (`line` does that) or of stores. What its frames
mean is `intake`'s affair.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from attrs import define

from .connector import ExchangeSettings, Rate, SessionPlan
from .coverage import STOPPED
from .desk import Desk
from .errors import JrrError
from .frame import Acked, Frame, HttpGet, Refused, Request, Rotate, Send, dated
from .intake import Intake
from .journal import say, say_seldom
from .pace import Spacing
from .parser import Parser
from .route import SYSTEM, Network
from .stream import Stream
from .subscription import Subscription
from .tape import Begun, Sent
from .vigil import Vigil

_WATCH_S = 0.25
# As much of a refused message as a line of log quotes.
_QUOTED_CHARS = 400


class SessionOver(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The session ended; the text is the reason."""


class OpenSocket(Protocol):
    """What a session needs of a socket; `transport.Socket` is one."""

    async def deliver(self, take: Callable[[bytes, int], object]) -> None: ...
    async def send(self, text: str) -> None: ...
    async def ping(self) -> None: ...


@define(frozen=True)
class Surroundings:
    """What a session is wired to; one set per exchange, made by the builder.

    So many `sharers`, this process among them, keep to the exchange's limits per address together.
    """

    settings: ExchangeSettings
    messages: Rate
    desk: Desk
    fetch: Callable[[HttpGet], Awaitable[Frame]]
    network: Network = SYSTEM
    sharers: int = 1


class Session:
    """One connection of one plan, from its first message to its end."""

    def __init__(self, name: str, plan: SessionPlan, parser: Parser, around: Surroundings) -> None:
        """`name` is unique within the run; the parser is fresh."""
        self.name = name
        self.plan = plan
        self.rotating = asyncio.Event()
        self.rotate_reason = ""
        self.end_reason = STOPPED
        self.started = time.monotonic()
        self._around = around
        self._intake = Intake(name, parser, around.desk, self._do)
        self._vigil = Vigil(self.started, around.settings.stale_s, around.settings.ack_timeout_s)
        self._outbox: asyncio.Queue[Send] = asyncio.Queue()
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def extending(self) -> bool:
        """Whether it can take on further streams."""
        return self._intake.extending

    @property
    def live(self) -> dict[tuple[str, str], Stream]:
        """The streams it delivers, by (channel, symbol)."""
        return self._intake.live

    def feed(self, payload: str | bytes, ts_recv: int) -> None:
        """Take one payload as received at `ts_recv` (int ns): parse, publish, note what the parser asks for."""
        self._intake.take(Frame(self.plan.exchange, payload, ts_recv))

    def _do(self, request: Request) -> None:
        match request:
            case Send():
                self._outbox.put_nowait(request)
            case HttpGet():
                self._errand(self._fetch(request))
            case Rotate(reason):
                self.rotate(reason)
            case Acked(key):
                self._vigil.answered(key)
            case Refused(key, what, reason):
                text = self._vigil.refused(key)
                self._refused(what or (f"the request {_shortened(text)}" if text else "a request of ours"), reason)

    def _refused(self, what: str, reason: str) -> None:
        self._around.desk.counters.refused += 1
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

    def _note(self, text: str, tag: str | None = None) -> None:
        """Tell the tape what goes to the exchange."""
        tape = self._around.desk.tape
        if tape is not None:
            tape.act(Sent(self.plan.exchange, self.name, time.time_ns(), text, tag))

    async def _fetch(self, request: HttpGet) -> None:
        self._note(request.url, request.tag)
        try:
            frame = await self._around.fetch(request)
        except Exception as error:
            say_seldom(logging.ERROR, "request_failed", f"{self.plan.exchange}:{request.tag}",
                       f"{self.plan.exchange}: {error}", exchange=self.plan.exchange, tag=request.tag)  # fmt: skip
        else:
            self._intake.take(frame)

    def subscribe(self, wanted: Sequence[Subscription]) -> None:
        """Ask the exchange for these streams."""
        self._intake.expect(wanted, time.time_ns())
        self._ask(wanted)

    def _ask(self, wanted: Sequence[Subscription]) -> None:
        for message in self.plan.subscribe(wanted):
            self._outbox.put_nowait(message)

    def extend(self, plan: SessionPlan, added: Sequence[Subscription]) -> bool:
        """Carry `plan`, its own with `added`, from here on; False, with nothing changed, where its parser cannot."""
        if not self._intake.extend(added, time.time_ns()):
            return False
        self.plan = plan
        if self._intake.begun:
            self._ask(added)
        return True

    def unsubscribe(self, unwanted: Sequence[Subscription]) -> None:
        """Ask the exchange to stop these streams, and say that they ended here."""
        self._intake.forget(unwanted, time.time_ns())
        for message in self.plan.unsubscribe(unwanted):
            self._outbox.put_nowait(message)

    async def run(self, socket: OpenSocket) -> str:
        """Live until the connection ends or is judged dead; return the reason.

        Cancelled, it gives `end_reason` to its streams. What a plugin raises
        against its contract ends this session alone.
        """
        reason = None
        tape, plan = self._around.desk.tape, self.plan
        if tape is not None:
            tape.act(Begun(plan.exchange, self.name, time.time_ns(), plan.url, tuple(plan.subscriptions)))
        try:
            self.subscribe(plan.subscriptions)
            async with asyncio.TaskGroup() as group:
                group.create_task(socket.deliver(self.feed))
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
            self._intake.end(reason or self.end_reason, time.time_ns())
        return reason or self.end_reason

    async def _send(self, socket: OpenSocket) -> None:
        spacing = Spacing(self._around.messages)
        while True:
            message = await self._outbox.get()
            await spacing.wait()
            self._vigil.expect(message.acks, message.text, time.monotonic())
            await self._say(socket, message.text)

    async def _say(self, socket: OpenSocket, text: str) -> None:
        text = dated(text, time.time_ns())
        self._note(text)
        await socket.send(text)

    async def _ping(self, socket: OpenSocket, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await socket.ping()
            self._vigil.last_sign = time.monotonic()

    async def _watch(self, socket: OpenSocket) -> None:
        keepalive, rotate_after_s = self.plan.keepalive, self.plan.rotate_after_s
        kept_alive = self.started
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            self._judge(now)
            self._intake.look(time.time_ns())
            if keepalive is not None:
                heard = kept_alive if keepalive.always else max(self._vigil.last_sign, kept_alive)
                if now - heard > keepalive.idle_s:
                    kept_alive = now
                    await self._say(socket, keepalive.text)
            if rotate_after_s is not None and now - self.started > rotate_after_s:
                self.rotate("planned renewal")

    def _judge(self, now: float) -> None:
        """Raise SessionOver for a connection that is dead though its socket is open."""
        self._vigil.saw(self._intake.frames, self._intake.meant, now)
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


def _shortened(text: str) -> str:
    """Return a message of ours short enough for a line of log."""
    return text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]} ... ({len(text)} characters)"
