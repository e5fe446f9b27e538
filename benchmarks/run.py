"""Runs the benchmark and writes what it gave as JSON and as a table.

    .venv/bin/python -m benchmarks.run [--parts a,b,c,d,e,f,g] [--runs 5] [--seconds 1.0] [--out FILE.json] [--quick]

Each part is saved when it ends, so that an interrupted run keeps what it has. Parts
that are not run again are kept as the file has them. The table is written beside it.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from .suite.growth import growth
from .suite.latency import latencies
from .suite.machine import about
from .suite.memory import memory
from .suite.parts import SATURATIONS, Setting, saturated
from .suite.report import PARTS, report
from .suite.results import Results
from .suite.rival import rival_or_reason

_OUT = Path(__file__).with_name("results") / "bench.json"


async def measured(part: str, setting: Setting, results: Results) -> None:
    """Run one part."""
    if part in SATURATIONS:
        await saturated(part, setting, results)
    else:
        await {"e": latencies, "f": memory, "g": growth}[part](setting, results)


def main() -> None:
    """Measure, save and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--parts", default=",".join(PARTS))
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=float, default=1.0, help="how long one run is measured, about")
    options.add_argument("--out", type=Path, default=_OUT)
    options.add_argument("--quick", action="store_true", help="Binance alone, one short run of each")
    options.add_argument("--report", action="store_true", help="measure nothing, make the table again")
    given = options.parse_args()
    python, said = (None, "") if given.report else rival_or_reason()
    runs, seconds = (1, 0.3) if given.quick else (given.runs, given.seconds)
    setting = Setting(runs, seconds, python, given.quick)
    results = Results.load(given.out) if given.out.exists() else Results(about(said))
    table = given.out.with_suffix(".md")
    if not given.report:
        results.about = about(said)
        for part in given.parts.split(","):
            began = time.monotonic()
            results.drop(part)
            asyncio.run(measured(part, setting, results))
            results.save(given.out)
            table.write_text(report(results), "utf-8")
            print(f"{PARTS[part]}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    text = report(results)
    table.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
