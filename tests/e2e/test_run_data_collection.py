"""The example of the Python API, run as its reader would run it, against simulated exchanges."""

import asyncio
import json
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from jrr_binance.simulator import SpotScript
from jrr_okx.simulator import OkxScript

from jrr_core.testing.simulator import Simulator

pytestmark = pytest.mark.e2e

_SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "run_data_collection.py"


async def _run(folder: Path, *options: str, interrupt_after: int | None = None) -> tuple[int, str, str]:
    """Run the example beside two simulators; `interrupt_after` so many lines of output it gets a Ctrl-C."""
    async with Simulator(SpotScript, rate=300) as binance, Simulator(OkxScript, rate=300) as okx:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(_SCRIPT), "--db", str(folder / "market.db"), *options,
            "--binance-ws", binance.ws_url, "--binance-rest", binance.rest_url,
            "--okx-ws", okx.ws_url, "--okx-rest", okx.rest_url,
            cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
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


def test_rows_of_both_exchanges_are_stored_and_the_account_is_even(tmp_path: Path) -> None:
    code, out, errors = asyncio.run(_run(tmp_path, "--for", "4"))
    assert (code, errors) == (0, "")
    trades, brace, stats_text = out.partition("{")
    stats = json.loads(brace + stats_text)
    with closing(sqlite3.connect(tmp_path / "market.db")) as store:
        stored = dict(store.execute("SELECT exchange, count(*) FROM trades GROUP BY exchange").fetchall())
        books = {row[0] for row in store.execute("SELECT DISTINCT exchange FROM book_snapshots WHERE depth = 5")}
    printed = [line.split()[0] for line in trades.splitlines()]
    assert stored == {exchange: printed.count(exchange) for exchange in ("binance", "okx")}
    assert min(stored.values()) > 10
    assert books == {"binance", "okx"}
    sink = stats["sinks"]["sqlite"]
    ends = ("written", "duplicate", "dropped", "quarantined", "spooled")
    assert sink["published"] == sum(sink[name] for name in ends)


def test_an_interrupt_stops_it_in_order(tmp_path: Path) -> None:
    code, out, errors = asyncio.run(_run(tmp_path, interrupt_after=20))
    assert (code, errors) == (0, "")
    assert json.loads("{" + out.partition("{")[2])["sinks"]["sqlite"]["pending"] == 0
