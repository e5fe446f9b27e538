"""`jrr plugins`: what is installed and what it offers."""

import sys
from typing import Any

import click

from ..plugins import Plugin, Plugins
from ..wire import encode
from .options import json_option


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List installed plugins, their versions and what each offers.

    Exit code 1 if one of them cannot be used.
    """
    loaded = Plugins.load()
    if as_json:
        broken = [str(error) for error in loaded.broken]
        click.echo(encode({"plugins": [_offer(plugin) for plugin in loaded.all], "broken": broken}))
    else:
        _write(loaded)
    sys.exit(1 if loaded.broken else 0)


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


def _write(loaded: Plugins) -> None:
    for plugin in loaded.all:
        click.echo(f"{plugin.name}  ({plugin.distribution} {plugin.version})")
        offer = _offer(plugin)
        for kind in ("exchanges", "parsers", "sinks", "subscribers"):
            if offer[kind]:
                click.echo(f"  {kind}: {', '.join(offer[kind])}")
    for error in loaded.broken:
        click.echo(f"broken: {error}")
    if not loaded.all and not loaded.broken:
        click.echo("no plugins are installed; for example: pip install 'jrr-core[all]'")
