"""What befalls the exchanges and the store during a soak, again and again, the same in each half of it."""

import asyncio
import os
import signal
from collections.abc import Mapping
from itertools import cycle, islice
from random import Random

from ..faults.kept import PostgresKept
from ..faults.scenarios import busy_backend

# The store's troubles come at even distances; a long run has each of them twice, so that its quarters are alike.
_KINDS = ("stopped", "line cut", "crashed", "backend killed")
_TIMES = 8
_SHORTEST_S = 5.0
_AWAY_AT_MOST_S = 20.0
# For so long before the markets rest all works well, so that what stands open can be mended.
_PEACE_S = 15.0


def exchange_faults(minutes: float) -> Mapping[str, Mapping[str, str]]:
    """Return the faults of each exchange: connections of one are reset, those of the other fall silent."""
    run_s = minutes * 60
    frames = {"duplicate": "0.002", "reorder": "0.002", "garbage": "0.0005", "drop": "0.0001", "rest_503": "0.1",
              "until": f"{_striking_s(minutes):g}"}  # fmt: skip
    # A stall must be over, and noticed, before the end: nobody can know of what a silent connection still owes.
    stalling = run_s - _striking_s(minutes) >= _PEACE_S
    return {
        "binance": {**frames, "reset": f"{max(3.0, run_s / 40):g}", "refuse": "1"},
        "okx": {**frames, "silence" if stalling else "close": f"{max(4.0, run_s / 24):g}"},
    }


async def trouble(kept: PostgresKept, minutes: float, random: Random) -> list[str]:
    """Stop the store, crash it, kill its backend and cut its line, in turn; return what was done when it is over."""
    pause_s = max(_SHORTEST_S, _striking_s(minutes) / _TIMES)
    away_s = min(_AWAY_AT_MOST_S, pause_s / 4)
    done = list(islice(cycle(_KINDS), int(_striking_s(minutes) / pause_s)))
    for kind in done:
        await asyncio.sleep(pause_s / 2)
        match kind:
            case "stopped" | "crashed":
                await asyncio.to_thread(kept.server.stop, "fast" if kind == "stopped" else "immediate")
                await asyncio.sleep(away_s)
                await asyncio.to_thread(kept.server.start)
            case "line cut":
                await asyncio.to_thread(kept.line.cut_after, random.randrange(50_000))
                await asyncio.sleep(away_s)
            case _:
                os.kill(await busy_backend(kept), signal.SIGKILL)
                await asyncio.sleep(away_s)
        await asyncio.sleep(pause_s / 2 - away_s)
    return done


def _striking_s(minutes: float) -> float:
    return max(minutes * 60 - _PEACE_S, minutes * 40)
