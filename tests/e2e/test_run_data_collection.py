"""The example of the Python API, run as its reader would run it, against simulated exchanges and a real server."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from jrr_binance.simulator import SpotScript
from jrr_okx.simulator import OkxScript
from jrr_postgres.testing import PASSWORD_ROLE, Server, execute

from jrr_core.testing.simulator import Simulator

pytestmark = pytest.mark.e2e

_SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "run_data_collection.py"
_PASSWORD = "p:ss w@rd/1"


@pytest.fixture
def folder(own_server: Server, tmp_path: Path) -> Path:
    """A working directory whose .env knows the password of a role that may create databases."""
    role = f"CREATE ROLE collector LOGIN CREATEDB PASSWORD '{_PASSWORD}' IN ROLE {PASSWORD_ROLE}"
    asyncio.run(execute(own_server.dsn(), role))
    (tmp_path / ".env").write_text(f"DB_PORT={own_server.port}\nDB_USER=collector\nDB_PASSWORD='{_PASSWORD}'\n")
    return tmp_path


async def _run(folder: Path, *options: str, interrupt_after: int | None = None) -> tuple[int, str, str]:
    """Run the example beside two simulators; `interrupt_after` so many lines of output it gets a Ctrl-C."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "JRR_"))}
    async with Simulator(SpotScript, rate=300) as binance, Simulator(OkxScript, rate=300) as okx:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(_SCRIPT), *options,
            "--binance-ws", binance.ws_url, "--binance-rest", binance.rest_url,
            "--okx-ws", okx.ws_url, "--okx-rest", okx.rest_url,
            cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        head = b""
        for _ in range(interrupt_after or 0):
            head += await process.stdout.readline()
        if interrupt_after is not None:
            process.send_signal(signal.SIGINT)
        out, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, (head + out).decode(), errors.decode()


def _ask(dsn: str, query: str) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_rows_of_both_exchanges_are_stored_and_the_account_is_even(folder: Path, own_server: Server) -> None:
    code, out, errors = asyncio.run(_run(folder, "--host", "127.0.0.1", "--for", "4"))
    assert (code, errors) == (0, "")
    trades, brace, stats_text = out.partition("{")
    sink = json.loads(brace + stats_text)["sinks"]["postgres"]
    database = own_server.dsn("jrr_marketdata")
    stored = dict(_ask(database, "SELECT exchange, count(*) FROM jrr.trades GROUP BY exchange"))
    books = {exchange for (exchange,) in _ask(database, "SELECT exchange FROM jrr.book_snapshots WHERE depth = 5")}
    printed = [line.split()[0] for line in trades.splitlines()]
    assert stored == {exchange: printed.count(exchange) for exchange in ("binance", "okx")}
    assert min(stored.values()) > 10
    assert books == {"binance", "okx"}
    ends = ("written", "duplicate", "dropped", "quarantined", "spooled")
    assert sink["published"] == sum(sink[name] for name in ends)
    assert sink["dropped"] == sink["quarantined"] == 0
    assert _ask(database, "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'jrr'") == [("collector",)]


def test_an_interrupt_stops_it_in_order(folder: Path) -> None:
    code, out, errors = asyncio.run(_run(folder, "--database", "other", interrupt_after=20))
    assert (code, errors) == (0, "")
    assert json.loads("{" + out.partition("{")[2])["sinks"]["postgres"]["pending"] == 0


def test_a_wrong_password_is_told_in_a_line_that_does_not_hold_it(folder: Path) -> None:
    text = (folder / ".env").read_text()
    (folder / ".env").write_text(text.replace(_PASSWORD, "hunter2"))
    code, out, errors = asyncio.run(_run(folder, "--for", "4"))
    assert (code, out) == (1, "")
    assert errors.startswith("error: PostgreSQL at localhost:")
    assert "refuses user collector" in errors
    assert "set DB_USER and DB_PASSWORD" in errors
    assert len(errors.splitlines()) == 1
    assert "hunter2" not in errors
