"""How fast a million trades of one symbol become a file, and in how much memory.

    .venv/bin/python benchmarks/bench_export.py [--rows 1000000] [--runs 3]

Each run is a process of its own; formats alternate; medians are printed.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.events import Connected, Disconnected, Trade

FORMATS = ("csv", "tardis-csv", "parquet")
_RUN = """
import resource, sys
from jrr_core.cli import main
try:
    main(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
_T0 = 1_700_000_000 * 10**9


async def fill(path: Path, rows: int) -> None:
    """Store so many trades."""
    sink = SqliteSink(StorageConfig(path=str(path)))
    await sink.open()
    await sink.write([Connected("x", "BTCUSDT", None, _T0, "trade", "s", ts_from=_T0)])
    for at in range(0, rows, 10_000):
        await sink.write([
            Trade("x", "BTCUSDT", _T0 + n * 10**6, _T0 + n * 10**6 + 500, Decimal(f"{60_000 + n % 997}.{n % 100:02}"),
                  Decimal("0.00100000"), "buy" if n % 2 else "sell", str(n))
            for n in range(at, min(at + 10_000, rows))
        ])  # fmt: skip
    until = _T0 + rows * 10**6
    await sink.write([Disconnected("x", "BTCUSDT", None, until, "trade", "s", "stopped", ts_to=until)])
    await sink.close()


def one_run(folder: Path, form: str, rows: int) -> tuple[float, float]:
    """Export once; return rows a second, and MB resident at most."""
    command = [sys.executable, "-c", _RUN, "export", "trades", "x:BTCUSDT", "--plugins", "sqlite", "--format", form,
               "-o", f"out.{form}", "--overwrite"]  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return rows / (time.monotonic() - began), int(done.stderr.split()[-1]) / 1024


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder / "market.db", given.rows))
        found: dict[str, list[tuple[float, float]]] = {form: [] for form in FORMATS}
        for _ in range(given.runs):
            for form in FORMATS:
                found[form].append(one_run(folder, form, given.rows))
    for form, runs in found.items():
        per_s, mb = (statistics.median(values) for values in zip(*runs, strict=True))
        print(json.dumps({"format": form, "runs": given.runs, "rows_per_s": round(per_s), "rss_mb": round(mb, 1)}))


if __name__ == "__main__":
    main()
