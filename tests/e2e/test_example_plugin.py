"""The example plugins of the docs, built, installed and used as a stranger's packages would be."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

pytestmark = pytest.mark.e2e

_EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
_TICKERTAPE, _CANDLEPRINTER = _EXAMPLES / "jrr_tickertape", _EXAMPLES / "jrr_candleprinter"
_JRR = Path(sys.executable).with_name("jrr")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the examples into a folder of their own; return the environment that sees them beside jrr."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    examples = [str(_TICKERTAPE), str(_CANDLEPRINTER)]
    done = _run([*pip, "--no-deps", "--no-build-isolation", "--target", str(target), *examples], dict(os.environ))
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(target)}


@pytest.fixture
def address(environment: dict[str, str]) -> Iterator[str]:
    """Run the example's own server on a free port; yield its address."""
    command = [sys.executable, str(_TICKERTAPE / "demo_server.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def test_their_entry_points_are_found_and_listed(environment: dict[str, str]) -> None:
    done = _run([str(_JRR), "plugins"], environment)
    assert done.returncode == 0, done.stderr
    assert "jrr-tickertape" in done.stdout
    assert "jrr-candleprinter" in done.stdout


def test_their_own_tests_pass_against_the_installed_packages(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = _run([*command, str(_TICKERTAPE / "tests"), str(_CANDLEPRINTER / "tests")], environment, tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_trade_is_stored_and_candles_are_printed(
    environment: dict[str, str], address: str, tmp_path: Path
) -> None:
    command = [
        str(_JRR), "run", "--plugins", "tickertape,sqlite,parquet,candleprinter", "--for", "3s", "--no-progress",
        "--subscribe", "tickertape:trade:BTC-USD", "--subscribe", "tickertape:quote:BTC-USD",
        "--set", f"exchanges.tickertape.ws_url={address}", "--set", f"sinks.sqlite.path={tmp_path / 'market.db'}",
        "--set", f"sinks.parquet.path={tmp_path / 'market-parquet'}",
        "--set", "subscribers.candleprinter.interval=1s", "--set", "subscribers.candleprinter.wait_s=0.2",
    ]  # fmt: skip
    done = _run(command, environment, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with closing(sqlite3.connect(tmp_path / "market.db")) as store:
        trades = store.execute(
            "SELECT trade_id, price, amount, side FROM trades WHERE exchange = 'tickertape' AND symbol = 'BTC-USD' "
            "ORDER BY CAST(trade_id AS INTEGER)"
        ).fetchall()
        (quotes,) = store.execute("SELECT count(*) FROM quotes WHERE exchange = 'tickertape'").fetchone()
    assert len(trades) > 100
    assert [int(trade_id) for trade_id, *_ in trades] == list(range(1, len(trades) + 1))
    assert trades[0] == ("1", "61837.64", "0.00000001", "sell")
    assert abs(quotes - len(trades)) <= 1
    files = duckdb.connect().read_parquet(f"{tmp_path}/market-parquet/trades/**/*.parquet", hive_partitioning=True)
    assert files.project("trade_id, price, amount, side").order("CAST(trade_id AS INTEGER)").fetchall() == trades
    candles = re.findall(r"^\S+ \S+ tickertape BTC-USD 1s( [0-9.]+){5} (\d+)$", done.stdout, re.MULTILINE)
    assert candles
    assert sum([int(count) for _, count in candles]) <= len(trades)


def _run(command: list[str], env: dict[str, str], folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
