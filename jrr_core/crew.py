"""The tasks of a run: one per line, exchange and reader, in one TaskGroup. The failure of one harms no other."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from .errors import JrrError, PluginError
from .exchange import Exchange
from .following import follow
from .journal import say
from .line import Line


class Crew:
    """Starts and ends the tasks; `failure` is the first that one of them met, None while all is well."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        """Work in `group`, which is entered already."""
        self.failure: JrrError | None = None
        self._group = group
        self._lines: dict[Line, asyncio.Task[None]] = {}
        self._followers: dict[Exchange, asyncio.Task[None]] = {}
        self._readers: list[asyncio.Task[None]] = []
        self._asides: list[asyncio.Task[None]] = []

    def carry(self, exchange: Exchange) -> None:
        """Run what is not running yet of an exchange."""
        for line in exchange.lines:
            self._run_line(line)
        follower = self._followers.get(exchange)
        if (exchange.wanted or exchange.unresolved) and (follower is None or follower.done()):
            self._followers[exchange] = self._spawn(self._follow(exchange), exchange.name)

    def end_line(self, line: Line) -> None:
        """End a line that carries nothing any more."""
        task = self._lines.pop(line, None)
        if task is not None:
            task.cancel()

    def read(self, work: Coroutine[Any, Any, None], who: str) -> None:
        """Run the reader of a buffer."""
        self._readers.append(self._spawn(work, who))

    def aside(self, work: Coroutine[Any, Any, None], who: str) -> None:
        """Run what nothing waits for and the end of the run cuts short."""
        self._asides.append(self._spawn(work, who))

    async def end_lines(self) -> None:
        """End every connection, and what waits to make one."""
        tasks = [*self._lines.values(), *self._followers.values(), *self._asides]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def end_readers(self, within_s: float, hurry: asyncio.Event) -> None:
        """Let the readers of closed buffers come to their end, `within_s` or until `hurry`; then cut them short."""
        hurried = asyncio.ensure_future(hurry.wait())
        reading = asyncio.gather(*self._readers, return_exceptions=True)
        await asyncio.wait((hurried, reading), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        for task in self._readers:
            task.cancel()
        await reading

    async def _follow(self, exchange: Exchange) -> None:
        """Start what waits for an exchange's list of instruments, then follow the list."""
        if exchange.unresolved or exchange.unchecked:
            await exchange.resolve_later(self._run_line, self.end_line)
        await follow(exchange, self._run_line, self.end_line)

    def _run_line(self, line: Line) -> None:
        if line not in self._lines:
            self._lines[line] = self._spawn(line.run(), line.plan.name)

    def _spawn(self, work: Coroutine[Any, Any, None], who: str) -> "asyncio.Task[None]":
        task = self._group.create_task(self._guard(work, who))
        # A task cancelled before its first step never awaits its work.
        task.add_done_callback(lambda _: work.close())
        return task

    async def _guard(self, work: Coroutine[Any, Any, None], who: str) -> None:
        try:
            await work
        except* Exception as failed:
            error: BaseException = failed
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            logging.getLogger("jrr").debug("part failed", exc_info=failed)
            if not isinstance(error, JrrError):
                error = PluginError(f"{who} failed: {error!r}")
            say(logging.ERROR, "part_failed", str(error), part=who)
            self.failure = self.failure or error
