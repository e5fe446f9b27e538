"""What is sampled of a running collector: from outside by the system, from inside by a signal it learns to answer."""

import asyncio
import json
import signal
from pathlib import Path

import psutil
from attrs import define

# Interrupts no statement, opens one file for a moment, and walks no heap: a walk would be the largest thing measured.
_INSIDE = """\
import asyncio, json, os, signal, sys

def tell(*_):
    try:
        tasks = len(asyncio.all_tasks())
    except RuntimeError:
        tasks = 0
    with open({path!r} + ".new", "w") as file:
        json.dump({{"blocks": sys.getallocatedblocks(), "tasks": tasks}}, file)
    os.replace({path!r} + ".new", {path!r})

signal.signal(signal.SIGUSR2, tell)
"""
_ANSWER_S = 5.0
_POLL_S = 0.02


@define(frozen=True)
class Sample:
    """One look at the collector, `at_s` seconds after the first; memory in 1e6 bytes, `cpu_s` since its start."""

    at_s: float
    rss_mb: float
    pss_mb: float
    uss_mb: float
    blocks: int
    descriptors: int
    threads: int
    tasks: int
    cpu_s: float


class Probe:
    """Looks at one collector; its process must be started with `environ`."""

    def __init__(self, folder: Path) -> None:
        """Put what teaches the collector into `folder`."""
        self._answer = folder / "inside.json"
        place = folder / "probe"
        place.mkdir()
        (place / "sitecustomize.py").write_text(_INSIDE.format(path=str(self._answer)))
        self.environ = {"PYTHONPATH": str(place)}

    async def look(self, pid: int, at_s: float) -> Sample:
        """Return a sample; raises TimeoutError when the collector does not answer, psutil.Error when it is gone."""
        process = psutil.Process(pid)
        self._answer.unlink(missing_ok=True)
        process.send_signal(signal.SIGUSR2)
        async with asyncio.timeout(_ANSWER_S):
            while True:
                await asyncio.sleep(_POLL_S)
                if self._answer.exists():
                    break
        inside = json.loads(self._answer.read_text())
        with process.oneshot():
            memory, cpu = process.memory_full_info(), process.cpu_times()
            return Sample(
                at_s, memory.rss / 1e6, getattr(memory, "pss", 0) / 1e6, memory.uss / 1e6, inside["blocks"],
                process.num_fds(), process.num_threads(), inside["tasks"], cpu.user + cpu.system,
            )  # fmt: skip
