"""`jrr export`: what a store holds, as files."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
from attrs import define, evolve

from ..config import duration_s
from ..errors import ConfigError
from ..export.export import FORMATS, SLACK_NS, SUFFIXES, Asked, Exported, Format, check_layout
from ..export.export import export as export_file
from ..export.kind import KINDS, Kind
from ..export.place import DAY_NS, file_of
from ..store import QueryStore, Range
from .moment import moments, shown
from .options import config_options, settings
from .stored import check_exchange, find, query_store_of, streams
from .tell import tell

_MOST_GAPS = 10


@define(frozen=True)
class _Wanted:
    """What the command line asks for of each symbol."""

    kind: Kind
    format: Format
    since: int | None
    until: int | None
    interval: str | None
    depth: int | None
    every_ns: int | None
    called: str | None


@click.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("targets", metavar="EXCHANGE:SYMBOL...", nargs=-1, required=True)
@click.option("--from", "since", metavar="TIME", help="Events at this time and later; default: the first.")
@click.option("--to", "until", metavar="TIME", help="Events before this time; default: now.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True, help="Form of the files."
)
@click.option("-o", "--output", metavar="PATH", type=click.Path(path_type=Path),
              help="A file, for one symbol; else a folder, default: export.")  # fmt: skip
@click.option("--interval", help="Of candles: 1m, 1h, 1d ...")
@click.option("--depth", type=click.IntRange(1, 1000), metavar="N",
              help="Of a book: its best N levels a side at regular times, in place of its changes.")  # fmt: skip
@click.option("--every", metavar="TIME", default="1s", show_default=True, help="With --depth: how regularly.")
@click.option("--exchange-name", metavar="NAME", help="What to call the exchange in the files.")
@click.option("--require-complete", is_flag=True, help="Exit code 1 where something is missing.")
@click.option("--overwrite", is_flag=True, help="Write files that are there already anew.")
@config_options
def export(
    kind: str,
    targets: tuple[str, ...],
    since: str | None,
    until: str | None,
    form: Format,
    output: Path | None,
    interval: str | None,
    depth: int | None,
    every: str,
    exchange_name: str | None,
    require_complete: bool,
    overwrite: bool,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Write what is stored of symbols to files: CSV, Parquet, or CSV as tardis.dev has it.

    EXCHANGE:SYMBOL is one symbol, native or canonical; EXCHANGE:PATTERN those
    that fit (EXCHANGE:*USDT), EXCHANGE all of it. Beside each file stands what
    of its time is complete. What is finished is not written again: run the
    same command to go on. TIME is as for `jrr query`.
    """
    chosen = KINDS[kind]
    check_layout(chosen, form, depth)
    if chosen.name == "candles" and interval is None:
        raise ConfigError("candles need --interval, for example --interval 1m")
    if depth is not None and form == "parquet":
        raise ConfigError("--depth writes CSV (book_snapshot_<N>); choose --format csv or tardis-csv")
    begin, end = moments(since, until, time.time_ns())
    wanted = _Wanted(chosen, form, begin, end, interval, depth, round(duration_s(every) * 1e9) if depth else None,
                     exchange_name)  # fmt: skip
    store = query_store_of(settings(config_file, plugins, overrides))
    done = asyncio.run(_export(store, targets, wanted, output, overwrite))
    incomplete = _tell([found for _, found in done])
    for asked, found in done:
        for begun, ended in found.uncollected(asked):
            tell(f"{found.path.name}: nothing was collected {shown(begun)} to {shown(ended)}")
            incomplete = True
    sys.exit(1 if incomplete and require_complete else 0)


