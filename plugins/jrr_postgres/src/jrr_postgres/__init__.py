"""PostgreSQL store for jrr: batches by COPY, each event once, partitions by day, readable in SQL."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from jrr_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from jrr_core.sink import Sink

    from .settings import StorageConfig
    from .sink import PostgresSink

__all__ = ["PostgresSink", "StorageConfig", "jrr_api", "jrr_commands", "jrr_sinks"]

jrr_api = "1.0"


@hookimpl
def jrr_sinks() -> "Iterable[type[Sink]]":
    """Offer the sink named `postgres`."""
    from .sink import PostgresSink

    return (PostgresSink,)


@hookimpl
def jrr_commands(cli: click.Group) -> None:
    """Add `jrr postgres`."""
    from jrr_core.cli.later import Later

    cli.add_command(Later("postgres", "Set up and look after a PostgreSQL store.", "jrr_postgres.commands:postgres"))


def __getattr__(name: str) -> Any:
    """Import the store when it is used: a list of commands needs none of it."""
    if name == "PostgresSink":
        from .sink import PostgresSink

        return PostgresSink
    if name == "StorageConfig":
        from .settings import StorageConfig

        return StorageConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
