"""`jrr run`: collect until stopped."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..builder import ManagerBuilder
from ..config import Config, duration_s
from ..control.server import ControlServer
from ..control.settings import socket_path
from ..errors import ConfigError
from ..eventloop import loop_in_use, run_on
from ..journal import say, set_up
from ..manager import Manager
from ..plugins import Plugins
from ..remote import Remote
from ..route import transport_in_use
from ..systemd import Systemd
from .heap import give_back, settle
from .live import LiveLine, Rate, run_line
from .options import config_options, instance_option, load_plugins, settings, subscribe_option
from .summary import run_summary
from .tell import tell


@click.command()
@config_options
@subscribe_option
@instance_option
@click.option("--shard", metavar="I/N", help="Collect this part of the subscriptions, of so many; default: run.shard.")
@click.option("--for", "duration", metavar="TIME", help="Stop after so long: 30s, 5m, 1h30m.")
@click.option("--no-progress", is_flag=True, help="No live line.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Form of log lines; default: log.format.")
def run(
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
    subscribe: tuple[str, ...],
    instance: str | None,
    shard: str | None,
    duration: str | None,
    no_progress: bool,
    log_format: str | None,
) -> None:
    """Collect live data until stopped: by Ctrl-C, SIGTERM or --for.

    A second Ctrl-C stops at once. SIGHUP reads jrr.toml again, and `jrr ctl`
    changes what is collected. Exit code: 0 everything received is stored,
    1 something was lost or failed, 2 a setting is wrong.
    """
    give_back()
    hangup = asyncio.Event()
    with contextlib.suppress(ValueError):
        # By default it kills the process, and systemd may send it before there is anything to reload.
        signal.signal(signal.SIGHUP, lambda number, frame: hangup.set())
    if shard is not None:
        overrides = (*overrides, f"run.shard={shard}")
    if log_format is not None:
        overrides = (*overrides, f"log.format={log_format}")

    def read() -> Config:
        return settings(config_file, plugins, overrides, subscribe, instance)

    config = read()
    for_s = None if duration is None else duration_s(duration)
    loaded = load_plugins(config)
    if not config.subscriptions:
        raise ConfigError(
            "nothing to collect: add --subscribe exchange:channel:symbol, or [[subscribe]] tables to jrr.toml"
        )
    for subscription in config.subscriptions:
        loaded.connector(subscription.exchange)
    live = LiveLine(sys.stderr) if not no_progress and sys.stderr is not None and sys.stderr.isatty() else None
    set_up(config.log.format, config.log.level, live, config.run.instance)  # type: ignore[arg-type]  # all of TextIO a log handler needs

    def reread() -> Config:
        new = read()
        ManagerBuilder(plugins=loaded, config=new).check()
        return new

    loop, transport = loop_in_use(config.run.loop), transport_in_use(config.network.transport)
    say(logging.INFO, "starting", f"WebSockets by {transport}, event loop of {loop}", loop=loop, transport=transport)
    sys.exit(run_on(loop, _collect(config, loaded, for_s, live, reread, hangup)))


async def _collect(
    config: Config,
    plugins: Plugins,
    for_s: float | None,
    live: LiveLine | None,
    reread: Callable[[], Config],
    hangup: asyncio.Event,
) -> int:
    manager = await ManagerBuilder(plugins=plugins, config=config).set_metrics().build()
    _obey(manager, config, reread, hangup)
    await manager.subscribe(config.subscriptions)
    settle()
    try:
        code = await manager.run(for_s=for_s, on_tick=None if live is None else _ticker(live))
    finally:
        if live is not None:
            live.clear()
    stats, failings = manager.get_stats(), manager.account.failings()
    if config.log.format == "json":
        say(logging.INFO, "account", "the run has ended", failings=failings, **stats)
    else:
        tell(*run_summary(stats, failings))
    return code


def _obey(manager: Manager, config: Config, reread: Callable[[], Config], hangup: asyncio.Event) -> None:
    """Have the run take commands, and tell systemd how it goes."""
    systemd = Systemd()
    remote = Remote(manager, config, reread, systemd)
    with contextlib.suppress(ValueError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    manager.beside(lambda: remote.reload_each_time(hangup), "reload")
    manager.beside(lambda: systemd.run(lambda: _status(manager)), "systemd")
    if config.control.path:
        server = ControlServer(socket_path(config.control.path), remote.commands)
        manager.beside(server.run, "control")


def _status(manager: Manager) -> str:
    """Return the line that `systemctl status` shows."""
    stats = manager.get_stats()
    sinks = ", ".join(f"{name} {sink['state']} ({sink['written']:,} stored)" for name, sink in stats["sinks"].items())
    return f"{manager.carried():,} streams, {stats['gaps']:,} gaps; {sinks}"


def _ticker(live: LiveLine) -> Callable[[dict[str, Any]], None]:
    rate = Rate()
    return lambda stats: live.show(run_line(stats, rate))
