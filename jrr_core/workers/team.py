"""The parent of a run in several processes: starts them, waits for all, sums what they tell, ends them in order.

It collects nothing. Nothing is collected either until every worker has found
all that was asked for right; from then on a worker that ends is replaced.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import version
from typing import Any

from ..config import Config
from ..errors import JrrError
from ..journal import say, tell_folded
from .lines import Part
from .member import Member, Told
from .part import part_of
from .process import Process
from .sums import together

_TICK_S = 0.5
# Beyond run.stop_timeout_s: to end sessions before it and to close stores behind it.
_GRACE_S = 10.0
_HURRY_S = 5.0


class Team:
    """The workers of one run; `alone` is held while what they collect is changed.

    `history` is what they were told since the start, for those that come
    later: a process starts with the settings of the run and is told it all.
    """

    def __init__(self, config: Config, loop: str) -> None:
        """Divide the work of `config` among `run.workers`, each on an event loop `loop`; raises ConfigError."""
        count = config.run.workers
        self.members = [Member(Part(part_of(config, n, count), n, count, loop)) for n in range(1, count + 1)]
        self.alone = asyncio.Lock()
        self.history: list[Told] = []
        self._config = config
        self._instance = config.run.instance
        self._stop_timeout_s = config.run.stop_timeout_s
        self._started, self._began_ns = time.monotonic(), time.time_ns()
        self._joined: set[Process] = set()
        self._all_built = asyncio.Event()
        self._all_ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._beside: list[tuple[Callable[[], Coroutine[Any, Any, None]], str]] = []

    @property
    def joined(self) -> Sequence[Member]:
        """Those whose process takes orders now: it knows all of `history`."""
        return [member for member in self.members if member.process in self._joined]

    def beside(self, work: Callable[[], Coroutine[Any, Any, None]], who: str) -> None:
        """Have `work` run once all workers are ready, until the run stops, which cancels it."""
        self._beside.append((work, who))

    async def run(self, for_s: float | None = None, on_tick: Callable[[dict[str, Any]], None] | None = None) -> int:
        """Collect until stopped, for `for_s`, or until SIGINT or SIGTERM; a second signal stops at once.

        Returns the exit code. Raises the error that kept a worker from
        beginning, once all of them have ended.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: self.begin_stop(at_once=self._stopping.is_set()))
        self._started, self._began_ns = time.monotonic(), time.time_ns()
        working = [asyncio.create_task(self._keep(member)) for member in self.members]
        asides = [asyncio.create_task(self._attend()), asyncio.create_task(self._tick(for_s, on_tick))]
        try:
            await self._stopping.wait()
        finally:
            for task in asides:
                task.cancel()
            await asyncio.gather(*asides, return_exceptions=True)
            await self._end(working)
            tell_folded(at_once=True)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        failed = [error for task in working if (error := task.exception()) is not None]
        if failed:
            raise failed[0]
        return 1 if self.failings() else 0

    def begin_stop(self, at_once: bool = False) -> None:
        """Let the run end, in order, without waiting for it; `at_once`: what is not stored yet goes to the spool."""
        if at_once:
            self._hurry.set()
        self._stopping.set()

    def get_stats(self) -> dict[str, Any]:
        """Return what has happened so far in all workers, as they told it last, in the form of docs/stats.md."""
        found = together([stats for member in self.members if (stats := member.stats) is not None])
        for sink in found["sinks"].values():
            # Where no process of its has one.
            sink["state"] = sink["state"] or "away"
        return {
            "version": version("jrr-core"),
            "instance": self._instance,
            "started_ns": self._began_ns,
            "uptime_s": time.monotonic() - self._started,
            "workers": [member.entry for member in self.members],
            **found,
        }

    def failings(self) -> list[str]:
        """Return, in words, everything that was lost or failed."""
        return [text for member in self.members for text in member.failings()]

    async def _keep(self, member: Member) -> None:
        try:
            await member.run(self._join)
        finally:
            # Without one of them it is no run any more.
            self.begin_stop()

    async def _join(self, member: Member, process: Process) -> None:
        """Lead a process to where the others are."""
        await process.built.wait()
        async with self.alone:
            for told in self.history:
                # What it refuses now, as a symbol delisted since, was right when it was told.
                with contextlib.suppress(JrrError):
                    await member.ask(told)
            self._joined = {other for other in self._joined if not other.ended} | {process}
        if len(self.joined) == len(self.members):
            self._all_built.set()
        await self._all_built.wait()
        process.tell("go")
        await process.ready.wait()
        member.began = True
        if all(each.began for each in self.members):
            self._all_ready.set()

    async def _attend(self) -> None:
        """Run what runs beside the workers."""
        await self._all_ready.wait()
        async with asyncio.TaskGroup() as group:
            for work, who in self._beside:
                group.create_task(_guard(work(), who))

    async def _tick(self, for_s: float | None, on_tick: Callable[[dict[str, Any]], None] | None) -> None:
        """Show how it goes; stop after `for_s`."""
        await self._all_built.wait()
        began = time.monotonic()
        while True:
            left = _TICK_S if for_s is None else min(_TICK_S, began + for_s - time.monotonic())
            if left <= 0:
                self.begin_stop()
                return
            await asyncio.sleep(left)
            if on_tick is not None:
                on_tick(self.get_stats())

    async def _end(self, working: Sequence["asyncio.Task[None]"]) -> None:
        """Stop all workers, all at once; kill what takes too long."""
        for member in self.members:
            member.stop()
        done = asyncio.ensure_future(asyncio.wait(working))
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait((done, hurry), timeout=self._stop_timeout_s + _GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            for member in self.members:
                member.stop(at_once=True)
            await asyncio.wait((done,), timeout=_HURRY_S)
        for member in self.members:
            member.kill()
        hurry.cancel()
        await done


async def _guard(work: Coroutine[Any, Any, None], who: str) -> None:
    """Work; the failure of one part harms no other."""
    try:
        await work
    except Exception as error:
        logging.getLogger("jrr").debug("part failed", exc_info=error)
        say(logging.ERROR, "part_failed", f"{who} failed: {error!r}", part=who)
