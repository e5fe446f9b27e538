"""Options that several commands share, and the settings they add up to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config import Config, load_config, structure
from ..plugins import Plugins
from ..sink import Sink
from .tell import tell

F = TypeVar("F", bound=Callable[..., Any])


def config_options(command: F) -> F:
    """Add -c/--config, --plugins and --set; they arrive as `config_file`, `plugins` and `overrides`."""
    for option in (
        click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
                     help="One setting, for example sinks.NAME.path=market.db; may be repeated."),
        click.option("--plugins", metavar="NAMES", help="Plugins to load, separated by commas; default: all."),
        click.option("-c", "--config", "config_file", metavar="FILE", type=click.Path(path_type=Path),
                     help="Settings; default: jrr.toml in this folder, if there is one."),
    ):  # fmt: skip
        command = option(command)
    return command


subscribe_option = click.option(
    "--subscribe", multiple=True, metavar="SPEC",
    help="What to collect, exchange:channel:symbol or exchange:<native stream>, instead of what the settings say; "
         "may be repeated.",
)  # fmt: skip


instance_option = click.option(
    "--instance", metavar="NAME", help="Name of this collector among several in one folder; default: run.instance."
)


def scope_options(command: F) -> F:
    """Add --exchange, --symbol, --from and --to; they arrive as `exchange`, `symbol`, `since` and `until`."""
    for option in (
        click.option("--to", "until", metavar="TIME", help="What is before this time."),
        click.option("--from", "since", metavar="TIME", help="What is at this time and later."),
        click.option("--symbol", metavar="SYMBOL", help="Only this symbol, the exchange's own or canonical."),
        click.option("--exchange", metavar="NAME", help="Only this exchange."),
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


def settings(
    config_file: Path | None,
    plugins: str | None,
    overrides: Sequence[str],
    subscribe: Sequence[str] = (),
    instance: str | None = None,
) -> Config:
    """Return the settings of this command line; raises ConfigError."""
    if instance is not None:
        overrides = (*overrides, f"run.instance={instance}")
    return load_config(config_file, overrides, plugins=names_of(plugins), subscribe=subscribe)


def names_of(plugins: str | None) -> list[str] | None:
    """Return the names that --plugins gives, None for all plugins."""
    return None if plugins is None else [name.strip() for name in plugins.split(",") if name.strip()]


def load_plugins(config: Config) -> Plugins:
    """Return the plugins the settings name; those left out of "all" because they are broken are warned of."""
    loaded = Plugins.load(config.plugins)
    for error in loaded.broken:
        tell(f"warning: {error}", err=True)
    return loaded


def sink_settings(config: Config, sink: type[Sink]) -> Any:
    """Return the settings a sink class has on this command line; raises ConfigError for what does not fit."""
    return structure(sink.Settings, config.sinks.get(sink.name, {}), f"sinks.{sink.name}")
