"""(f): how much memory jrr has resident, at the start and after a while, with many books and many subscriptions."""

import asyncio
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from jrr_postgres.testing import execute

from .contestants import Place, jrr
from .feeds import EXCHANGES, Load
from .measure import mark, settled, started
from .parts import Setting, database_server, place
from .process import LoadServer, Process
from .results import Results, Row

LONG_S, QUICK_S = 600.0, 10.0
_RATE = 10_000
_BOOKS = 20
_SUBSCRIPTIONS = (500, 2_000)


async def memory(setting: Setting, results: Results) -> None:
    """Measure each once: what memory grows to needs time, not repetition."""
    await two_exchanges(QUICK_S if setting.quick else LONG_S, results)
    for count, kind, to, name in (
        (_BOOKS, "depth", "book", f"{_BOOKS} books of 1,000 levels kept"),
        *((count, "trade", "null", f"{count:,} subscriptions") for count in _SUBSCRIPTIONS),
    ):
        load = Load(EXCHANGES["binance"], kind, count)
        async with LoadServer("binance", kind, count) as serving, place(load, serving.port, None, "") as here:
            await many(here, serving, to, name, results)


async def many(here: Place, serving: LoadServer, to: str, name: str, results: Results) -> None:
    """Subscribe to all, let some blocks through, and see what is resident."""
    contestant = jrr(to, "auto")
    row = Row("f", name, "binance", here.load.streams[0].kind, contestant.name)
    try:
        client = await started(contestant, serving, here, None)
    except (RuntimeError, TimeoutError) as error:
        results.fail(row, error, here.folder / "client.log")
        return
    try:
        await serving.send(5 * here.load.block, _RATE)
        results.add(row, {"rss_mb": (await settled(client)).rss_mb})
    finally:
        await client.end()


async def two_exchanges(seconds: float, results: Results) -> None:
    """Store trades and books of two exchanges in PostgreSQL, 10,000 messages/s together."""
    loads = {name: Load(EXCHANGES[name], "mixed") for name in EXCHANGES}
    with database_server() as server:
        assert server is not None
        await execute(server.dsn(), "CREATE DATABASE memory")
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="jrr-bench-"))
            serving = {name: await stack.enter_async_context(LoadServer(name, "mixed")) for name in EXCHANGES}
            exchanges: dict[str, Any] = {}
            for name, load in loads.items():
                given = jrr("postgres", "auto").given(Place(load, serving[name].port, Path(folder)))
                exchanges |= given["exchanges"]
            told = {"to": "postgres", "transport": "auto", "loop": "auto", "folder": folder,
                    "dsn": server.dsn("memory"), "exchanges": exchanges}  # fmt: skip
            client = Process([sys.executable, "-m", "benchmarks.suite.jrr_client", json.dumps(told)],
                             Path(folder) / "client.log", core=1)  # fmt: skip
            await client.start()
            stack.push_async_callback(client.end)
            await client.hear()
            for name, load in loads.items():
                await serving[name].subscribed(len(load.streams))
            await asyncio.sleep(1.0)
            await asyncio.gather(*(each.send(1_000, 1_000) for each in serving.values()))
            start = await settled(client)
            row = Row("f", "two exchanges + PostgreSQL, start", "both", "mixed", "jrr, auto")
            results.add(row, {"rss_mb": start.rss_mb})
            count, most = round(_RATE / len(serving) * seconds), 0.0
            sending = asyncio.gather(*(each.send(count, _RATE / len(serving)) for each in serving.values()))
            while not sending.done():
                await asyncio.sleep(1.0)
                most = max(most, (await mark(client)).rss_mb)
            await sending
            end = await settled(client)
            account = await client.ask({"mark": 1, "account": 1})
            sent = round(len(serving) * count * 0.9)
            row = Row("f", f"the same after {seconds:,.0f} s at 10,000/s", "both", "mixed", "jrr, auto")
            results.add(row, {"rss_mb": end.rss_mb, "most_mb": most, "lost": sent - (end.count - start.count),
                              "gaps": account["gaps"],
                              "cpu_us": (end.cpu_s - start.cpu_s) / (2 * count) * 1e6})  # fmt: skip
