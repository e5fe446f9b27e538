"""jrr plugin for OKX: hook implementations only."""

from collections.abc import Iterable

from jrr_core.connector import Connector
from jrr_core.hookspecs import hookimpl

from .connector import OkxConnector

jrr_api = "1.0"


@hookimpl
def jrr_connectors() -> Iterable[type[Connector]]:
    """Return the connector of OKX."""
    return [OkxConnector]
