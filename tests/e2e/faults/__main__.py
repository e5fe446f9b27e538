"""`make faults`: every fault alone, random mixes, the contest, and the tables of docs/reliability.md.

What is run is said by the environment:

    JRR_FAULTS        long (the default): all; faults: without the contest; contest: that alone; short: what
                      `make test` does of it; the page is then left as it is
    JRR_FAULTS_SEED   seed of the first run; the next take the next ones (default: of the clock, printed)
    JRR_FAULTS_MIXES  how many random mixes (default 10)
    JRR_FAULTS_ONLY   only faults and trials whose names hold this text; the page is left as it is
    JRR_FAULTS_JOBS   how many runs at once (default 1)
    JRR_FAULTS_EXCHANGES  other exchanges than binance, binance-usdm and okx, for what goes for all of them and what
                      their simulators can do; the page is left as it is
    JRR_FAULTS_PLACES stores and rates, in order (default sqlite:1000,postgres:5000,postgres:1000,sqlite:5000)

Exit code 1 when any run shows what should not be; `.faults/` keeps what was found, and the folder of each such run.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import cattrs
from attrs import define
from jrr_postgres.testing import Home

from jrr_core.cli.simulate import find_scripts
from jrr_core.testing.faults import CORE_FAULTS
from jrr_core.testing.verdict import Verdict

from .kept import NoSmallDisk, kept
from .mixes import mix
from .page import fault_table, summary, write
from .rival.contest import TRIALS, contest
from .rival.report import contest_table
from .rival.venv import NoRival, rival_python
from .scenarios import SCENARIOS, SHORT
from .stage import Outcome, Scenario, play

PLACES = "sqlite:1000,postgres:5000,postgres:1000,sqlite:5000"
CONTEST_RATE = 1_000
KEPT = Path(__file__).resolve().parents[3] / ".faults"


@define(frozen=True)
class Run:
    """One fault run to do."""

    scenario: Scenario
    store: str
    rate: int
    seed: int


def runs(what: str, first_seed: int, mixes: int, only: str) -> list[Run]:
    """Return all there is to do, each with a seed of its own."""
    if what == "short":
        return [Run(scenario, store, 1_000, first_seed + number) for number, (scenario, store) in enumerate(SHORT)]
    chosen = [each for each in SCENARIOS if only in each.name and possible(each)]
    texts = os.environ.get("JRR_FAULTS_PLACES", PLACES).split(",")
    places = [(store, int(rate)) for store, _, rate in (text.partition(":") for text in texts)]
    found = [
        (scenario, store, rate) for store, rate in places for scenario in chosen
        if store in (scenario.stores or ("sqlite", "postgres"))
    ]  # fmt: skip
    mixed = [(mix(first_seed + len(found) + number), *places[number % len(places)]) for number in range(mixes)]
    return [Run(*each, first_seed + number) for number, each in enumerate([*found, *mixed])]


def possible(scenario: Scenario) -> bool:
    """Whether the simulators of all its exchanges have its faults."""
    scripts = find_scripts(list(scenario.exchanges))
    return all(name in CORE_FAULTS or all(name in script.faults for script in scripts) for name in scenario.faults)


def one(run: Run, home: Home) -> Outcome | None:
    """Do one run and print what it gave; None where this machine does not allow it."""
    folder = Path(tempfile.mkdtemp(prefix="jrr-fault-"))
    begun = time.monotonic()
    name = f"{run.scenario.name}, {run.store}, {run.rate}/s, seed {run.seed}"
    try:
        with kept(run.store, folder, home, small=run.scenario.small) as store:
            outcome = asyncio.run(play(run.scenario, run.scenario.exchanges, store, run.rate, run.seed, folder))
    except NoSmallDisk as refusal:
        print(f"{name}: not done, no small disk may be mounted here: {refusal}", flush=True)
        return None
    except Exception as failure:
        traceback.print_exc()
        outcome = broken(run, failure)
    keep(outcome, folder)
    found = outcome.verdict
    recovery = "none" if outcome.recovery_s is None else f"{outcome.recovery_s:.1f} s"
    line = (
        f"{name}: {found.sent:,} trades and candles, {found.stored:,} stored, {found.backfilled:,} backfilled, "
        f"{found.in_gaps:,} in recorded gaps, {found.lost:,} lost silently, {found.false_gaps} false gaps; "
        f"recovery {recovery}; took {time.monotonic() - begun:.0f} s"
    )
    print("\n".join([line, *[f"    {text}" for text in outcome.findings[:20]]]), flush=True)
    return outcome


def broken(run: Run, failure: Exception) -> Outcome:
    """Return the outcome of a run that came to no end: a finding, and no other run's affair."""
    said = f"the run came to no end: {type(failure).__name__}: {failure}"
    return Outcome(run.scenario.name, run.scenario.exchanges, run.store, run.rate, run.seed, Verdict(), False, None,
                   (said,))  # fmt: skip


