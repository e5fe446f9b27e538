"""One file at a time, from the store to the disk: whole or not at all, with what of its time is complete beside it."""

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from attrs import asdict, define, field

from ..errors import ConfigError
from ..events import Candle
from ..store import QueryStore, Range, Selection
from .books import LeftOut, changes, samples
from .columnar import WIDTHS, ParquetFile, TooNarrow
from .kind import BOOK, Kind, Row
from .tardis import LAYOUTS, sample_layout, sample_line
from .text import CsvFile, cell

Format = Literal["csv", "parquet", "tardis-csv"]
FORMATS: tuple[Format, ...] = ("csv", "parquet", "tardis-csv")
SUFFIXES: Mapping[Format, str] = {"csv": "csv", "parquet": "parquet", "tardis-csv": "csv"}
_FORM = 1
SLACK_NS = 60 * 10**9
"""Coverage is dated by receipt, events by the exchange: so far apart the two may be."""

Progress = Callable[[int], None]


@define(frozen=True)
class Asked:
    """What a file is to hold; `ts_from` to before `ts_to` are int ns UTC of the events' own time.

    `depth` and `every_ns` ask for a book's best levels at regular times in
    place of its changes. `called` is the exchange's name in the file.
    """

    kind: str
    format: Format
    exchange: str
    symbol: str
    ts_from: int
    ts_to: int
    interval: str | None = None
    depth: int | None = None
    every_ns: int | None = None
    called: str | None = None


@define
class Exported:
    """What became of one file: rows in it, those left out because a book was not known, and its time."""

    path: Path
    rows: int
    left_out: int
    complete: list[tuple[int, int]] = field(factory=list)
    gaps: list[dict[str, Any]] = field(factory=list)
    skipped: bool = False

    def uncollected(self, asked: "Asked") -> list[tuple[int, int]]:
        """Return the spans of the asked time that are neither complete nor a gap: nobody collected then."""
        known = _joined([*self.complete, *((gap["from"], gap["to"]) for gap in self.gaps)])
        found, reached = [], asked.ts_from
        for since, until in [*known, (asked.ts_to, asked.ts_to)]:
            if since - reached > SLACK_NS:
                found.append((reached, since))
            reached = max(reached, until)
        return found


def check_layout(kind: Kind, asked_format: Format, depth: int | None) -> None:
    """Raise ConfigError for a kind that a format has no layout for."""
    if asked_format == "tardis-csv" and kind.name not in LAYOUTS:
        raise ConfigError(
            f"tardis-csv has no layout for {kind.name}; it has {', '.join(LAYOUTS)}. Choose --format csv or parquet"
        )
    if depth is not None and kind is not BOOK:
        raise ConfigError(f"--depth is for books; {kind.name} have none")


