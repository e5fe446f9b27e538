"""`jrr plugins`: what is installed and what it offers, how each is loaded, and new ones."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from ..errors import PluginError
from ..loading import Plugin
from ..plugins import Plugins
from ..wire import encode
from .listing import ListsByDefault
from .options import json_option, names_of
from .scaffold import new
from .tell import tell


@click.group(cls=ListsByDefault)
def plugins() -> None:
    """List installed plugins and what they offer.

    Without a command: list, which also shows how each is loaded (--trace).
    """


plugins.add_command(new)


@plugins.command("list")
@json_option
@click.option(
    "--trace", is_flag=True, help="Show each step: versions checked, imports, hook calls and what they return."
)
@click.option("--plugins", "names", metavar="NAMES", help="Only these, separated by commas.")
def list_(as_json: bool, trace: bool, names: str | None) -> None:
    """List plugins, their versions and what each offers.

    Exit code 1 if one of them cannot be used.
    """
    steps: list[tuple[str, str]] = []
    loaded = _load(names_of(names), steps)
    if as_json:
        _write_json(loaded, steps if trace else None)
    else:
        _write(loaded, steps if trace else ())
    sys.exit(1 if loaded.broken else 0)


def _load(names: list[str] | None, steps: list[tuple[str, str]]) -> Plugins:
    """Load plugins and let each add its commands to a group nobody uses; `steps` gets what happens."""
    loaded = Plugins.load(names, lambda plugin, step: steps.append((plugin, step)), keep_broken=True)
    for plugin in loaded.all:
        try:
            plugin.add_commands(click.Group())
        except PluginError as error:
            loaded.broken.append(error)
    return loaded


def _offer(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "exchanges": [cls.exchange for cls in plugin.connectors],
        "parsers": [getattr(cls, "exchange", "") for cls in plugin.parsers],
        "sinks": [cls.name for cls in plugin.sinks],
        "subscribers": [cls.name for cls in plugin.subscribers],
    }


def _write_json(loaded: Plugins, steps: Sequence[tuple[str, str]] | None) -> None:
    found: dict[str, Any] = {
        "plugins": [_offer(plugin) for plugin in loaded.all],
        "broken": [str(error) for error in loaded.broken],
    }
    if steps is not None:
        found["trace"] = [{"plugin": plugin, "step": step} for plugin, step in steps]
    tell(encode(found))


def _write(loaded: Plugins, steps: Sequence[tuple[str, str]]) -> None:
    for name, step in steps:
        tell(f"{name}: {step}")
    if steps:
        tell("")
    for plugin in loaded.all:
        tell(f"{plugin.name}  ({plugin.distribution} {plugin.version})")
        offer = _offer(plugin)
        for kind in ("exchanges", "parsers", "sinks", "subscribers"):
            if offer[kind]:
                tell(f"  {kind}: {', '.join(offer[kind])}")
    for error in loaded.broken:
        tell(f"broken: {error}")
    if not loaded.all and not loaded.broken:
        tell("no plugins are installed; for example: pip install 'jrr-core[all]'")
