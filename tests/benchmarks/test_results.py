"""Medians, ratios and verdicts; parts that are run again replace what they gave before."""

from pathlib import Path

import pytest

from benchmarks.suite.probe import quantiles_ms
from benchmarks.suite.report import AIMS, rival_ratio
from benchmarks.suite.results import Results, Row, ratio

JRR = Row("b", "socket to callback", "binance", "trade", "jrr, picows")
RIVAL = Row("b", "socket to callback", "binance", "trade", "cryptofeed")


def made() -> Results:
    results = Results({"machine": {}, "versions": {}})
    for jrr, rival in ((4.0, 12.0), (3.0, 9.0), (50.0, 10.0)):
        results.add(JRR, {"cpu_us": jrr, "lost": 0})
        results.add(RIVAL, {"cpu_us": rival, "lost": 2})
    return results


def test_figures_are_medians_and_losses_add_up() -> None:
    results = made()
    assert results.median(JRR) == {"cpu_us": 4.0, "lost": 0}
    assert results.median(RIVAL) == {"cpu_us": 10.0, "lost": 6}


def test_ratios_are_of_the_medians() -> None:
    assert rival_ratio(made(), JRR) == 2.5
    assert rival_ratio(made(), RIVAL) is None
    assert ratio(None, 1.0) is None
    assert ratio(1.0, 0.0) is None


def test_a_file_holds_all_and_a_part_run_again_replaces_itself(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "bench.json"
    made().save(file)
    again = Results.load(file)
    assert list(again.rows("b")) == [JRR, RIVAL]
    assert again.median(RIVAL) == made().median(RIVAL)
    again.drop("b")
    assert list(again.rows("b")) == []
    again.add(JRR, {"cpu_us": 1.0})
    assert again.runs(JRR) == 1


def test_a_run_that_came_to_nothing_is_told(tmp_path: Path) -> None:
    results, log = Results({}), tmp_path / "client.log"
    log.write_text("it broke here")
    results.fail(JRR, RuntimeError("ended"), log)
    assert list(results.rows("b")) == [JRR]
    assert "it broke here" in (results.failure(JRR) or "")
    assert results.median(JRR) == {}


@pytest.mark.parametrize(("value", "verdict"), [(3.5, "aim met"), (2.5, "met"), (1.9, "not met")])
def test_more_is_better_where_it_is_a_gain(value: float, verdict: str) -> None:
    aim = next(aim for aim in AIMS if aim.least == 2 and aim.aim == 3)
    assert aim.verdict(value) == verdict


@pytest.mark.parametrize(("value", "verdict"), [(4.9, "aim met"), (20.0, "met"), (50.1, "not met")])
def test_less_is_better_where_it_is_a_cost(value: float, verdict: str) -> None:
    aim = next(aim for aim in AIMS if aim.least == 50 and aim.aim == 5)
    assert aim.verdict(value) == verdict


def test_aims_without_figures_are_not_called_met() -> None:
    assert {aim.row(Results({}))[3] for aim in AIMS} == {"not measured"}
    rows = [aim.row(made()) for aim in AIMS]
    assert [row[3:] for row in rows if row[3] != "not measured"] == [["2.50x", "met"]]


def test_quantiles_are_of_what_was_noted() -> None:
    found = quantiles_ms([n * 1_000_000 for n in range(1, 1002)])
    assert found == {"n": 1001, "p50": 501.0, "p99": 991.0, "p99.9": 1000.0, "max": 1001.0}
    assert quantiles_ms([]) == {"n": 0}
