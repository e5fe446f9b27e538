"""Embedded store for jrr: one SQLite file, no server, readable while it is being written."""

from collections.abc import Iterable

from jrr_core.hookspecs import hookimpl
from jrr_core.sink import Sink

from .settings import StorageConfig
from .sink import SqliteSink

__all__ = ["SqliteSink", "StorageConfig", "jrr_api", "jrr_sinks"]

jrr_api = "1.0"


@hookimpl
def jrr_sinks() -> Iterable[type[Sink]]:
    """Offer the sink named `sqlite`."""
    return (SqliteSink,)
