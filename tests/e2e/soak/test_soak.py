"""The soak as a run of seconds, each night: a real collector is sampled, judged against the markets, and told of."""

import asyncio
import json
from pathlib import Path

import attrs
import pytest
from jrr_postgres.testing import Home

from ..faults.kept import kept
from .flatness import RULES
from .report import keep, lines
from .soak import Outcome, soak
from .trouble import exchange_faults

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

MINUTES, RATE = 0.2, 800


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("soak")


@pytest.fixture(scope="module")
def outcome(home: Home, folder: Path) -> Outcome:
    with kept("postgres", folder, home, small=False) as store:
        return asyncio.run(soak(MINUTES, RATE, 1, store, folder, 0.6, lambda _: None))


def test_nothing_is_lost_and_the_account_adds_up(outcome: Outcome) -> None:
    assert outcome.findings == ()
    assert outcome.verdict.sent > RATE
    assert outcome.verdict.books_checked > 0
    assert outcome.frames > RATE * MINUTES * 60 / 3
    assert outcome.troubles == ("stopped",)


def test_the_collector_is_looked_into_all_along(outcome: Outcome, folder: Path) -> None:
    assert len(outcome.samples) >= 12
    for sample in outcome.samples:
        assert 10 < sample.uss_mb <= sample.pss_mb <= sample.rss_mb < 200
        assert sample.descriptors > 5
        assert sample.threads >= 1
        assert sample.tasks > 3
        assert sample.blocks > 50_000
    assert outcome.samples[-1].cpu_s > outcome.samples[0].cpu_s
    written = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert written == [attrs.asdict(sample) for sample in outcome.samples]


def test_every_series_is_judged(outcome: Outcome) -> None:
    found = {finding.name: finding for finding in outcome.flatness}
    assert list(found) == [rule.name for rule in RULES]
    # Seconds with an outage among them say little of growth, but not even they multiply what is counted in ones.
    for name, most in (("descriptors", 60), ("threads", 20), ("tasks", 200)):
        assert 0 < found[name].early <= found[name].peak < most


def test_the_table_says_what_is_not_flat_and_the_file_holds_all(outcome: Outcome, tmp_path: Path) -> None:
    flat = attrs.evolve(outcome, flatness=tuple(attrs.evolve(each, flat=True) for each in outcome.flatness))
    assert lines(flat)[-1] == "holds"
    leaking = attrs.evolve(flat, flatness=(attrs.evolve(flat.flatness[0], flat=False), *flat.flatness[1:]))
    assert lines(leaking)[-1] == "DOES NOT HOLD"
    assert any(line.startswith("| RSS, MB |") and line.endswith("| NOT FLAT |") for line in lines(leaking))
    assert lines(attrs.evolve(flat, findings=("x: lost",)))[-2:] == ["    x: lost", "DOES NOT HOLD"]
    keep(leaking, tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["holds"], len(result["samples"])) == (False, len(outcome.samples))
    assert result["verdict"]["sent"] == outcome.verdict.sent


def test_faults_end_before_the_markets_do() -> None:
    for minutes in (MINUTES, 1.0, 60.0):
        for faults in exchange_faults(minutes).values():
            assert float(faults["until"]) < minutes * 60
