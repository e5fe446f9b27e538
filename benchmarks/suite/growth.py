"""(g): whether a message costs more where there are many streams; how long until help, and until the first row."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .contestants import jrr
from .feeds import EXCHANGES, Load
from .measure import saturate
from .parts import Setting, place
from .process import LoadServer
from .results import Results, Row

STREAMS = (1, 10, 100, 1_000, 5_000)
_QUICK_STREAMS = (1, 10, 1_000)
_JRR = str(Path(sys.executable).with_name("jrr"))
_FIRST_ROW_S = 30.0


async def growth(setting: Setting, results: Results) -> None:
    """Read trades of ever more symbols, as many messages in all; then start `jrr` a few times."""
    for _ in range(setting.runs):
        for count in _QUICK_STREAMS if setting.quick else STREAMS:
            load = Load(EXCHANGES["binance"], "trade", count)
            contestant = jrr("null", "auto")
            row = Row("g", f"{count:,} streams", "binance", "trade", contestant.name)
            async with LoadServer("binance", "trade", count) as serving, place(load, serving.port, None, "") as here:
                try:
                    found = await saturate(contestant, serving, here, setting.seconds, None)
                except (RuntimeError, TimeoutError) as error:
                    results.fail(row, error, here.folder / "client.log")
                else:
                    results.add(row, found.figures())
        results.add(Row("g", "jrr --help", "", "", "jrr"), {"s": await asyncio.to_thread(helped)})
        results.add(Row("g", "jrr run, first row in SQLite", "binance", "trade", "jrr"), {"s": await first_row()})


def helped() -> float:
    """Return how long `jrr --help` takes (s)."""
    began = time.monotonic()
    subprocess.run([_JRR, "--help"], check=True, capture_output=True)
    return time.monotonic() - began


async def first_row() -> float:
    """Return the time (s) from the start of `jrr run` to the first trade in its store; raises TimeoutError."""
    async with LoadServer("binance", "trade") as serving:
        with tempfile.TemporaryDirectory(prefix="jrr-bench-") as folder:
            place = f"127.0.0.1:{serving.port}"
            store = Path(folder) / "market.db"
            command = [_JRR, "run", "--plugins", "binance,sqlite", "--no-progress", "--subscribe",
                       "binance:btcusdt@aggTrade", "--set", f"exchanges.binance.ws_url=ws://{place}", "--set",
                       f"exchanges.binance.rest_url=http://{place}", "--set", f"sinks.sqlite.path={store}", "--set",
                       "network.proxy=none", "--set", "metrics.listen="]  # fmt: skip
            env = {name: value for name, value in os.environ.items() if not name.startswith(("JRR_", "PYTHON"))}
            began = time.monotonic()
            child = await asyncio.create_subprocess_exec(
                *command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                await serving.subscribed(1)
                sending = asyncio.ensure_future(serving.send(5_000, 1_000))
                async with asyncio.timeout(_FIRST_ROW_S):
                    while not _stored(store):  # noqa: ASYNC110 - another process's store
                        await asyncio.sleep(0.005)
                took = time.monotonic() - began
                await sending
                return took
            finally:
                child.terminate()
                await child.wait()


def _stored(store: Path) -> bool:
    """Whether there is a trade in a store, which may not even be there yet."""
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT 1 FROM trades LIMIT 1").fetchone() is not None
        finally:
            connection.close()
    return False
