"""`jrr run`: collect until stopped."""

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..builder import ManagerBuilder
from ..config import Config, duration_s
from ..errors import ConfigError
from ..journal import say, set_up
from ..plugins import Plugins
from .live import LiveLine, Rate, run_line
from .options import config_options, load_plugins, settings, subscribe_option
from .summary import run_summary


@click.command()
@config_options
@subscribe_option
@click.option("--for", "duration", metavar="TIME", help="Stop after so long: 30s, 5m, 1h30m.")
@click.option("--no-progress", is_flag=True, help="No live line.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Form of log lines; default: log.format.")
def run(
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
    subscribe: tuple[str, ...],
    duration: str | None,
    no_progress: bool,
    log_format: str | None,
) -> None:
    """Collect live data until stopped: by Ctrl-C, SIGTERM or --for.

    A second Ctrl-C stops at once. Exit code: 0 everything received is stored,
    1 something was lost or failed, 2 a setting is wrong.
    """
    if log_format is not None:
        overrides = (*overrides, f"log.format={log_format}")
    config = settings(config_file, plugins, overrides, subscribe)
    for_s = None if duration is None else duration_s(duration)
    loaded = load_plugins(config)
    if not config.subscriptions:
        raise ConfigError(
            "nothing to collect: add --subscribe exchange:channel:symbol, or [[subscribe]] tables to jrr.toml"
        )
    for subscription in config.subscriptions:
        loaded.connector(subscription.exchange)
    live = LiveLine(sys.stderr) if not no_progress and sys.stderr is not None and sys.stderr.isatty() else None
    set_up(config.log.format, config.log.level, live)  # type: ignore[arg-type]  # all of TextIO a log handler needs
    sys.exit(asyncio.run(_collect(config, loaded, for_s, live)))


async def _collect(config: Config, plugins: Plugins, for_s: float | None, live: LiveLine | None) -> int:
    manager = await ManagerBuilder(plugins=plugins, config=config).build()
    await manager.subscribe(config.subscriptions)
    try:
        code = await manager.run(for_s=for_s, on_tick=None if live is None else _ticker(live))
    finally:
        if live is not None:
            live.clear()
    stats, failings = manager.get_stats(), manager.account.failings()
    if config.log.format == "json":
        say(logging.INFO, "account", "the run has ended", failings=failings, **stats)
    else:
        click.echo("\n".join(run_summary(stats, failings)))
    return code


def _ticker(live: LiveLine) -> Callable[[dict[str, Any]], None]:
    rate = Rate()
    return lambda stats: live.show(run_line(stats, rate))
