"""`jrr coverage`: what a store holds of each stream, and where something is missing."""

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from attrs import asdict, evolve

from ..coverage import broken_off
from ..printable import printable
from ..store import Range, Store
from ..wire import encode
from .moment import moments
from .options import config_options, json_option, scope_options, settings
from .stored import Stream, among, store_of
from .tell import CELL, tell

_WIDTH = 60
_MARKS = {"complete": "#", "backfilled": "+", "gap": "."}


@click.command()
@json_option
@scope_options
@config_options
def coverage(
    as_json: bool,
    exchange: str | None,
    symbol: str | None,
    since: str | None,
    until: str | None,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Show for every stream of the store when it is complete and where something is missing.

    Exit code 1 while a gap stands, or a stream broke off and was not resumed.
    """
    begin, end = moments(since, until, time.time_ns())
    ranges = asyncio.run(_chosen(store_of(settings(config_file, plugins, overrides)), exchange, symbol))
    broken = [item for item in broken_off(ranges) if _meets(item.ts_to, begin, end)]
    ranges = within(ranges, begin, end)
    gaps = [item for item in ranges if item.state == "gap"]
    if as_json:
        tell(encode([asdict(item) for item in ranges]))
    elif not ranges:
        where = "" if (exchange, symbol, begin, end) == (None,) * 4 else " of this choice"
        tell(f"the store has no coverage{where} yet: nothing was collected into it")
    else:
        tell(*timelines(ranges), *map(_gap_line, gaps), *map(_broken_line, broken))
    sys.exit(1 if gaps or broken else 0)


def within(ranges: Iterable[Range], begin: int | None, end: int | None) -> list[Range]:
    """Return the parts of ranges between two times (int ns); how much a part of a gap misses, nobody knows."""
    found = []
    for item in ranges:
        first, last = max(item.ts_from, begin or item.ts_from), min(item.ts_to, end or item.ts_to)
        if (first, last) == (item.ts_from, item.ts_to):
            found.append(item)
        elif first < last:
            missing = None if item.state == "gap" else item.missing
            found.append(evolve(item, ts_from=first, ts_to=last, missing=missing))
    return found


def timelines(ranges: Sequence[Range], width: int = _WIDTH) -> list[str]:
    """Return one line per stream over the time of all: `#` complete, `+` backfilled, `.` missing, blank unknown.

    Behind it stands how much of the stream's own time is complete or backfilled.
    """
    begin, end = min(item.ts_from for item in ranges), max(item.ts_to for item in ranges)
    streams: dict[Stream, list[Range]] = {}
    for item in ranges:
        streams.setdefault((item.exchange, item.channel, item.symbol), []).append(item)
    names = [printable(":".join(stream), CELL) for stream in streams]
    width_of_names = max(map(len, names))
    lines = [f"{_when(begin)} .. {_when(end)} UTC   # complete   + backfilled   . missing"]
    for name, items in zip(names, streams.values(), strict=True):
        lines.append(f"{name.ljust(width_of_names)}  |{_bar(items, begin, end, width)}| {share(items):>8}")
    return lines


def share(items: Iterable[Range]) -> str:
    """Return how much of one stream's time is complete or backfilled, in percent; never 100 % while a gap stands."""
    there = missing = 0
    gap = False
    for item in items:
        length = item.ts_to - item.ts_from
        if item.state == "gap":
            missing, gap = missing + length, True
        else:
            there += length
    if not gap:
        return "100 %"
    # Rounded down: what is not all there shall not look as if it were.
    hundredths = min(there * 10_000 // max(there + missing, 1), 9_999)
    return f"{hundredths // 100}.{hundredths % 100:02} %"


async def _chosen(store: Store, exchange: str | None, symbol: str | None) -> Sequence[Range]:
    """Return the ranges of the streams that the options choose."""
    ranges = await store.coverage()
    if exchange is None and symbol is None:
        return ranges
    known = {(item.exchange, item.channel, item.symbol) for item in ranges}
    chosen = await among(store, known, exchange, symbol)
    return [item for item in ranges if (item.exchange, item.channel, item.symbol) in chosen]


def _meets(ts: int, begin: int | None, end: int | None) -> bool:
    return (begin is None or ts >= begin) and (end is None or ts < end)


def _bar(items: Iterable[Range], begin: int, end: int, width: int) -> str:
    """Draw one stream; however short, a gap takes a column, for it is what the reader looks for."""
    cells, span = [" "] * width, max(end - begin, 1)
    for state in ("complete", "backfilled", "gap"):
        for item in items:
            if item.state == state:
                first = min((item.ts_from - begin) * width // span, width - 1)
                last = max(-(-(item.ts_to - begin) * width // span), first + 1)
                cells[first:last] = _MARKS[state] * (min(last, width) - first)
    return "".join(cells)


def _gap_line(gap: Range) -> str:
    missing = f"{gap.missing:,} events" if gap.missing is not None else "unknown many events"
    seconds = (gap.ts_to - gap.ts_from) / 1e9
    return (
        f"gap {gap.exchange}:{gap.channel}:{gap.symbol} from {_when(gap.ts_from)} for {seconds:.3f} s, "
        f"{missing}: {gap.reason or 'no reason known'}"
    )


def _broken_line(last: Range) -> str:
    return (
        f"ended {last.exchange}:{last.channel}:{last.symbol} at {_when(last.ts_to)}, not resumed since: {last.reason}"
    )


def _when(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
