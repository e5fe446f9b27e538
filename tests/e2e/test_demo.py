"""The demo as its user sees it, and its comparison with the ground truth: every change of the file is noticed."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from jrr_core.cli.demo import Outcome, collect
from jrr_core.cli.simulate import find_scripts
from jrr_core.plugins import Plugins
from jrr_core.testing.truth import Truth

pytestmark = pytest.mark.e2e

_EXCHANGES = ("binance", "binance-usdm", "okx")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return what a short demo collected."""
    plugins = Plugins.load()
    sink = plugins.sink("sqlite")
    path = tmp_path_factory.mktemp("demo") / "market.db"
    scripts = find_scripts(list(_EXCHANGES))
    return asyncio.run(collect(plugins, scripts, sink(sink.Settings(path=str(path))), 3.0, None))


def differences(outcome: Outcome, path: Path, *statements: str) -> list[str]:
    """Return what the demo says of a copy of its file on which these statements were run."""
    sink = type(outcome.sink)
    source = outcome.sink.settings.path  # type: ignore[attr-defined]  # the SQLite sink has it
    shutil.copyfile(source, path)
    with closing(sqlite3.connect(path)) as file, file:
        for statement in statements:
            assert file.execute(statement).rowcount > 0, statement
    copy: Any = sink(sink.Settings(path=str(path)))
    return evolve(outcome, store=copy).differences()


def test_a_file_left_alone_has_no_differences(outcome: Outcome, tmp_path: Path) -> None:
    assert not outcome.failings
    assert {name for name, _ in asyncio.run(outcome.store.counts())} == set(_EXCHANGES)
    assert differences(outcome, tmp_path / "copy.db") == []


ONE_TRADE = "WHERE (stream, trade_id) = (SELECT stream, trade_id FROM stored_trades LIMIT 1 OFFSET 9)"
ONE_DELTA = "WHERE id = (SELECT id FROM stored_book_deltas ORDER BY id DESC LIMIT 1)"
OF_BINANCE = "stream IN (SELECT id FROM streams WHERE exchange = 'binance' AND part IS NULL)"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"DELETE FROM stored_trades {ONE_TRADE}", "1 missing"),
        (f"UPDATE stored_trades SET price = '1.5' {ONE_TRADE}", "1 different"),
        (f"UPDATE stored_trades SET ts_event = ts_event + 1, lag = lag - 1 {ONE_TRADE}", "1 different"),
        (f"UPDATE stored_trades SET trade_id = 7 {ONE_TRADE}", "1 never sent"),
        ("UPDATE stored_quotes SET ask_amount = NULL WHERE position % 7 = 0", "different"),
        ("UPDATE stored_candles SET close = '1'", "different"),
        ("UPDATE stored_mark_prices SET mark_price = '1'", "different"),
        (f"DELETE FROM stored_book_deltas {ONE_DELTA}", "1 missing"),
        (f"UPDATE stored_book_deltas SET bids = '1,1' {ONE_DELTA}", "1 different"),
        (f"DELETE FROM stored_book_snapshots WHERE {OF_BINANCE}", "no whole book"),
        (f"UPDATE stored_book_snapshots SET asks = '' WHERE {OF_BINANCE}", "different"),
        *[(f"DELETE FROM stored_{name}", "missing") for name in (
            "trades", "quotes", "book_snapshots", "book_deltas", "candles", "funding_rates", "mark_prices")],
    ],
)  # fmt: skip
def test_a_file_that_was_changed_differs(outcome: Outcome, tmp_path: Path, statement: str, words: str) -> None:
    found = differences(outcome, tmp_path / "copy.db", statement)
    assert any(words in text for text in found), found


def test_a_simulation_that_sent_nothing_proves_nothing(outcome: Outcome) -> None:
    assert evolve(outcome, truth=Truth()).differences() == ["nothing was sent, so there is nothing to compare with"]


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from jrr_core.cli import main; main()", "demo", *arguments],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_file_that_cannot_be_written_is_named_without_a_traceback(tmp_path: Path) -> None:
    done = demo(tmp_path, "--for", "5s", "--db", "nowhere/market.db")
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere/market.db: the directory nowhere does not exist")
    assert len(done.stderr.splitlines()) == 1


def test_a_second_demo_leaves_the_file_of_the_first_and_says_what_it_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "market.db").write_text("somebody's")
    # Nor does a proxy stand between a demo and its simulators.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    done = demo(tmp_path, "--for", "2s")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "market.db").read_text() == "somebody's"
    assert done.stdout.startswith("market.db exists and is left as it is; this demo uses market-2.db\n")
    with closing(sqlite3.connect(tmp_path / "market-2.db")) as file:
        (stored,) = file.execute(
            "SELECT " + " + ".join(f"(SELECT count(*) FROM stored_{name})" for name in (
                "trades", "quotes", "book_snapshots", "book_deltas", "candles", "funding_rates", "mark_prices"))
        ).fetchone()  # fmt: skip
    assert f"ground truth: the {stored:,} events stored are exactly what was sent" in done.stdout
    assert "nothing was lost" in done.stdout
