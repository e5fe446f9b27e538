"""`jrr run --workers`: what it takes and refuses. What several processes do together: tests/e2e/test_workers.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from jrr_core.cli.summary import workers_line

Jrr = Callable[..., Result]


@pytest.mark.parametrize("count", ["0", "-1", "65", "x", "1.5", ""])
def test_a_number_that_is_none_is_refused(configured: Path, jrr: Jrr, count: str) -> None:
    result = jrr("run", "--subscribe", "toy:trade:BTCUSD", "--workers", count)
    assert (result.exit_code, "Invalid value for '--workers'" in result.stderr) == (2, True)


def test_the_settings_are_held_to_the_same(configured: Path, jrr: Jrr) -> None:
    result = jrr("run", "--subscribe", "toy:trade:BTCUSD", "--set", "run.workers=0")
    assert (result.exit_code, "run.workers" in result.stderr) == (2, True)


def test_one_worker_is_a_run_like_any_other(configured: Path, server: Any, jrr: Jrr) -> None:
    result = jrr("run", "--subscribe", "toy:trade:BTCUSD", "--for", "0.5s", "--workers", "1", "--set", "run.workers=2")
    assert result.exit_code == 0, result.output
    assert server.subscribed == [["trade:BTCUSD"]]
    assert "worker" not in result.output


def test_a_check_says_which_store_takes_no_workers(configured: Path, server: Any, jrr: Jrr) -> None:
    result = jrr("check", "--subscribe", "toy:trade:BTCUSD", "--set", "run.workers=2")
    assert result.exit_code == 1
    assert "sink shelf: its store takes one writing" in result.output


def test_the_account_says_what_it_does_not_know() -> None:
    calm = {"restarts": 0, "untold": 0}
    assert workers_line([calm, calm]) == "2 workers, 0 restarts"
    line = workers_line([calm, {"restarts": 2, "untold": 1234}])
    assert line.startswith("2 workers, 2 restarts; of processes that died")
    assert "1,234 events" in line
