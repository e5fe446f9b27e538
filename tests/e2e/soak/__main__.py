"""`make soak`: an hour of collecting with faults; memory, descriptors, threads and tasks stay flat, nothing is lost.

What is run is said by the environment:

    SOAK_MINUTES  how long the markets live (default 60; the first quarter warms up)
    SOAK_RATE     about how many messages a second, of both exchanges together (default 2000)
    SOAK_SEED     seed of the markets (default 1)
    SOAK_EVERY    seconds between samples (default 10; shorter for a run of a few minutes)

Exit code 1 when anything is not flat, lost, false or unbalanced. `.soak/` keeps the last run: samples.jsonl,
result.json, what `jrr run` logged, and what the markets did.
"""

import asyncio
import os
import shutil
import sys
from functools import partial
from pathlib import Path

from jrr_postgres.testing import Home

from ..faults.kept import kept
from .report import keep, lines
from .soak import soak

KEPT = Path(__file__).resolve().parents[3] / ".soak"


def main() -> int:
    """Do what the environment asks for."""
    minutes, rate = float(os.environ.get("SOAK_MINUTES", "60")), float(os.environ.get("SOAK_RATE", "2000"))
    seed = int(os.environ.get("SOAK_SEED", "1"))
    every_s = float(os.environ.get("SOAK_EVERY") or min(10.0, minutes * 60 / 24))
    shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir()
    say = partial(print, flush=True)
    say(f"{minutes:g} minutes at about {rate:g} messages a second, seed {seed}, a sample every {every_s:g} s")
    with Home() as home, kept("postgres", KEPT, home, small=False) as store:
        outcome = asyncio.run(soak(minutes, rate, seed, store, KEPT, every_s, say))
    keep(outcome, KEPT)
    say("\n".join(lines(outcome)))
    return 0 if outcome.holds else 1


if __name__ == "__main__":
    sys.exit(main())
