"""`jrr run` into PostgreSQL from simulated exchanges, and the commands that read the store, as a user types them."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import PASSWORD_ROLE, Home, execute

from jrr_core.subscription import Subscription
from jrr_core.testing.child import simulated
from jrr_core.testing.truth import Truth

pytestmark = pytest.mark.e2e

EXCHANGES = ("binance", "okx")
WANTED = (
    "binance:trade:BTCUSDT", "binance:candle_1m:BTCUSDT", "binance:book:ETHUSDT", "okx:trade:BTC-USDT",
    "okx:book:BTC-USDT-SWAP",
)  # fmt: skip


async def jrr(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command in a folder of its own; return exit code, output, errors."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "JRR_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from jrr_core.cli import main; main()", *arguments,
        cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def collect(folder: Path, seconds: float) -> tuple[int, str, str, Truth]:
    """Collect from two simulators with the settings of the folder; return how it went and what was sent."""
    async with simulated(EXCHANGES, rate=300, truth_file=folder / "truth.jsonl") as simulation:
        places = [
            f"exchanges.{name}.{kind}={urls[name]}"
            for kind, urls in (("ws_url", simulation.ws_urls), ("rest_url", simulation.rest_urls))
            for name in EXCHANGES
        ]
        options = [part for place in places for part in ("--set", place)]
        wanted = [part for spec in WANTED for part in ("--subscribe", spec)]
        ran = await jrr(folder, "run", "--plugins", "binance,okx,postgres", "--for", f"{seconds}s", *options, *wanted)
        return (*ran, await simulation.stop())


@pytest.fixture(scope="module")
def folder(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory whose .env leads to a server of its own, on which a run has collected."""
    server = home.new()
    path = tmp_path_factory.mktemp("collected")
    (path / ".env").write_text(f"DB_HOST=127.0.0.1\nDB_PORT={server.port}\nDB_USER=postgres\n")
    code, out, errors, truth = asyncio.run(collect(path, 5))
    assert code == 0, out + errors
    assert "nothing was lost" in out
    sink = PostgresSink(StorageConfig(dsn=server.dsn("jrr_marketdata")))
    wanted = [Subscription.parse(text) for text in WANTED]
    assert asyncio.run(truth.compare_store(sink, wanted)) == []
    return path


def ask(folder: Path, *arguments: str) -> str:
    code, out, errors = asyncio.run(jrr(folder, *arguments, "--plugins", "binance,okx,postgres"))
    assert code == 0, errors
    return out


@pytest.mark.parametrize(
    "query",
    [("trades", "binance:BTCUSDT"), ("candles", "binance:BTCUSDT", "--interval", "1s", "--from-trades"),
     ("book", "okx:BTC-USDT-SWAP", "--depth", "3"), ("coverage",), ("last",)],
    ids=lambda query: query[0],
)  # fmt: skip
def test_the_store_can_be_asked_in_every_format(folder: Path, query: Sequence[str]) -> None:
    table = ask(folder, "query", *query, "--format", "table")
    rows = [json.loads(line) for line in ask(folder, "query", *query, "--format", "json").splitlines()]
    csv = ask(folder, "query", *query, "--format", "csv").splitlines()
    assert len(table.splitlines()) > 1
    assert rows
    assert len(csv) == len(rows) + 1 or query[0] == "book"


def test_coverage_plan_and_set_up_know_the_store(folder: Path) -> None:
    assert "okx:book:BTC-USDT-SWAP" in ask(folder, "coverage")
    assert "BTCUSDT" in ask(folder, "plan", "--subscribe", "binance:trade:BTCUSDT")
    assert "ready" in ask(folder, "postgres", "init")
    assert "nothing to compact" in ask(folder, "postgres", "compact")


def test_a_wrong_password_ends_the_start_in_one_line_without_it(home: Home, tmp_path: Path) -> None:
    server = home.new()
    asyncio.run(execute(server.dsn(), f"CREATE ROLE strict LOGIN PASSWORD 'right' IN ROLE {PASSWORD_ROLE}"))
    text = f"DB_HOST=127.0.0.1\nDB_PORT={server.port}\nDB_USER=strict\nDB_PASSWORD=hunter2\n"
    (tmp_path / ".env").write_text(text)
    code, out, errors = asyncio.run(
        jrr(tmp_path, "run", "--plugins", "binance,postgres", "--subscribe", "binance:trade:BTCUSDT", "--set",
            "exchanges.binance.rest_url=http://127.0.0.1:1", "--for", "3s")
    )  # fmt: skip
    said = out + errors
    assert code == 2, said
    assert "refuses user strict" in said
    assert "hunter2" not in said
    assert "Traceback" not in said
