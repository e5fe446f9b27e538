"""One place in the team: a worker's part, carried by one process after another."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import define

from ..backoff import Backoff
from ..config import Config
from ..errors import ConfigError, JrrError
from ..journal import say
from ..observe.health import NOTHING, health_of
from .lines import Part, Word, packed
from .log import say_again
from .part import part_of
from .process import Process, WorkerGone
from .sums import ended, in_memory, together

# A process that says nothing for so long is stuck: its event loop does not turn, since it reports every second.
_STUCK_S = 60.0
_LOOK_S = 1.0
# So long a life makes earlier deaths forgotten.
_HEALTHY_S = 60.0


@define(frozen=True)
class Told:
    """What all workers are told: a command, the subscriptions or the settings it is about."""

    command: str
    streams: Sequence[str] = ()
    config: Config | None = None


class WorkerFailed(JrrError):  # noqa: N818 - says what happened, not whose fault
    """A worker ended for good; the text is what it said."""


class Member:
    """Keeps a process at work on one part; what its processes counted is kept beyond their death.

    `began` once a process of it was ready. `restarts` counts the processes
    that ended unasked; `untold` events were in their memory when they
    last said so, and nobody knows what became of them.
    """

    def __init__(self, part: Part) -> None:
        """Take the part; start nothing."""
        self.number = part.number
        self.process: Process | None = None
        self.began = False
        self.restarts = 0
        self.untold = 0
        self._part = part
        self._past: Mapping[str, Any] | None = None
        self._last: Word | None = None
        self._unfinished = ""
        self._stopping = asyncio.Event()
        self._backoff = Backoff()

    async def run(self, join: Callable[["Member", Process], Awaitable[None]]) -> None:
        """Keep a process at work until stopped; `join` leads each of them from its start to its readiness.

        Raises ConfigError for what the user has to change, and WorkerFailed
        for another error, where it kept the first process from beginning.
        """
        while not self._stopping.is_set():
            try:
                self.process = process = await Process.start(self._part, partial(say_again, self.number))
            except OSError as error:
                if not self.began:
                    raise
                await self._rest(f"no process can be started: {error.strerror or error}", None)
                continue
            say(logging.INFO, "worker_started", f"worker {self.number} is process {process.pid}",
                worker=self.number, pid=process.pid)  # fmt: skip
            if self._stopping.is_set():
                process.tell("stop")
            started = time.monotonic()
            code = await self._see_through(process, join)
            if self._stopping.is_set():
                self._finish(process, code)
                return
            if not self.began and code >= 0:
                raise _failure(process.last, self.number, code)
            if time.monotonic() - started >= _HEALTHY_S:
                self._backoff.reset()
            await self._mourn(process, code)

    def stop(self, at_once: bool = False) -> None:
        """Let its process end in order, `at_once` without waiting for stores; no other follows."""
        self._stopping.set()
        if self.process is not None:
            self.process.tell("hurry" if at_once else "stop")

    def kill(self) -> None:
        """End what did not end in time."""
        if self.process is not None and not self.process.ended:
            self.process.kill()

    async def ask(self, told: Told) -> Mapping[str, Any]:
        """Return what its process answers; raises as the command does there, and WorkerGone without a process."""
        if self.process is None:
            raise WorkerGone(f"worker {self.number} has no process now")
        config = told.config
        settings = "" if config is None else packed(part_of(config, self.number, self._part.count))
        return await self.process.ask(told.command, told.streams, settings)

    @property
    def stats(self) -> Mapping[str, Any] | None:
        """What all its processes counted, None before the first report."""
        word = self._last or (None if self.process is None else self.process.latest)
        live = None if word is None else word.stats
        parts = [part for part in (self._past, live) if part is not None]
        return together(parts) if parts else None

    @property
    def entry(self) -> Mapping[str, Any]:
        """Its place in the stats of the run."""
        process = self.process
        alive = process is not None and not process.ended
        running = process is not None and alive and process.ready.is_set()
        state = "running" if running else "ended" if self._stopping.is_set() and not alive else "starting"
        return {
            "worker": self.number,
            "pid": process.pid if process is not None and alive else None,
            "state": state,
            "restarts": self.restarts,
            "untold": self.untold,
            "waiting": [*self._waiting(running)],
        }

    def failings(self) -> Sequence[str]:
        """Return what was lost or failed in the end, in words."""
        word = self._last or (None if self.process is None else self.process.latest)
        found = [*(word.failings if word is not None else ())]
        if self.restarts:
            found.append(f"{self.restarts} times its process died: what it had not stored was fetched again as far as "
                         "exchanges give it out (`jrr coverage` shows what is missing)")  # fmt: skip
        if self._unfinished:
            found.append(self._unfinished)
        if word is not None and word.failure:
            found.append(word.failure)
        return [f"worker {self.number}: {text}" for text in found]

    def _waiting(self, running: bool) -> Sequence[str]:
        latest = None if self.process is None else self.process.latest
        if not running or latest is None or latest.stats is None:
            return [f"worker {self.number}: its process is being started"]
        # A part may be empty: few symbols, many workers.
        return [f"worker {self.number}: {text}" for text in health_of(latest.stats).waiting if text != NOTHING]

    async def _see_through(self, process: Process, join: Callable[["Member", Process], Awaitable[None]]) -> int:
        tasks = [asyncio.ensure_future(join(self, process)), asyncio.ensure_future(self._watch(process))]
        try:
            return await process.wait()
        finally:
            process.kill()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, process: Process) -> None:
        """End a process that is stuck."""
        looks = 0
        # Two looks in a row: after this process itself was held up, there is much to hear first.
        while looks < 2:
            await asyncio.sleep(_LOOK_S)
            looks = looks + 1 if time.monotonic() - process.heard_at > _STUCK_S else 0
        say(logging.ERROR, "worker_stuck", f"worker {self.number} said nothing for {_STUCK_S:g} s; its process is "
            "ended and another one started", worker=self.number, pid=process.pid)  # fmt: skip
        process.kill()

    async def _mourn(self, process: Process, code: int) -> None:
        """Keep what a process had counted, and rest."""
        self.restarts += 1
        if process.latest is not None and process.latest.stats is not None:
            over = ended(process.latest.stats)
            self.untold += in_memory(process.latest.stats)
            self._past = over if self._past is None else together([self._past, over])
        self.process = None
        await self._rest(_reason(process.last, code), process.pid)

    async def _rest(self, reason: str, pid: int | None) -> None:
        """Say why there is no process, and wait before the next one."""
        wait_s = self._backoff.next_s()
        say(logging.ERROR, "worker_died", f"worker {self.number} has no process: {reason}; another takes its place in "
            f"{wait_s:.1f} s", worker=self.number, pid=pid, reason=reason, wait_s=wait_s)  # fmt: skip
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()

    def _finish(self, process: Process, code: int) -> None:
        self._last = process.last or process.latest
        if process.last is None:
            self._unfinished = f"its process did not end in order: {_reason(None, code)}"


def _reason(last: Word | None, code: int) -> str:
    if last is not None and last.failure:
        return last.failure
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _failure(last: Word | None, number: int, code: int) -> JrrError:
    """Return the error of a process; ConfigError where the user has to change something."""
    if last is not None and last.misuse:
        return ConfigError(last.failure)
    return WorkerFailed(f"worker {number} could not go on: {_reason(last, code)}; the log above may say more")
