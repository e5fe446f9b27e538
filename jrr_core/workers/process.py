"""One process of a worker as its parent sees it: started, told, asked, heard until its end."""

import asyncio
import contextlib
import itertools
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..control.protocol import Answer
from ..errors import ConfigError, JrrError, ParseError
from .lines import LINE_BYTES, Order, Part, Word, line, packed, read_word

# The parent's alone: a worker is nobody's service.
_NOT_FOR_WORKERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
# Of what a process writes without a line break.
_CHUNK_BYTES = 65_536


class WorkerGone(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The process ended before it answered."""


class Process:
    """A worker's process, made by `start`.

    `latest` is the last word with stats, `last` the very last one, None where it ended without; `heard_at` (monotonic
    seconds) is when it last said anything.
    """

    def __init__(self, child: asyncio.subprocess.Process, heard: Callable[[bytes], None]) -> None:
        """Called by `start`."""
        self.built = asyncio.Event()
        self.ready = asyncio.Event()
        self.latest: Word | None = None
        self.last: Word | None = None
        self.heard_at = time.monotonic()
        self._child = child
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = itertools.count(1)
        self._hearing = [asyncio.create_task(self._hear()), asyncio.create_task(self._hear_log(heard))]

    @classmethod
    async def start(cls, part: Part, heard: Callable[[bytes], None]) -> "Process":
        """Start a process and hand over its part; `heard` is given each line it writes for people."""
        # -P: nothing of the working directory may take the place of a module.
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "jrr_core.workers", f"{part.number}/{part.count}", part.loop,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name not in _NOT_FOR_WORKERS},
            limit=LINE_BYTES,
            # Ctrl-C at the terminal is the parent's to handle.
            start_new_session=True,
        )  # fmt: skip
        process = cls(child, heard)
        process.tell("start", settings=packed(part))
        return process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def ended(self) -> bool:
        """Whether it is over, and all that it said was heard."""
        return all(task.done() for task in self._hearing)

    def tell(self, command: str, *, settings: str = "") -> None:
        """Say something that wants no answer; one that is gone does not hear it."""
        self._write(Order(command, settings=settings))

    async def ask(self, command: str, streams: Sequence[str] = (), settings: str = "") -> Mapping[str, Any]:
        """Return the answer; raises as the command does there, and WorkerGone where the process ends first."""
        if self.ended:
            raise WorkerGone("the worker has ended")
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._write(Order(command, number, streams, settings))
            answer = await self._asked[number]
        finally:
            del self._asked[number]
        if answer.error:
            raise (ConfigError if answer.misuse else JrrError)(answer.error)
        return answer.result or {}

    async def wait(self) -> int:
        """Return its exit code, negative for a signal, once all that it said was heard."""
        await asyncio.gather(*self._hearing)
        return await self._child.wait()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()

    def _write(self, order: Order) -> None:
        assert self._child.stdin is not None
        if not self._child.stdin.is_closing():
            self._child.stdin.write(line(order))

    async def _hear(self) -> None:
        assert self._child.stdout is not None
        try:
            while text := await self._child.stdout.readline():
                self._take(read_word(text))
        except (ParseError, ValueError) as error:
            # Not by a worker of this version: nothing it says can be relied on.
            logging.getLogger("jrr").debug("worker not understood: %s", error)
            self.kill()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(WorkerGone("the worker ended before it answered"))

    async def _hear_log(self, heard: Callable[[bytes], None]) -> None:
        assert self._child.stderr is not None
        while True:
            try:
                text = await self._child.stderr.readline()
            except ValueError:
                text = await self._child.stderr.read(_CHUNK_BYTES)
            if not text:
                return
            heard(text)

    def _take(self, word: Word) -> None:
        self.heard_at = time.monotonic()
        if word.stats is not None:
            self.latest = word
        if word.kind == "answer":
            waiting = self._asked.get(word.id)
            if waiting is not None and word.answer is not None and not waiting.done():
                waiting.set_result(word.answer)
        elif word.kind == "end":
            self.last = word
        elif word.kind in ("built", "ready"):
            (self.built if word.kind == "built" else self.ready).set()