async def export(
    store: QueryStore,
    kind: Kind,
    asked: Asked,
    path: Path,
    ranges: Sequence[Range],
    progress: Progress,
    overwrite: bool,
) -> Exported:
    """Write one file, unless an earlier run finished the same; `ranges` are the store's coverage.

    `progress` is told the time reached. Raises ConfigError for a file in the
    way that is another's.
    """
    done = _finished(path, asked, overwrite)
    if done is not None:
        return done
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in [each for each in path.parent.iterdir() if each.name.startswith(f".{path.name}.")]:
        # What a killed export left.
        stale.unlink(missing_ok=True)
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        rows, left_out = await _written(store, kind, asked, part, progress)
        _sync(part)
        complete, gaps = _covered(kind, asked, ranges)
        found = Exported(path, rows, left_out, complete, gaps)
        _write_beside(path, asked, found)
        part.replace(path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return found


def beside(path: Path) -> Path:
    """Return the file that says what of an exported file's time is complete."""
    return path.with_name(f"{path.name}.coverage.json")


async def _written(store: QueryStore, kind: Kind, asked: Asked, part: Path, progress: Progress) -> tuple[int, int]:
    """Write the rows, and return how many, and how many a book left out."""
    if asked.format != "parquet":
        return await _write_text(store, kind, asked, part, progress)
    for width in WIDTHS:
        left_out = LeftOut()
        out = ParquetFile(part, kind, width, {"jrr.exchange": asked.exchange, "jrr.symbol": asked.symbol})
        count = 0
        try:
            async for row in _rows(store, kind, asked, left_out):
                out.write(_called(row, asked))
                count += 1
                if not count % 1000:
                    progress(_time(row))
            out.close()
        except TooNarrow:
            continue
        return count, left_out.rows
    raise AssertionError("text holds every number")


async def _write_text(store: QueryStore, kind: Kind, asked: Asked, part: Path, progress: Progress) -> tuple[int, int]:
    left_out, count = LeftOut(), 0
    if asked.depth is not None:
        assert asked.every_ns is not None
        out = CsvFile(part, sample_layout(asked.depth))
        async for state in samples(store, _selection(asked), asked.every_ns, asked.depth, left_out):
            line = [*sample_line(state, asked.depth)]
            line[0] = asked.called or line[0]
            out.write(line)
            count += 1
            progress(state.ts)
    else:
        layout = LAYOUTS[kind.name] if asked.format == "tardis-csv" else None
        out = CsvFile(part, kind.columns if layout is None else layout.columns)
        async for found in _rows(store, kind, asked, left_out):
            row = _called(found, asked)
            for cells in [[cell(row[name]) for name in kind.columns]] if layout is None else layout.lines(row):
                out.write(cells)
            count += 1
            if not count % 1000:
                progress(_time(row))
    out.close()
    return count, left_out.rows


async def _rows(store: QueryStore, kind: Kind, asked: Asked, left_out: LeftOut) -> AsyncIterator[Row]:
    if kind is BOOK:
        async for row in changes(store, _selection(asked), left_out):
            yield row
        return
    async for event in store.read(kind.event, _selection(asked)):
        yield {name: getattr(event, name) for name in kind.columns}


def _selection(asked: Asked) -> Selection:
    return Selection(asked.exchange, asked.symbol, asked.ts_from, asked.ts_to, asked.interval)


def _called(row: Row, asked: Asked) -> Row:
    return row if asked.called is None else {**row, "exchange": asked.called}


def _time(row: Row) -> int:
    ts: int = row.get("open_time") or row["ts_event"] or row["ts_recv"]
    return ts


def _covered(kind: Kind, asked: Asked, ranges: Sequence[Range]) -> tuple[list[tuple[int, int]], list[dict[str, Any]]]:
    """Return which spans of the asked time are complete, and the gaps in it."""
    complete: list[tuple[int, int]] = []
    gaps: list[dict[str, Any]] = []
    interval = asked.interval if kind.event is Candle else None
    for item in ranges:
        if (item.exchange, item.symbol) != (asked.exchange, asked.symbol) or not kind.carried(item.channel, interval):
            continue
        since, until = max(item.ts_from, asked.ts_from), min(item.ts_to, asked.ts_to)
        if since >= until and not (item.state == "gap" and asked.ts_from <= item.ts_from < asked.ts_to):
            continue
        if item.state == "gap":
            gaps.append({"from": since, "to": max(since, until), "reason": item.reason, "missing": item.missing})
        else:
            complete.append((since, until))
    return _joined(complete), gaps


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return found


def _finished(path: Path, asked: Asked, overwrite: bool) -> Exported | None:
    """Return what an earlier run finished, None where the file has to be written.

    A file of the same that did not reach as far is written anew. Raises
    ConfigError for any other file in the way.
    """
    if overwrite or not path.exists():
        return None
    try:
        told = json.loads(beside(path).read_text("utf-8"))
        earlier = Asked(**told["asked"])
        if evolved(earlier, asked) and told["form"] == _FORM:
            if earlier.ts_to < asked.ts_to:
                return None
            gaps = told["gaps"]
            return Exported(path, told["rows"], told["left_out"], [(a, b) for a, b in told["complete"]], gaps, True)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ConfigError(f"{path} is there already and is not of this export; add --overwrite, or choose another --output")


def evolved(earlier: Asked, asked: Asked) -> bool:
    """Whether two ask for the same, but for how far."""
    one, other = asdict(earlier), asdict(asked)
    return {**one, "ts_to": 0} == {**other, "ts_to": 0}


def _write_beside(path: Path, asked: Asked, found: Exported) -> None:
    told = {
        "form": _FORM, "asked": asdict(asked), "rows": found.rows, "left_out": found.left_out,
        "complete": found.complete, "gaps": found.gaps,
    }  # fmt: skip
    part = beside(path).with_name(f".{path.name}.coverage.part-{os.getpid()}")
    part.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    _sync(part)
    part.replace(beside(path))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
