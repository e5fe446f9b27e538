"""A collector that is killed in the middle of writing leaves whole batches, and its successor the rest."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter

from jrr_postgres.testing import fetch

# Writes batches of 50 trades and 20 deltas, each of its own symbol, and says when one is acknowledged.
SCRIPT = """
import asyncio, sys
from decimal import Decimal
from jrr_core.events import BookDelta, Trade
from jrr_core.levels import Levels
from jrr_postgres import PostgresSink, StorageConfig

T0 = 1_700_000_000 * 10**9
ONE, LEVELS = Decimal(1), Levels([("1", "2")])

def batch(number):
    symbol = f"S{number}"
    yield from [Trade("sim", symbol, T0 + n, T0 + n, ONE, ONE, "buy", str(n)) for n in range(50)]
    yield from [BookDelta("sim", symbol, T0 + n, T0 + n, LEVELS, Levels(), n, n, None) for n in range(20)]

async def main(dsn, first):
    sink = PostgresSink(StorageConfig(dsn=dsn, compact=False))
    await sink.open()
    for number in range(first, 100_000):
        await sink.write([*batch(number)])
        print(number, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def killed_after(dsn: str, first: int, batches: int, pause_s: float) -> int:
    """Run the collector from batch `first` on, kill it; return the last batch it said was stored."""
    command = [sys.executable, "-c", SCRIPT, dsn, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(batches):
            assert process.stdout.readline(), "it ended by itself"
        time.sleep(pause_s)
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().split()
    return int(said[-1]) if said else first + batches - 1


async def rows(dsn: str, relation: str) -> Counter[str]:
    return Counter(dict(await fetch(dsn, f"SELECT symbol, count(*) FROM jrr.{relation} GROUP BY symbol")))


def test_every_batch_is_whole_or_absent_and_what_was_acknowledged_is_there(dsn: str) -> None:
    last = -1
    for attempt in range(4):
        # The last acknowledged batch comes again, as after a restart that fills in what it missed.
        last = killed_after(dsn, max(last, 0), batches=5, pause_s=0.01 + attempt * 0.007)
        trades, deltas = asyncio.run(rows(dsn, "trades")), asyncio.run(rows(dsn, "book_deltas"))
        assert set(trades.values()) == {50}
        assert set(deltas.values()) == {20}
        assert trades.keys() == deltas.keys()
        assert {f"S{number}" for number in range(last + 1)} <= trades.keys()
        # What was in the air when it was killed may have arrived, and no more than that.
        assert len(trades) <= last + 2


def test_a_killed_collector_leaves_no_session_that_holds_up_the_next(dsn: str) -> None:
    killed_after(dsn, 0, batches=2, pause_s=0.01)
    began = time.monotonic()
    killed_after(dsn, 1, batches=2, pause_s=0.0)
    assert time.monotonic() - began < 5
