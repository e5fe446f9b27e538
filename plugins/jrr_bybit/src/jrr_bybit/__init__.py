"""jrr plugin for Bybit: hook implementations only."""

from collections.abc import Iterable

from jrr_core.connector import Connector
from jrr_core.hookspecs import hookimpl

from .connector import Inverse, Linear, Spot

jrr_api = "1.0"


@hookimpl
def jrr_connectors() -> Iterable[type[Connector]]:
    """Return one connector for each symbol namespace of Bybit's."""
    return [Spot, Linear, Inverse]
