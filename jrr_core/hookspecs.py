"""The five hooks of jrr. Each is called once at start-up and hands over classes; data never goes through a hook."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
import pluggy

if TYPE_CHECKING:
    from .connector import Connector
    from .parser import Parser
    from .sink import Sink
    from .subscriber import Subscriber

PROJECT = "jrr"
API_VERSION = "1.0"
"""The plugin API of this core; a plugin says `jrr_api = "1.0"` in its module. See docs/plugins/stability.md."""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def jrr_connectors() -> "Iterable[type[Connector]]":  # type: ignore[empty-body]  # a specification
    """Return the exchanges this plugin can connect to."""


@hookspec
def jrr_parsers() -> "Iterable[type[Parser]]":  # type: ignore[empty-body]  # a specification
    """Return parsers for exchanges without a connector, or to take the place of a connector's own.

    Each class has `exchange: ClassVar[str]` and is made with the sequence of
    subscriptions, or None for replay.
    """


@hookspec
def jrr_sinks() -> "Iterable[type[Sink]]":  # type: ignore[empty-body]  # a specification
    """Return the stores this plugin can write to."""


@hookspec
def jrr_subscribers() -> "Iterable[type[Subscriber]]":  # type: ignore[empty-body]  # a specification
    """Return the subscribers this plugin offers."""


@hookspec
def jrr_commands(cli: click.Group) -> None:
    """Add commands of your own to the `jrr` command line."""
