"""CPU and memory of the collecting process, simulator to null sink and simulator to the embedded store.

    .venv/bin/python benchmarks/bench_pipeline.py [--rate 10000] [--seconds 8] [--runs 5]

The simulator runs in a child process. Variants alternate within one run, so
that their ratio means something on a noisy machine; medians are printed.
"""

import argparse
import asyncio
import json
import multiprocessing as processes
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

from attrs import define

from jrr_core import ManagerBuilder
from jrr_core.events import ALL_EVENTS
from jrr_core.plugins import Plugins
from jrr_core.sink import BatchPolicy, WriteResult
from jrr_core.testing.child import simulated

# Every trade and quote of the simulated market, so that nearly each of its steps is a frame, and two whole books.
STREAMS = ",".join(
    [f"{symbol}@{stream}" for symbol in ("btcusdt", "ethusdt", "bnbusdt", "btcusdt_261225")
     for stream in ("trade", "bookTicker")]
    + ["btcusdt@depth@100ms", "ethusdt@depth@100ms"]
)  # fmt: skip


@define
class NullSettings:
    """A null sink has none."""


class NullSink:
    """Counts and forgets: what is measured with it is everything in front of a store."""

    name: ClassVar[str] = "null"
    Settings: ClassVar[type] = NullSettings
    embedded: ClassVar[bool] = False
    accepts: tuple[type, ...] = ALL_EVENTS
    batch = BatchPolicy(max_rows=5000, max_age_s=0.1)

    def __init__(self, settings: Any = None) -> None:
        """Need nothing."""

    async def open(self) -> None:
        """Open nothing."""

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Take all."""
        return WriteResult(len(batch))

    async def close(self) -> None:
        """Close nothing."""


async def collect(exchange: str, streams: Sequence[str], sink: Any, port: int, seconds: float) -> dict[str, float]:
    """Run the pipeline once; return frames, events, CPU seconds and latencies of its steady part."""
    builder = ManagerBuilder(plugins=Plugins.load())
    builder.add_exchange(exchange, ws_url=f"ws://127.0.0.1:{port}", rest_url=f"http://127.0.0.1:{port}")
    manager = await builder.add_sink(sink).build()
    await manager.subscribe_exchange(exchange, streams)
    running = asyncio.create_task(manager.run())
    await asyncio.sleep(2.0)
    before, cpu = manager.get_stats(), time.process_time()
    await asyncio.sleep(seconds)
    after, cpu = manager.get_stats(), time.process_time() - cpu
    await manager.stop()
    code = await running
    frames = after["exchanges"][exchange]["frames"] - before["exchanges"][exchange]["frames"]
    (stored,) = after["sinks"].values()
    (stored_before,) = before["sinks"].values()
    return {
        "frames_per_s": frames / seconds,
        "events_per_s": (stored["published"] - stored_before["published"]) / seconds,
        "cpu_us_per_frame": cpu / max(frames, 1) * 1e6,
        "cpu_share": cpu / seconds,
        "latency_p50_ms": (stored["latency_p50_s"] or 0) * 1e3,
        "latency_p99_ms": (stored["latency_p99_s"] or 0) * 1e3,
        "dropped": stored["dropped"],
        "exit_code": code,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def one_run(variant: str, exchange: str, streams: Sequence[str], port: int, seconds: float, pipe: Connection) -> None:
    """Collect in a process of its own, so that memory and CPU are that variant's alone."""
    with tempfile.TemporaryDirectory() as folder:
        sink: Any = NullSink()
        if variant != "null":
            cls = Plugins.load().sink(variant)
            sink = cls(cls.Settings(path=str(Path(folder) / "bench.db")))
        pipe.send(asyncio.run(collect(exchange, streams, sink, port, seconds)))


async def measure(given: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Alternate the variants against one simulator."""
    results: dict[str, list[dict[str, float]]] = {"null": [], given.store: []}
    context = processes.get_context("spawn")
    async with simulated([given.exchange], rate=given.rate) as simulation:
        port = int(simulation.ws_urls[given.exchange].rpartition(":")[2])
        for _ in range(given.runs):
            for variant, found in results.items():
                here, there = context.Pipe()
                arguments = (variant, given.exchange, given.streams.split(","), port, given.seconds, there)
                process = context.Process(target=one_run, args=arguments)
                process.start()
                found.append(await asyncio.to_thread(here.recv))
                process.join()
    return results


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--exchange", default="binance-usdm")
    options.add_argument("--streams", default=STREAMS)
    options.add_argument("--store", default="sqlite")
    options.add_argument("--rate", type=float, default=10_000)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--runs", type=int, default=5)
    given = options.parse_args()
    results = asyncio.run(measure(given))
    for variant, found in results.items():
        medians = {name: round(statistics.median([run[name] for run in found]), 2) for name in found[0]}
        print(json.dumps({"variant": f"socket to {variant}", "runs": given.runs, **medians}))


if __name__ == "__main__":
    main()
