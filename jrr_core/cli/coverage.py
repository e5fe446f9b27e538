"""`jrr coverage`: what a store holds of each stream, and where something is missing."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from attrs import asdict

from ..coverage import broken_off
from ..store import Range
from ..wire import encode
from .options import config_options, json_option, settings
from .stored import store_of

_WIDTH = 60
_MARKS = {"complete": "#", "backfilled": "+", "gap": "."}


@click.command()
@json_option
@config_options
def coverage(as_json: bool, config_file: Path | None, plugins: str | None, overrides: tuple[str, ...]) -> None:
    """Show for every stream of the store when it is complete and where something is missing.

    Exit code 1 while a gap stands, or a stream broke off and was not resumed.
    """
    ranges = asyncio.run(store_of(settings(config_file, plugins, overrides)).coverage())
    gaps = [item for item in ranges if item.state == "gap"]
    broken = broken_off(ranges)
    if as_json:
        click.echo(encode([asdict(item) for item in ranges]))
    elif not ranges:
        click.echo("the store has no coverage yet: nothing was collected into it")
    else:
        click.echo("\n".join([*timelines(ranges), *map(_gap_line, gaps), *map(_broken_line, broken)]))
    sys.exit(1 if gaps or broken else 0)


def timelines(ranges: Sequence[Range], width: int = _WIDTH) -> list[str]:
    """Return one line per stream over the time of all: `#` complete, `+` backfilled, `.` missing, blank unknown."""
    begin, end = min(item.ts_from for item in ranges), max(item.ts_to for item in ranges)
    streams: dict[str, list[Range]] = {}
    for item in ranges:
        streams.setdefault(f"{item.exchange}:{item.channel}:{item.symbol}", []).append(item)
    names = max(map(len, streams))
    lines = [f"{_when(begin)} .. {_when(end)} UTC   # complete   + backfilled   . missing"]
    lines += [f"{name.ljust(names)}  |{_bar(items, begin, end, width)}|" for name, items in streams.items()]
    return lines


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