def keep(outcome: Outcome, folder: Path) -> None:
    """Note the outcome, and keep the folder of a run that found something."""
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "outcomes.jsonl").open("a") as file:
        file.write(json.dumps(cattrs.unstructure(outcome)) + "\n")
    if not outcome.holds:
        shutil.copytree(folder, KEPT / f"seed-{outcome.seed}", dirs_exist_ok=True, ignore=_not_the_clock)
    shutil.rmtree(folder, ignore_errors=True)


def faults(todo: Sequence[Run], jobs: int) -> list[Outcome]:
    """Do all fault runs, in processes: judging takes as much of a core as the run itself."""
    print(f"{len(todo)} fault runs, seeds {todo[0].seed} to {todo[-1].seed}", flush=True)
    # What a scenario does cannot be sent to a process, so each is born with the list.
    _todo.extend(todo)
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        return [outcome for outcome in pool.map(_numbered, range(len(todo))) if outcome is not None]


_todo: list[Run] = []


def _numbered(number: int) -> Outcome | None:
    return one(_todo[number], _home())


@cache
def _home() -> Home:
    """Return this process's place for servers; it goes when the process does."""
    return Home()


def side_by_side(only: str) -> list[str]:
    """Hold the contest and return its table."""
    try:
        python, absent = rival_python(), None
    except NoRival as reason:
        python, absent = None, str(reason)
    trials = [trial for trial in TRIALS if only in trial.name]
    scores = asyncio.run(contest(CONTEST_RATE, python, trials))
    for score in scores:
        print(score, flush=True)
    return contest_table(scores, absent)


def main() -> int:
    """Do what the environment asks for."""
    what, only = os.environ.get("JRR_FAULTS", "long"), os.environ.get("JRR_FAULTS_ONLY", "")
    first_seed = int(os.environ.get("JRR_FAULTS_SEED") or time.time())
    outcomes: Sequence[Outcome] = ()
    usual = not only and "JRR_FAULTS_EXCHANGES" not in os.environ
    if what != "contest":
        jobs, mixes = int(os.environ.get("JRR_FAULTS_JOBS", "1")), int(os.environ.get("JRR_FAULTS_MIXES", "10"))
        outcomes = faults(runs(what, first_seed, mixes, only), jobs)
        if usual and what != "short":
            write("fault table", [*fault_table(outcomes), "", summary(outcomes) + "."])
    if what in ("long", "contest"):
        lines = side_by_side(only)
        if not only:
            write("contest table", lines)
        print("\n".join(lines))
    print(summary(outcomes) if outcomes else "no fault runs")
    for outcome in outcomes:
        if not outcome.holds:
            print(f"seed {outcome.seed}: {outcome.fault}, {outcome.store}, {outcome.rate}/s: {outcome.findings[0]}")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _not_the_clock(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "clock"]


if __name__ == "__main__":
    sys.exit(main())
