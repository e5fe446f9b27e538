"""Commands that plugins add, by their hook `jrr_commands`.

Only plugins whose source mentions the hook are imported for it: most add no
commands, and a list of commands should not wait for all exchanges and stores.
One whose source cannot be looked at, or takes names from elsewhere unseen, is
imported too.
"""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

import click

from ..errors import PluginError
from ..hookspecs import PROJECT
from ..printable import printable
from .later import Later

_HOOK = "jrr_commands"
_UNSEEN = "import *"


def summaries() -> dict[str, str]:
    """Return what plugins add, as lines of the list of commands; the plugins are asked, and not checked."""
    found: dict[str, click.Command] = {}
    for entry in _adding():
        asked = click.Group()
        try:
            getattr(entry.load(), _HOOK)(asked)
        except Exception:
            # Importing and asking run the author's code; what is wrong with it, the full way says.
            asked = _checked([entry.name])
        found |= asked.commands
    return {name: each.get_short_help_str() for name, each in sorted(found.items()) if not each.hidden}


def command(name: str) -> click.Command | None:
    """Return the command of that name which a usable plugin adds; None where none does.

    A plugin that cannot add its own is passed over with a warning.
    """
    found = _checked([entry.name for entry in _adding()]).commands.get(name)
    return found.command() if isinstance(found, Later) else found


def _checked(names: list[str]) -> click.Group:
    from ..plugins import Plugins

    group = click.Group()
    for plugin in Plugins.load(names, keep_broken=True).all:
        try:
            plugin.add_commands(group)
        except PluginError as error:
            click.echo(printable(f"warning: {error}"), err=True)
    return group


def _adding() -> Iterator[EntryPoint]:
    """Yield the installed plugins that may add commands, by name."""
    for entry in sorted(entry_points(group=PROJECT), key=lambda entry: entry.name):
        if entry.attr or _mentions(entry.module):
            yield entry


def _mentions(module: str) -> bool:
    """Whether a module may define the hook, by its source; it is not imported (packages above it are)."""
    try:
        spec = find_spec(module)
        source = spec.loader.get_source(module)  # type: ignore[union-attr]  # what is not there is an AttributeError
    except Exception:
        return True
    return source is None or _HOOK in source or _UNSEEN in source
