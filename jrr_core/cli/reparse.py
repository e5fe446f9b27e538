"""`jrr reparse`: stored rows made anew from a capture."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from ..capture import capture_files
from ..errors import ConfigError
from ..journal import set_up
from ..replay import Sources, Window
from ..replay.reparse import Reparsed
from ..replay.reparse import reparse as made_anew
from ..store import ReplacingStore, Store
from .moment import moments
from .options import config_options, load_plugins, settings
from .stored import store_of
from .tell import tell


@click.command()
@click.argument("captures", metavar="CAPTURE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--exchange", metavar="NAME", help="Only this exchange; also that of lines `<receive ns> <JSON>`.")
@click.option("--from", "since", metavar="TIME", help="Rows received at this time and later.")
@click.option("--to", "until", metavar="TIME", help="Rows received before this time.")
@config_options
def reparse(
    captures: tuple[Path, ...],
    exchange: str | None,
    since: str | None,
    until: str | None,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Replace stored rows by what CAPTURE means now: after a parser was mended.

    Only rows of streams and times that were captured are replaced, all of them
    or, if it is cut short, none. Doing it again changes nothing. No collector
    may write to an embedded store meanwhile. Exit code 1 if lines were damaged
    or frames not understood.
    """
    config = settings(config_file, plugins, overrides)
    set_up(config.log.format, config.log.level)
    window = Window(*moments(since, until, time.time_ns()))
    store = store_of(config)
    if not isinstance(store, ReplacingStore):
        name = getattr(store, "name", "this store")
        raise ConfigError(f"rows of {name} cannot be replaced; `jrr replay` fills another store from the capture")
    sources = Sources(load_plugins(config), config)
    done = asyncio.run(_reparse(store, capture_files(captures), sources, window, exchange))
    tell(
        f"{done.streams:,} streams: {done.removed:,} rows taken out, {done.written:,} put in their place, "
        f"{done.duplicate:,} were there from elsewhere"
    )
    if done.damaged or done.rejected:
        tell(f"{done.damaged:,} damaged lines or missing parts, {done.rejected:,} frames not understood")
    sys.exit(1 if done.damaged or done.rejected else 0)


async def _reparse(
    store: ReplacingStore, files: Sequence[Path], sources: Sources, window: Window, exchange: str | None
) -> Reparsed:
    sink: Store = store
    await sink.open()  # type: ignore[attr-defined]  # every store is a sink
    try:
        return await made_anew(store, files, sources, window, exchange)
    finally:
        await sink.close()  # type: ignore[attr-defined]
