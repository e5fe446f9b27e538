"""What it costs to be looked at: CPU per frame and memory with metrics scraped every second, and with a capture.

    .venv/bin/python benchmarks/bench_observe.py [--rate 10000] [--seconds 8] [--runs 5]

Socket to a null sink; the simulator and the scraper are other processes.
Variants alternate within one run; medians are printed.
"""

import argparse
import asyncio
import json
import multiprocessing as processes
import resource
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from bench_pipeline import STREAMS, NullSink

from jrr_core import ManagerBuilder
from jrr_core.capture import CaptureSettings
from jrr_core.config import Config
from jrr_core.plugins import Plugins
from jrr_core.testing.child import simulated

_EXCHANGE = "binance-usdm"
VARIANTS = ("plain", "metrics", "capture")


async def collect(variant: str, port: int, seconds: float, folder: str, pipe: Connection) -> dict[str, float]:
    """Run the pipeline once; return what its steady part cost."""
    config = Config(capture=CaptureSettings(path=folder if variant == "capture" else ""))
    builder = ManagerBuilder(plugins=Plugins.load([_EXCHANGE.partition("-")[0]]), config=config).add_sink(NullSink())
    builder.add_exchange(_EXCHANGE, ws_url=f"ws://127.0.0.1:{port}", rest_url=f"http://127.0.0.1:{port}")
    manager = await builder.set_spool(path="").set_metrics(listen="0" if variant == "metrics" else "").build()
    await manager.subscribe_exchange(_EXCHANGE, STREAMS.split(","))
    running = asyncio.create_task(manager.run())
    await asyncio.sleep(2.0)
    pipe.send(manager.observer.address.port if manager.observer else 0)
    before, cpu = manager.get_stats(), time.process_time()
    await asyncio.sleep(seconds)
    after, cpu = manager.get_stats(), time.process_time() - cpu
    await manager.stop()
    await running
    frames = after["exchanges"][_EXCHANGE]["frames"] - before["exchanges"][_EXCHANGE]["frames"]
    capture = after["capture"] or {"bytes": 0, "kept": 1, "lost": 0}
    return {
        "frames_per_s": frames / seconds,
        "cpu_us_per_frame": cpu / max(frames, 1) * 1e6,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "capture_bytes_per_frame": capture["bytes"] / capture["kept"],
        "capture_lost": capture["lost"],
    }


def one_run(variant: str, port: int, seconds: float, pipe: Connection) -> None:
    """Collect in a process of its own, so that memory and CPU are that variant's alone."""
    with tempfile.TemporaryDirectory() as folder:
        pipe.send(asyncio.run(collect(variant, port, seconds, folder, pipe)))


def watched(pipe: Connection) -> dict[str, float]:
    """Scrape until the run is over; return its figures, and how long a scrape took."""
    port, took = pipe.recv(), []
    while not pipe.poll(1.0):
        if port:
            began = time.monotonic()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                answer.read()
            took.append(time.monotonic() - began)
    figures: dict[str, float] = pipe.recv()
    return {**figures, "scrape_ms": statistics.median(took) * 1e3 if took else 0.0}


async def measure(given: argparse.Namespace, variants: Sequence[str] = VARIANTS) -> dict[str, list[dict[str, float]]]:
    """Alternate the variants against one simulator."""
    results: dict[str, list[Any]] = {variant: [] for variant in variants}
    context = processes.get_context("spawn")
    async with simulated([_EXCHANGE], rate=given.rate) as simulation:
        port = int(simulation.ws_urls[_EXCHANGE].rpartition(":")[2])
        for _ in range(given.runs):
            for variant, found in results.items():
                here, there = context.Pipe()
                process = context.Process(target=one_run, args=(variant, port, given.seconds, there))
                process.start()
                found.append(await asyncio.to_thread(watched, here))
                process.join()
    return results


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=float, default=10_000)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--runs", type=int, default=5)
    given = options.parse_args()
    for variant, found in asyncio.run(measure(given)).items():
        medians = {name: round(statistics.median([run[name] for run in found]), 2) for name in found[0]}
        print(json.dumps({"variant": variant, "runs": given.runs, **medians}))


if __name__ == "__main__":
    main()
