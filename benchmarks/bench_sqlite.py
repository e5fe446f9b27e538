"""How fast the SQLite sink stores events, what that costs and how large the rows are.

    .venv/bin/python benchmarks/bench_sqlite.py [--events 40000]

Medians of 5 runs into fresh files. "beside a busy loop" has the event loop's
thread compute all the time between its awaits, as a collector under load does.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.events import BookDelta, Message, Quote, Trade
from jrr_core.levels import Levels

RUNS = 5
BATCH = 5000
START = 1_700_000_000_000_000_000
SYMBOLS = [("simulated", f"COIN{n}USDT") for n in range(10)]
Make = Callable[[int, random.Random], Message]


def trade(n: int, rng: random.Random) -> Message:
    at = START + n * 1_000_000
    price, amount = Decimal(f"{60000 + rng.random() * 500:.2f}"), Decimal(f"{rng.random():.5f}")
    side = rng.choice(("buy", "sell"))
    return Trade(*SYMBOLS[n % 10], at, at + rng.randrange(10**8), price, amount, side, str(5_000_000_000 + n))  # type: ignore[arg-type]  # a Side


def quote(n: int, rng: random.Random) -> Message:
    at = START + n * 1_000_000
    price, amount = Decimal(f"{60000 + rng.random() * 500:.2f}"), Decimal(f"{rng.random():.3f}")
    sequence = 70_000_000_000 + n
    return Quote(*SYMBOLS[n % 10], at, at + rng.randrange(10**8), price, amount, price, amount, sequence)


def delta(n: int, rng: random.Random) -> Message:
    """Ten levels a side, as a parser hands them over: JSON text not looked at."""
    at = START + n * 1_000_000
    sides = []
    for _ in range(2):
        rows = ",".join([f'["{60000 + rng.random() * 500:.2f}","{rng.random() * 9:.3f}"]' for _ in range(10)])
        sides.append(Levels.from_json(f"[{rows}]".encode()))
    last = 90_000_000_000 + 10 * n
    return BookDelta(*SYMBOLS[n % 10], at, at + rng.randrange(10**8), sides[0], sides[1], last - 9, last, last - 10)


def mix(n: int, rng: random.Random) -> Message:
    kind = n % 10
    return (delta if kind < 6 else trade if kind < 9 else quote)(n // 10 * 10 + n * 7 % 10, rng)


def made(make: Make, events: int) -> list[Message]:
    rng = random.Random(1)
    return [make(n, rng) for n in range(events)]


async def compute(stop: asyncio.Event) -> None:
    while not stop.is_set():
        end = time.perf_counter() + 0.0005
        while time.perf_counter() < end:
            pass
        await asyncio.sleep(0)


async def store(events: Sequence[Message], path: Path, busy: bool) -> tuple[float, float]:
    """Return seconds and CPU seconds it took to store the events."""
    sink = SqliteSink(StorageConfig(path=str(path)))
    await sink.open()
    stop = asyncio.Event()
    load = asyncio.create_task(compute(stop)) if busy else None
    wall, cpu = time.perf_counter(), time.process_time()
    for at in range(0, len(events), BATCH):
        result = await sink.write(events[at : at + BATCH])
        assert result.duplicate == 0
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    stop.set()
    if load is not None:
        await load
    await sink.close()
    return wall, cpu


def measure(name: str, make: Make, events: int) -> None:
    batch = made(make, events)
    walls: list[float] = []
    cpus: list[float] = []
    busy: list[float] = []
    size = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for run in range(RUNS):
            path = Path(folder, f"{run}.db")
            wall, cpu = asyncio.run(store(batch, path, False))
            size = path.stat().st_size / events
            walls.append(wall)
            cpus.append(cpu)
            busy.append(asyncio.run(store(batch, Path(folder, f"{run}-busy.db"), True))[0])
    rate, cost = events / statistics.median(walls), statistics.median(cpus) / events * 1e6
    print(f"{name:<26}{rate:>12,.0f}{cost:>14.2f}{events / statistics.median(busy):>16,.0f}{size:>12.0f}")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--events", type=int, default=40_000)
    events = options.parse_args().events
    print(f"Python {sys.version.split()[0]}, {events:,} events in batches of {BATCH:,}, medians of {RUNS}")
    print(f"{'':<26}{'events/s':>12}{'CPU µs/event':>14}{'beside a busy':>16}{'bytes/row':>12}")
    print(f"{'':<26}{'':>12}{'':>14}{'loop, events/s':>16}")
    measure("trades", trade, events)
    measure("quotes", quote, events)
    measure("book deltas, 20 levels", delta, events)
    measure("60 % deltas, 30 % trades", mix, events)


if __name__ == "__main__":
    main()
