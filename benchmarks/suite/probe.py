"""How a client that is measured tells its figures: JSON lines, in its own event loop, when it is asked.

Only the standard library is used: cryptofeed's environment imports this too.
"""

import asyncio
import json
import os
import resource
import sys
import time
from array import array
from collections.abc import Callable
from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mb() -> float:
    """Return the memory of this process now, in MB; the most so far where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * _PAGE / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Probe:
    """Answers `{"mark": 1}` with count, CPU seconds, time and memory, and `{"latency": 1}` with quantiles since before.

    `count` returns how many messages are through; `account` what was lost.
    `delays` is where the client notes ns from receipt to callback.
    """

    def __init__(self, count: Callable[[], int], account: Callable[[], dict[str, Any]] = dict) -> None:
        """Start with no delays."""
        self._count, self._account = count, account
        self.delays = array("q")

    async def serve(self) -> None:
        """Say that the client is there, and answer until it is to end."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print('{"ready": 1}', flush=True)
        async for line in reader:
            print(json.dumps(self._answer(json.loads(line))), flush=True)

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "latency" in asked:
            found = sorted(self.delays)
            del self.delays[:]
            return quantiles_ms(found)
        mark = {"count": self._count(), "cpu_s": time.process_time(), "at_s": time.monotonic(), "rss_mb": resident_mb()}
        return {**mark, **self._account()} if "account" in asked else mark


def quantiles_ms(delays_ns: list[int]) -> dict[str, float]:
    """Return p50, p99, p99.9 and the most of sorted delays, in ms, and how many there are."""
    if not delays_ns:
        return {"n": 0}
    last = len(delays_ns) - 1
    places = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
    return {"n": last + 1, **{name: delays_ns[round(q * last)] / 1e6 for name, q in places.items()}}
