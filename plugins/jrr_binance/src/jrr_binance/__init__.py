"""jrr plugin: hook implementations only."""

from collections.abc import Iterable

from jrr_core.connector import Connector
from jrr_core.hookspecs import hookimpl

from .connector import CoinM, Spot, UsdM

jrr_api = "1.0"


@hookimpl
def jrr_connectors() -> Iterable[type[Connector]]:
    """Return the three exchanges of Binance."""
    return [Spot, UsdM, CoinM]
