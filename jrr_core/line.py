"""One plan kept connected over successive sessions: reconnects with backoff, renews with the successor first."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from secrets import token_hex

from attrs import evolve

from .backoff import Backoff
from .connector import SessionPlan
from .coverage import ROTATED
from .errors import ConfigError, JrrError, PluginError
from .interview import asked
from .journal import say
from .pace import Spacing
from .parser import Parser
from .session import Session, Surroundings
from .subscription import Subscription
from .transport import ConnectFailed, Socket, open_socket

# A connection that lived so long was healthy: the next failure starts the backoff anew.
_HEALTHY_S = 60.0
# How long a successor that delivers may leave some streams out before the old connection is let go all the same.
_HANDOVER_S = 30.0
# An address that nobody answers at is tried at least so often: whoever is not there is not burdened by it.
_KNOCK_CAP_S = 5.0
# Kinds of reasons that connections end for, by how transport and vigil put them.
_KINDS = (
    ("connection cut", "cut"), ("closed by", "closed"), ("no frame", "silent"), ("no data", "silent"),
    ("no answer", "unanswered"),
)  # fmt: skip
# What the old connection still has under way when the successor has delivered.
_OVERLAP_S = 1.0


class Line:
    """Keeps one SessionPlan alive until cancelled."""

    def __init__(
        self,
        plan: SessionPlan,
        make_parser: Callable[[Sequence[Subscription]], Parser],
        around: Surroundings,
        attempts: Spacing,
    ) -> None:
        """`attempts` paces connection attempts and is shared by all lines of the exchange."""
        self.plan = plan
        self.sessions: set[Session] = set()
        self.trouble: str | None = None
        self._newest: Session | None = None
        self._make_parser = make_parser
        self._around = around
        self._attempts = attempts
        self._backoff = Backoff()
        self._knocks = Backoff(cap_s=_KNOCK_CAP_S)
        self._number = 0
        # Stores tell connections apart by name, also those of several collectors that began in the same second.
        self._run_id = f"{time.time_ns() // 1_000_000_000:x}{token_hex(2)}"

    async def run(self) -> None:
        """Connect, reconnect, renew; returns only by cancellation.

        Raises, in a group, ConfigError for a bad address and PluginError for
        a connector that cannot make a parser.
        """
        renewing = False
        async with asyncio.TaskGroup() as group:
            while True:
                socket = await self._connect()
                try:
                    session = self._new_session()
                except JrrError:
                    await socket.close()
                    raise
                self._newest = session
                self._around.desk.counters.rotations += renewing
                ended = group.create_task(self._live(session, socket))
                rotating = group.create_task(session.rotating.wait())
                await asyncio.wait((ended, rotating), return_when=asyncio.FIRST_COMPLETED)
                rotating.cancel()
                await self._rest(session, ended)
                renewing = not ended.done()
                if renewing:
                    say(logging.INFO, "rotating", f"{session.name}: opening its successor ({session.rotate_reason})",
                        session=session.name, reason=session.rotate_reason)  # fmt: skip
                    group.create_task(self._hand_over(session, ended))
                else:
                    await self._recover(session, ended.result())

    @property
    def extending(self) -> bool:
        """Whether it can take on further streams; while no connection stands it can."""
        return all(session.extending for session in self.sessions)

    def subscribe(self, added: Sequence[Subscription], renewing: bool = False) -> bool:
        """Add streams to the plan and to the live connections; False, with nothing changed, where these cannot.

        With `renewing` a connection that cannot is renewed instead. The
        streams are within the exchange's limits together with those carried.
        Raises PluginError for a connector that fails at it.
        """
        plan, exchange = evolve(self.plan, subscriptions=(*self.plan.subscriptions, *added)), self.plan.exchange
        able = [session for session in self.sessions if asked(exchange, session.extend, plan, added)]
        if self.sessions and not able and not renewing:
            return False
        self.plan = plan
        for session in self.sessions.difference(able):
            session.rotate("further streams")
        return True

    def unsubscribe(self, unwanted: Sequence[Subscription]) -> None:
        """Drop streams from the plan and from the live connections."""
        kept = tuple(s for s in self.plan.subscriptions if s not in unwanted)
        gone = tuple(s for s in self.plan.subscriptions if s in unwanted)
        self.plan = evolve(self.plan, subscriptions=kept)
        for session in self.sessions:
            session.plan = self.plan
            session.unsubscribe(gone)

    async def _connect(self) -> Socket:
        while True:
            await self._attempts.wait()
            try:
                around = self._around
                socket = await open_socket(
                    self.plan.url, around.settings.connect_timeout_s, self.plan.headers, around.network
                )
            except ConnectFailed as failure:
                self._around.desk.counters.connect_failures += 1
                delay_s = (self._backoff if failure.answered else self._knocks).next_s()
                if self.trouble != str(failure):
                    self.trouble = str(failure)
                    say(logging.ERROR, "connect_failed", f"{self.plan.exchange}: {failure}; trying again",
                        exchange=self.plan.exchange, plan=self.plan.name, reason=str(failure))  # fmt: skip
                await asyncio.sleep(delay_s)
            except ConfigError as error:
                self.trouble = str(error)
                raise
            else:
                self.trouble = None
                return socket

    def _new_session(self) -> Session:
        self._number += 1
        counters = self._around.desk.counters
        counters.connections += 1
        name = f"{self.plan.name}.{self._run_id}.{self._number}"
        session = Session(name, self.plan, self._parser(), self._around)
        self.sessions.add(session)
        return session

    def _parser(self) -> Parser:
        try:
            return self._make_parser(self.plan.subscriptions)
        except JrrError:
            raise
        except Exception as error:
            raise PluginError(f"{self.plan.exchange}: its connector could not make a parser: {error!r}") from error

    async def _live(self, session: Session, socket: Socket) -> str:
        say(logging.INFO, "connected", f"{session.name}: connected, {len(self.plan.subscriptions)} streams",
            session=session.name, streams=len(self.plan.subscriptions))  # fmt: skip
        try:
            return await session.run(socket)
        finally:
            self.sessions.discard(session)
            await socket.close()

    async def _hand_over(self, old: Session, ended: asyncio.Task[str]) -> None:
        """End the old session once a successor delivers what it delivered; until one does, the old one goes on."""
        while not ended.done():
            heir = self._newest
            if heir is not old and heir in self.sessions and _replaces(heir, old):
                await asyncio.sleep(_OVERLAP_S)
                if heir in self.sessions:
                    old.end_reason = ROTATED
                    ended.cancel()
                    return
            await asyncio.sleep(0.1)
        self._lost(old, ended.result())

    async def _rest(self, session: Session, ended: asyncio.Task[str]) -> None:
        """Wait a little before a successor asked for so soon, since it may ask for one as soon itself."""
        if time.monotonic() - session.started > _HEALTHY_S:
            self._backoff.reset()
        elif not ended.done():
            await asyncio.wait((ended,), timeout=self._backoff.next_s())

    async def _recover(self, session: Session, reason: str) -> None:
        self._lost(session, reason)
        if time.monotonic() - session.started > _HEALTHY_S:
            self._backoff.reset()
            self._knocks.reset()
        await asyncio.sleep(self._backoff.next_s())

    def _lost(self, session: Session, reason: str) -> None:
        counters, kind = self._around.desk.counters, _kind_of(reason)
        counters.reconnects += 1
        counters.disconnects[kind] = counters.disconnects.get(kind, 0) + 1
        say(logging.WARNING, "disconnected", f"{session.name}: {reason}; reconnecting",
            session=session.name, reason=reason)  # fmt: skip


def _kind_of(reason: str) -> str:
    """Return which kind of reason it is that a connection ended."""
    return next((kind for beginning, kind in _KINDS if reason.startswith(beginning)), "failed")


def _replaces(heir: Session, old: Session) -> bool:
    """Whether the heir delivers what the old session delivered, or, sparse streams aside, has long delivered."""
    if old.live.keys() <= heir.live.keys():
        return True
    return bool(heir.live) and time.monotonic() - heir.started > _HANDOVER_S
