"""`jrr spool`: what waits on disk for a store, and storing it without collecting."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from attrs import asdict, evolve

from ..account import Account
from ..builder import ManagerBuilder
from ..bus import Bus
from ..config import Config
from ..drain import Drain, drain_from
from ..errors import ConfigError
from ..inventory import Inventory, folders, inventory
from ..journal import set_up
from ..packing import kinds_of
from ..plugins import Plugins
from ..quarantine import Quarantine
from ..wire import encode
from .listing import ListsByDefault
from .moment import shown
from .options import config_options, json_option, load_plugins, settings
from .summary import sink_line
from .tell import tell

_TICK_S = 0.2
_COLUMNS = ("sink", "files", "events", "bytes", "oldest", "newest", "damaged")


@click.group(cls=ListsByDefault)
def spool() -> None:
    """Show what waits on disk for a store, or store it.

    While a store is away or too slow, `jrr run` keeps events in the folder
    spool.path, and stores them when it can. Without a command: list.
    """


@spool.command("list")
@json_option
@config_options
def list_(as_json: bool, config_file: Path | None, plugins: str | None, overrides: tuple[str, ...]) -> None:
    """List per sink: files, events, bytes, when the first and the last event came, damaged places."""
    config = settings(config_file, plugins, overrides)
    kinds = kinds_of([kind for sink in _sinks(config) for kind in sink])
    found = [inventory(folder, kinds) for folder in folders(_path(config))]
    if as_json:
        tell(encode([asdict(each) for each in found]))
    elif not found:
        tell(f"nothing waits in the spool {_path(config)}")
    else:
        tell(*_table(found))


@spool.command()
@config_options
def drain(config_file: Path | None, plugins: str | None, overrides: tuple[str, ...]) -> None:
    """Store what the spool holds, without collecting, and print the account.

    Exit code 1 if something is left, because its store is away for longer
    than run.stop_timeout_s or is not among the settings, or was lost.
    """
    config = settings(config_file, plugins, overrides)
    loaded = load_plugins(config)
    set_up(config.log.format, config.log.level)
    sys.exit(asyncio.run(_drain_all(config, loaded)))


def _path(config: Config) -> Path:
    if not config.spool.path:
        raise ConfigError("spool.path is empty, so nothing is kept on disk; name the folder: --set spool.path=FOLDER")
    return Path(config.spool.path)


def _sinks(config: Config) -> Iterable[Sequence[type]]:
    """Yield what each sink of the settings accepts; a list is shown also where they do not fit."""
    with contextlib.suppress(ConfigError):
        builder = ManagerBuilder(plugins=load_plugins(config), config=evolve(config, exchanges={}))
        for sink in builder.sinks():
            yield sink.accepts


def _table(found: Sequence[Inventory]) -> list[str]:
    rows = [
        _COLUMNS,
        *[
            (each.sink, f"{each.segments:,}", f"{each.events:,}", f"{each.bytes:,}",
             _when(each.oldest_ns), _when(each.newest_ns), f"{each.damaged:,}")
            for each in found
        ],
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _when(ts_ns: int | None) -> str:
    return "" if ts_ns is None else shown(ts_ns)


async def _drain_all(config: Config, plugins: Plugins) -> int:
    """Drain every spool that has a sink; return the exit code."""
    waiting = {folder.name for folder in folders(_path(config))}
    if not waiting:
        tell(f"nothing waits in the spool {_path(config)}")
        return 0
    quarantine = Quarantine(Path(config.run.quarantine), config.run.quarantine_max_bytes)
    drains: list[Drain] = []
    try:
        for sink, spool in ManagerBuilder(plugins=plugins, config=evolve(config, exchanges={})).spooled_sinks():
            if spool is not None and spool.folder.name in waiting:
                waiting.remove(spool.folder.name)
                drains.append(drain_from(Bus(), sink, 1, quarantine.keep, spool))
                await _drain(drains[-1], config.run.stop_timeout_s)
    finally:
        quarantine.close()
    account = Account((), drains, ())
    failings = account.failings()
    failings += [f"{name}: left in the spool, for no sink of the settings has this name" for name in sorted(waiting)]
    # How long ago they were received says nothing here.
    sinks = {name: {**sink, "latency_p50_s": None} for name, sink in account.stats()["sinks"].items()}
    lines = [sink_line(name, sink) for name, sink in sinks.items()]
    lines += ["left or lost:", *[f"  {text}" for text in failings]] if failings else ["the spool is empty now"]
    tell(*lines)
    return 1 if failings else 0


async def _drain(drain: Drain, patience_s: float) -> None:
    """Store what the spool of a sink holds; return when it is empty, or its store is away for `patience_s`."""
    drain.buffer.close()
    try:
        await drain.try_open()
        running = asyncio.ensure_future(drain.run())
        there_s = time.monotonic()
        while not running.done() and time.monotonic() - there_s < patience_s:
            await asyncio.wait((running,), timeout=_TICK_S)
            if drain.state == "ok":
                there_s = time.monotonic()
        if running.done():
            running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    finally:
        await drain.close()
