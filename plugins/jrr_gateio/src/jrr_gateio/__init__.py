"""jrr plugin for Gate: hook implementations only."""

from collections.abc import Iterable

from jrr_core.connector import Connector
from jrr_core.hookspecs import hookimpl

from .connector import Futures, Spot

jrr_api = "1.0"


@hookimpl
def jrr_connectors() -> Iterable[type[Connector]]:
    """Return one connector for each symbol namespace of Gate's: spot and futures share the names of symbols."""
    return [Spot, Futures]
