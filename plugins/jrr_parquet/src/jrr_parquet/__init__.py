"""Parquet files as a store for jrr: a folder any DataFrame library reads, also while it grows.

Importing this package must never import pyarrow, which takes longer than the rest of jrr.
"""

from collections.abc import Iterable

from jrr_core.hookspecs import hookimpl
from jrr_core.sink import Sink

from .settings import StorageConfig
from .sink import ParquetSink

__all__ = ["ParquetSink", "StorageConfig", "jrr_sinks"]

jrr_api = "1.0"


@hookimpl
def jrr_sinks() -> Iterable[type[Sink]]:
    """Offer the sink named `parquet`."""
    return (ParquetSink,)
