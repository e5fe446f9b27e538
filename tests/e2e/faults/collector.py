"""`jrr run` as a child process with a folder of its own: what it logs, how it ends, and starting it again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import Factory, define

_START_S = 30.0
_END_S = 60.0


def toml(
    exchanges: Mapping[str, tuple[str, str]], subscribe: Sequence[str], store: str, sink: Sequence[str],
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> str:  # fmt: skip
    """Return a jrr.toml: (ws_url, rest_url) by exchange, the settings of each; `sink` is the section of `store`."""
    families = dict.fromkeys([*(name.partition("-")[0] for name in exchanges), store])
    lines = [f"plugins = {json.dumps(list(families))}", f"subscribe = {json.dumps(list(subscribe))}"]
    for name, (ws_url, rest_url) in exchanges.items():
        lines += [f"[exchanges.{name}]", f'ws_url = "{ws_url}"', f'rest_url = "{rest_url}"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join([*lines, *sink]) + "\n"


@define
class Collector:
    """A collector whose settings are in `folder`; `log` gathers the lines of all its runs."""

    folder: Path
    environ: Mapping[str, str] = Factory(dict)
    log: list[dict[str, Any]] = Factory(list)
    noise: list[str] = Factory(list)
    codes: list[int] = Factory(list)
    _process: asyncio.subprocess.Process | None = None
    _reading: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        """Start `jrr run`; raises RuntimeError with its words when it ends before it connects."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "JRR_"))}
        before = len(self.log)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from jrr_core.cli import main; main()", "run", "--log-format", "json",
            cwd=self.folder, env={**inherited, **self.environ}, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self._process))
        async with asyncio.timeout(_START_S):
            while not any(line["event"] in ("connected", "connect_failed") for line in self.log[before:]):
                if self._process.returncode is not None:
                    raise RuntimeError(f"jrr run ended with {self._process.returncode}: {self.log[before:]}")
                await asyncio.sleep(0.02)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.noise.append(line.decode("utf-8", "replace"))

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.returncode is None

    def signal(self, number: int) -> None:
        """Send it a signal that does not end it."""
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """End it by SIGKILL, in the middle of whatever it does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> dict[str, Any]:
        """End it by SIGTERM and return its account, the line it logs last; empty if it did not come to that."""
        before = len(self.log)
        await self._end(signal.SIGTERM)
        return next((line for line in reversed(self.log[before:]) if line["event"] == "account"), {})

    async def _end(self, number: int) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self.running:
            self._process.send_signal(number)
        try:
            async with asyncio.timeout(_END_S):
                self.codes.append(await self._process.wait())
        except TimeoutError:
            self._process.kill()
            self.codes.append(await self._process.wait())
            self.noise.append(f"did not end within {_END_S:g} s of signal {number}")
        await self._reading