async def _export(
    store: QueryStore, targets: Sequence[str], wanted: _Wanted, output: Path | None, overwrite: bool
) -> list[tuple[Asked, Exported]]:
    ranges = await store.coverage()
    symbols = [symbol for target in targets for symbol in await _symbols(store, target, wanted)]
    files = list(_files(list(dict.fromkeys(symbols)), wanted, output, ranges))
    if not files:
        raise ConfigError(
            f"nothing is stored of {', '.join(targets)} in {wanted.kind.name}; `jrr query last` tells what is"
        )
    done = []
    total = sum(asked.ts_to - asked.ts_from for asked, _ in files)
    # The bar counts seconds of the store's time: how many rows there are, nobody knows before they are read.
    with click.progressbar(length=max(total // 10**9, 1), file=sys.stderr, label=wanted.kind.name,
                           hidden=not sys.stderr.isatty()) as bar:  # fmt: skip
        for asked, path in files:
            reached = asked.ts_from

            def progress(ts: int, asked: Asked = asked) -> None:
                nonlocal reached
                step = min(ts, asked.ts_to) // 10**9 - reached // 10**9
                if step > 0:
                    reached += step * 10**9
                    bar.update(step)

            done.append((asked, await export_file(store, wanted.kind, asked, path, ranges, progress, overwrite)))
            progress(asked.ts_to)
    return done


async def _symbols(store: QueryStore, target: str, wanted: _Wanted) -> list[tuple[str, str]]:
    """Return (exchange, native symbol) of what a target means; raises ConfigError where it means nothing stored."""
    known = await streams(store)
    exchange, colon, pattern = target.partition(":")
    if colon and not any(char in pattern for char in "*?["):
        return [await find(store, target)]
    check_exchange(exchange, known)
    found = sorted({
        symbol for where, channel, symbol in known
        if where == exchange and wanted.kind.carried(channel, wanted.interval) and fnmatchcase(symbol, pattern or "*")
    })  # fmt: skip
    if not found:
        raise ConfigError(
            f"no symbol of {target} is stored in {wanted.kind.name}; `jrr query last {exchange}` lists them"
        )
    return [(exchange, symbol) for symbol in found]


def _files(
    symbols: Sequence[tuple[str, str]], wanted: _Wanted, output: Path | None, ranges: Sequence[Range]
) -> Iterator[tuple[Asked, Path]]:
    """Yield what to write where: one file for one symbol, or one for each symbol and day."""
    suffix = SUFFIXES[wanted.format]
    single = output is not None and len(symbols) == 1 and output.suffix != "" and not output.is_dir()
    now = time.time_ns()
    for exchange, symbol in symbols:
        own = [r for r in ranges if (r.exchange, r.symbol) == (exchange, symbol)
               and wanted.kind.carried(r.channel, wanted.interval)]  # fmt: skip
        if not own and wanted.since is None:
            continue
        # Coverage is dated by receipt, events by the exchange: a little before, and a little behind.
        begin = min(r.ts_from for r in own) - SLACK_NS if wanted.since is None else wanted.since
        end = min(now, max([r.ts_to for r in own], default=now) + SLACK_NS) if wanted.until is None else wanted.until
        asked = Asked(wanted.kind.name, wanted.format, exchange, symbol, begin, end, wanted.interval, wanted.depth,
                      wanted.every_ns, wanted.called)  # fmt: skip
        if single:
            assert output is not None
            yield asked, output
            continue
        name = wanted.kind.name if wanted.depth is None else f"book_snapshot_{wanted.depth}"
        name = f"{name}_{wanted.interval}" if wanted.kind.name == "candles" else name
        for day in range(begin // DAY_NS, -(-end // DAY_NS)):
            part = evolve(asked, ts_from=max(begin, day * DAY_NS), ts_to=min(end, (day + 1) * DAY_NS))
            yield part, file_of(output or Path("export"), name, exchange, symbol, day, suffix)


def _tell(done: Sequence[Exported]) -> bool:
    """Print what was written and what of it is missing; return whether anything is."""
    fresh = [each for each in done if not each.skipped]
    rows, left_out = sum(each.rows for each in done), sum(each.left_out for each in done)
    kept = f", {len(done) - len(fresh)} of them finished before" if len(fresh) < len(done) else ""
    tell(f"{rows:,} rows in {len(done):,} files{kept}: {done[0].path if len(done) == 1 else _folder(done)}")
    gaps = [(each, gap) for each in done for gap in each.gaps]
    for each, gap in gaps[:_MOST_GAPS]:
        missing = "unknown many" if gap["missing"] is None else f"{gap['missing']:,}"
        tell(f"gap {each.path.name} {shown(gap['from'])} to {shown(gap['to'])}: {missing} missing ({gap['reason']})")
    if len(gaps) > _MOST_GAPS:
        tell(f"and {len(gaps) - _MOST_GAPS:,} more gaps; the .coverage.json beside each file has them all")
    if left_out:
        tell(f"{left_out:,} rows of books left out: an update before them is missing")
    if not gaps and not left_out:
        tell("no gap stands in what was exported")
    return bool(gaps or left_out)


def _folder(done: Sequence[Exported]) -> Path:
    return Path(os.path.commonpath([str(each.path.parent) for each in done]))
