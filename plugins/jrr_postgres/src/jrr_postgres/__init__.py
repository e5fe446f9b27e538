"""PostgreSQL store for jrr: batches by COPY, each event once, partitions by day, readable in SQL."""

from collections.abc import Iterable

import click

from jrr_core.hookspecs import hookimpl
from jrr_core.sink import Sink

from .settings import StorageConfig
from .sink import PostgresSink

__all__ = ["PostgresSink", "StorageConfig", "jrr_api", "jrr_commands", "jrr_sinks"]

jrr_api = "1.0"


@hookimpl
def jrr_sinks() -> Iterable[type[Sink]]:
    """Offer the sink named `postgres`."""
    return (PostgresSink,)


@hookimpl
def jrr_commands(cli: click.Group) -> None:
    """Add `jrr postgres`."""
    from .commands import postgres

    cli.add_command(postgres)
