"""Does again what a capture tells: the same frames and acts in the same order give the same events.

What parsers ask of the world outside is left undone: the answers are among the
frames. A recording without acts has one session a file, whose times are those
of its frames.
"""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define

from ..capture import Lost, Opened
from ..continuity import Continuity
from ..counters import ExchangeCounters
from ..coverage import END_OF_CAPTURE
from ..desk import Desk
from ..errors import JrrError
from ..events import Connected
from ..frame import Frame
from ..intake import Intake
from ..stream import StreamBoard
from ..subscription import Subscription
from ..tape import LISTING, Act, Begun, Ended, Looked, Received, Reopened, Resumed, Ruled, Unwanted, Wanted
from .source import Source

_CUT_OFF = "the run was cut off"
_NOT_CAPTURED = "not captured"


@define
class _Session:
    """One connection done again; `told` where the capture tells what happened to it beside frames."""

    intake: Intake
    told: bool


class Player:
    """The exchanges of a recording at work again."""

    def __init__(
        self,
        source: Callable[..., Source],
        emit: Callable[[Sequence[Any]], None],
        quarantine: Callable[[str, str, str | bytes], None],
    ) -> None:
        """`source(exchange, settings)` gives what reads an exchange's frames; `emit` takes what is published."""
        self.counters: dict[str, ExchangeCounters] = {}
        self._source = source
        self._emit = emit
        self._quarantine = quarantine
        self._run: tuple[str, int] | None = None
        self._rules: dict[str, Ruled] = {}
        self._sources: dict[str, Source] = {}
        self._desks: dict[str, Desk] = {}
        self._past: dict[str, dict[str, int]] = {}
        self._sessions: dict[tuple[str, str], _Session] = {}

    def events(self) -> dict[str, dict[str, int]]:
        """Return how many events came, by exchange and channel."""
        totals = {exchange: dict(past) for exchange, past in self._past.items()}
        for exchange, desk in self._desks.items():
            total = totals.setdefault(exchange, {})
            for channel, count in desk.board.counts().items():
                total[channel] = total.get(channel, 0) + count
        return totals

    def play(self, item: Received | Act | Opened | Lost, name: str) -> str | None:
        """Do one thing again; `name` is that of the file. Return what the capture lacks before it, None if nothing."""
        match item:
            case Received(session, frame):
                self._take(session, frame, name)
            case Begun(exchange, session, _, _, subscriptions):
                self._begin(exchange, session, subscriptions, told=True)
            case Wanted() | Unwanted() | Looked() | Ended():
                self._act(item)
            case Ruled(exchange):
                self._rules.setdefault(exchange, item)
            case Resumed(exchange, ts, points):
                self._desk(exchange).resume(points, ts)
            case Reopened(exchange, ts, gaps):
                self._desk(exchange).reopen(gaps, ts)
            case Opened(run, number):
                return self._opened(run, number)
            case Lost(count):
                self._interrupt(_NOT_CAPTURED)
                return f"{count} frames or acts that the disk did not take"
        return None

    def say_live(self, since: int) -> None:
        """Say of every stream that is live that it is complete from `since` (int ns) on."""
        for (exchange, name), session in self._sessions.items():
            live = session.intake.live.values()
            self._emit([Connected(exchange, s.symbol, None, since, s.channel, name, ts_from=since) for s in live])

    def finish(self, reason: str = END_OF_CAPTURE, now_ns: int | None = None) -> None:
        """End what is still open, at `now_ns` or when its last frame came."""
        for session in self._sessions.values():
            session.intake.end(reason, session.intake.last_recv_ns if now_ns is None else now_ns)
        self._sessions.clear()

    def _take(self, name: str | None, frame: Frame, file: str) -> None:
        if name == LISTING and frame.tag is not None:
            self._list(frame)
            return
        session = self._sessions.get((frame.exchange, name or file)) or self._begin(frame.exchange, name or file, None)
        if not session.told:
            desk = self._desks[frame.exchange]
            held = desk.continuity.due(session.intake.live.values(), frame.ts_recv)
            if held:
                desk.publish(held)
        session.intake.take(frame)

    def _act(self, act: Wanted | Unwanted | Looked | Ended) -> None:
        session = self._sessions.get((act.exchange, act.session))
        if session is None:
            return
        match act:
            case Wanted(_, _, ts, subscriptions):
                # The parser was made for the first ones; any others joined while it lived.
                (session.intake.extend if session.intake.begun else session.intake.expect)(subscriptions, ts)
            case Unwanted(_, _, ts, subscriptions):
                session.intake.forget(subscriptions, ts)
            case Looked(_, _, ts):
                session.intake.look(ts)
            case Ended(exchange, name, ts, reason):
                del self._sessions[exchange, name]
                session.intake.end(reason, ts)

    def _list(self, frame: Frame) -> None:
        """Publish a page of an exchange's list; one that is none was refused in the run too."""
        self._desk(frame.exchange)
        try:
            listed = self._sources[frame.exchange].instruments(frame)
        except JrrError:
            return
        if listed:
            self._emit(listed)

    def _begin(
        self, exchange: str, name: str, subscriptions: Sequence[Subscription] | None, told: bool = False
    ) -> _Session:
        """Begin a session; a file that goes on with another's tells it again."""
        known = self._sessions.get((exchange, name))
        if known is not None:
            return known
        desk = self._desk(exchange)
        intake = Intake(name, self._sources[exchange].parser(subscriptions), desk)
        session = self._sessions[exchange, name] = _Session(intake, told)
        return session

    def _desk(self, exchange: str) -> Desk:
        desk = self._desks.get(exchange)
        if desk is None:
            rule = self._rules.get(exchange)
            source = self._source(exchange, None if rule is None else rule.settings)
            counters = self.counters.setdefault(exchange, ExchangeCounters())
            continuity = Continuity(exchange, source.numbering, source.most)
            desk = Desk(exchange, StreamBoard(), continuity, counters, self._emit, self._quarantine)
            self._sources[exchange], self._desks[exchange] = source, desk
        return desk

    def _opened(self, run: str, number: int) -> str | None:
        """Take the next file: of the same run, or of another, which knows nothing of this one."""
        before, self._run = self._run, (run, number)
        if before is not None and before[0] == run and before[1] + 1 == number:
            return None
        if before is not None and before[0] == run:
            self._interrupt(_NOT_CAPTURED)
            return f"files {before[1] + 1} to {number - 1} of the run {run}"
        self.finish(_CUT_OFF)
        self._past = self.events()
        self._desks.clear()
        self._rules.clear()
        return f"files 1 to {number - 1} of the run {run}" if number > 1 else None

    def _interrupt(self, reason: str) -> None:
        """Say of every stream that it was cut off; its session goes on."""
        for session in self._sessions.values():
            session.intake.end(reason, session.intake.last_recv_ns)
