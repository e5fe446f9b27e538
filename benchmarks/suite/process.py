"""Processes that are told things by JSON lines: the load server, and the clients that are measured."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .feeds import EXCHANGES, streams

ROOT = Path(__file__).resolve().parents[2]
_ANSWER_S = 60.0
_END_S = 30.0


def pin(pid: int, core: int) -> None:
    """Keep a process on one of the cores we may use, counted from 0; where there is no such core, or no way, let it be.

    The load server has core 0 and what is measured has core 1, so that neither waits for the other.
    """
    if hasattr(os, "sched_setaffinity"):
        found = sorted(os.sched_getaffinity(0))
        if core < len(found):
            os.sched_setaffinity(pid, {found[core]})


class Process:
    """A child with lines in and lines out; standard error goes to a file."""

    def __init__(
        self, command: Sequence[str], log: Path | None = None, env: Mapping[str, str] | None = None, *, core: int
    ) -> None:
        """Remember how to start it; it stays on the machine's core of this number, counted from 0, where it can."""
        self._command, self._log, self._env, self._core = command, log, env, core
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(self._log.open("ab")) if self._log is not None else asyncio.subprocess.DEVNULL
            self._child = await asyncio.create_subprocess_exec(
                *self._command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=errors, env=self._env, limit=2**26, start_new_session=True,
            )  # fmt: skip
        pin(self._child.pid, self._core)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child is not None
        return self._child.pid

    async def ask(self, question: Mapping[str, Any], within_s: float = _ANSWER_S) -> dict[str, Any]:
        """Say a line and return the answer; raises RuntimeError where it has ended."""
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(question).encode() + b"\n")
        return await self.hear(within_s)

    async def hear(self, within_s: float = _ANSWER_S) -> dict[str, Any]:
        """Return the next line; raises RuntimeError where there is none."""
        assert self._child is not None
        assert self._child.stdout is not None
        async with asyncio.timeout(within_s):
            while line := await self._child.stdout.readline():
                if line.startswith(b"{"):
                    found: dict[str, Any] = json.loads(line)
                    return found
        raise RuntimeError(f"{' '.join(self._command)[:200]} ended; its log: {self._log}")

    async def end(self) -> None:
        """End it, gently at first."""
        child = self._child
        if child is None or child.returncode is not None:
            return
        assert child.stdin is not None
        child.stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await child.wait()
                    return


class LoadServer:
    """The load server, in a process of its own, on the first core."""

    def __init__(self, exchange: str, load: str, count: int = 1) -> None:
        """Serve this load of this exchange, of so many symbols."""
        self.topics = [EXCHANGES[exchange].topic(stream) for stream in streams(load, count)]
        command = [sys.executable, "-m", "benchmarks.suite.load", "--exchange", exchange, "--load", load,
                   "--streams", str(count)]  # fmt: skip
        self._process = Process(command, core=0)
        self.port = 0

    async def __aenter__(self) -> Self:
        """Start it and learn its port."""
        await self._process.start()
        self.port = (await self._process.hear())["port"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        await self._process.end()

    async def send(self, messages: int, rate: float = 0) -> dict[str, float]:
        """Have it send so many messages; return when the last is handed over: {issued, took_s, cpu_s}."""
        takes_s = messages / rate if rate else 0.0
        return await self._process.ask({"send": messages, "rate": rate}, takes_s + _ANSWER_S)

    async def subscribed(self, count: int, within_s: float = 60.0) -> None:
        """Return when so many streams are subscribed."""
        async with asyncio.timeout(within_s):
            while (await self._process.ask({"status": 1}))["subscribed"] < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
