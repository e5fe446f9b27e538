"""The short form of `make faults`: two collectors at once, several faults each, nothing lost silently."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jrr_postgres.testing import Home

from .kept import kept
from .page import summary
from .scenarios import SHORT
from .stage import Outcome, play

pytestmark = pytest.mark.e2e

RATE = 1_000
SEED = int(os.environ.get("JRR_FAULTS_SEED", "1"))
INSTANTS = 10


@pytest.fixture(scope="module")
def outcomes(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Outcome]:
    def run(number: int) -> Outcome:
        scenario, name = SHORT[number]
        folder = folders[number]
        with kept(name, folder, home, small=False) as store:
            return asyncio.run(play(scenario, scenario.exchanges, store, RATE, SEED + number, folder, INSTANTS))

    folders: list[Path] = [tmp_path_factory.mktemp("faults") for _ in SHORT]
    with ThreadPoolExecutor(len(SHORT)) as pool:
        return list(pool.map(run, range(len(SHORT))))


@pytest.mark.parametrize("number", range(len(SHORT)), ids=[scenario.name for scenario, _ in SHORT])
def test_nothing_is_lost_silently(outcomes: Sequence[Outcome], number: int) -> None:
    outcome = outcomes[number]
    assert outcome.findings == (), "\n".join([f"seed {outcome.seed}", *outcome.findings, *outcome.log])
    assert outcome.verdict.sent > RATE / 2
    assert outcome.verdict.books_checked > 0


def test_what_was_missed_was_fetched(outcomes: Sequence[Outcome]) -> None:
    assert sum(outcome.verdict.backfilled for outcome in outcomes) > 0


def test_the_summary_counts_the_runs(outcomes: Sequence[Outcome]) -> None:
    assert summary(outcomes).startswith(f"{len(SHORT)} fault runs, {len(SHORT)} seeds ({SEED}, {SEED + 1}), ")
