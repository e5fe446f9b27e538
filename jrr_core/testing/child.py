"""Simulated exchanges in a process of their own, so that serving and collecting do not share an interpreter."""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import define

from ..errors import JrrError
from ..wire import decode
from .truth import Truth

_START_S = 30.0
_STOP_S = 30.0
_NONE: Mapping[str, str] = MappingProxyType({})


class SimulationFailed(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The child process ended or could not start; the text is what it said."""


@define
class Simulation:
    """A running child: where each exchange listens, and when its market has come to rest."""

    ws_urls: dict[str, str]
    rest_urls: dict[str, str]
    _process: asyncio.subprocess.Process
    _truth_file: Path | None

    async def quiet(self) -> None:
        """Wait until all markets have stopped and everything is written; raises SimulationFailed if the child ends."""
        while (await _line(self._process))["event"] != "quiet":
            pass

    async def stop(self, within_s: float = _STOP_S) -> Truth:
        """End the child and return what it really sent (nothing without a truth file).

        A child that has not written its truth `within_s` is killed.
        """
        await _end(self._process, within_s)
        return Truth() if self._truth_file is None else await asyncio.to_thread(Truth.read, self._truth_file)


@asynccontextmanager
async def simulated(
    exchanges: Sequence[str],
    *,
    rate: float = 1000.0,
    seed: int = 1,
    run_s: float | None = None,
    faults: Mapping[str, str] = _NONE,
    truth_file: Path | None = None,
    truth_kinds: Collection[str] | None = None,
) -> AsyncIterator[Simulation]:
    """Serve the exchanges in a child process for the length of the `async with` block.

    Raises SimulationFailed with the child's own words when it does not come up.
    """
    arguments = ["simulate", *exchanges, "--json", "--rate", str(rate), "--seed", str(seed)]
    if run_s is not None:
        arguments += ["--for", f"{run_s:f}s"]
    for name, value in faults.items():
        arguments += ["--fault", f"{name}={value}"]
    if truth_file is not None:
        arguments += ["--truth", str(truth_file)]
    if truth_kinds is not None:
        arguments += ["--truth-kinds", ",".join(truth_kinds)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from jrr_core.cli import main; main()", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        # Ctrl-C at the terminal is the parent's to handle; the child ends with its standard input.
        start_new_session=True,
    )  # fmt: skip
    try:
        ws_urls, rest_urls = {}, {}
        async with asyncio.timeout(_START_S):
            while (said := await _line(process))["event"] != "ready":
                ws_urls[said["exchange"]] = said["ws_url"]
                rest_urls[said["exchange"]] = said["rest_url"]
        yield Simulation(ws_urls, rest_urls, process, truth_file)
    finally:
        await _end(process)


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    assert process.stderr is not None
    line = await process.stdout.readline()
    if not line:
        words = (await process.stderr.read()).decode("utf-8", "replace").strip()
        raise SimulationFailed(f"the simulated exchanges ended: {words or 'without a word'}")
    said: dict[str, Any] = decode(line)
    return said


async def _end(process: asyncio.subprocess.Process, within_s: float = _STOP_S) -> None:
    """Close the child's standard input and wait; kill it if it does not listen."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(within_s):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
