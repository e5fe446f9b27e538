"""jrr plugin for Kraken: hook implementations only."""

from collections.abc import Iterable

from jrr_core.connector import Connector
from jrr_core.hookspecs import hookimpl

from .connector import KrakenConnector

jrr_api = "1.0"


@hookimpl
def jrr_connectors() -> Iterable[type[Connector]]:
    """Return the connector of Kraken's spot market."""
    return [KrakenConnector]
