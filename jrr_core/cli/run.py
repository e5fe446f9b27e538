"""`jrr run`: collect until stopped."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click

from ..builder import ManagerBuilder
from ..config import MOST_WORKERS, Config, duration_s
from ..control.server import ControlServer
from ..control.settings import socket_path
from ..errors import ConfigError
from ..eventloop import loop_in_use, run_on
from ..heap import give_back, settle
from ..journal import say, set_up
from ..manager import Manager
from ..plugins import Plugins
from ..remote import Remote, reload_each_time
from ..route import transport_in_use
from ..systemd import Systemd
from .account import tell_account
from .live import LiveLine, status_line, ticker
from .options import config_options, instance_option, load_plugins, settings, subscribe_option


@click.command()
@config_options
@subscribe_option
@instance_option
@click.option("--shard", metavar="I/N", help="Collect this part of the subscriptions, of so many; default: run.shard.")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, MOST_WORKERS),
    help="Share the work among so many processes, one collector to everybody; default: run.workers.",
)
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
    workers: int | None,
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
    if workers is not None:
        overrides = (*overrides, f"run.workers={workers}")
    if log_format is not None:
        overrides = (*overrides, f"log.format={log_format}")

    def read() -> Config:
        return settings(config_file, plugins, overrides, subscribe, instance)

    config = read()
    for_s = None if duration is None else duration_s(duration)
    if not config.subscriptions:
        raise ConfigError(
            "nothing to collect: add --subscribe exchange:channel:symbol, or [[subscribe]] tables to jrr.toml"
        )
    live = LiveLine(sys.stderr) if not no_progress and sys.stderr is not None and sys.stderr.isatty() else None
    set_up(config.log.format, config.log.level, live, config.run.instance)  # type: ignore[arg-type]  # all of TextIO a log handler needs
    loop, transport = loop_in_use(config.run.loop), transport_in_use(config.network.transport)
    if config.run.workers > 1:
        # One process has no use for what starts and sums several.
        from .workers import collect_in_workers

        _say_start(loop, transport)
        sys.exit(asyncio.run(collect_in_workers(config, loop, for_s, live, read, hangup)))
    loaded = load_plugins(config)
    for subscription in config.subscriptions:
        loaded.connector(subscription.exchange)

    def reread() -> Config:
        new = read()
        ManagerBuilder(plugins=loaded, config=new).check()
        return new

    _say_start(loop, transport)
    sys.exit(run_on(loop, _collect(config, loaded, for_s, live, reread, hangup)))


def _say_start(loop: str, transport: str) -> None:
    say(logging.INFO, "starting", f"WebSockets by {transport}, event loop of {loop}", loop=loop, transport=transport)


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
        code = await manager.run(for_s=for_s, on_tick=None if live is None else ticker(live))
    finally:
        if live is not None:
            live.clear()
    stats, failings = manager.get_stats(), manager.account.failings()
    tell_account(config.log.format, stats, failings)
    return code


def _obey(manager: Manager, config: Config, reread: Callable[[], Config], hangup: asyncio.Event) -> None:
    """Have the run take commands, and tell systemd how it goes."""
    systemd = Systemd()
    remote = Remote(manager, config, reread, systemd)
    with contextlib.suppress(ValueError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    manager.beside(lambda: reload_each_time(remote.reload, hangup), "reload")
    manager.beside(
        lambda: systemd.run(lambda: status_line(manager.get_stats(streams=False), manager.carried())), "systemd"
    )
    if config.control.path:
        server = ControlServer(socket_path(config.control.path), remote.commands)
        manager.beside(server.run, "control")
