"""`jrr instruments`: what an exchange lists."""

import asyncio
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import click
from attrs import asdict

from ..config import Config, structure
from ..connector import Connector
from ..errors import ConfigError
from ..exact import plain
from ..fetch import Fetch
from ..instrument import Instrument
from ..interview import list_instruments
from ..pace import Budget
from ..printable import printable
from ..route import Network
from ..wire import encode
from .options import config_options, json_option, load_plugins, settings
from .tell import CELL, tell


@click.command()
@click.argument("exchange")
@click.argument("pattern", default="*")
@click.option("--active", is_flag=True, help="Only those that trade now.")
@json_option
@config_options
def instruments(
    exchange: str,
    pattern: str,
    active: bool,
    as_json: bool,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
) -> None:
    """List the instruments of EXCHANGE whose native or canonical symbol matches PATTERN.

    PATTERN may hold `*` and `?`: 'BTC*', '*-PERP'.
    """
    config = settings(config_file, plugins, overrides)
    connector = _connector(config, exchange)
    listed = [
        item for item in asyncio.run(_fetch(connector, Network(config.network))) if _wanted(item, pattern, active)
    ]
    if not listed and not as_json:
        tell(f"no {'active ' if active else ''}instrument of {exchange} matches {pattern!r}", err=True)
        sys.exit(1)
    listed.sort(key=lambda item: item.symbol)
    tell(*([encode([asdict(item) for item in listed])] if as_json else _table(listed)))


def _connector(config: Config, exchange: str) -> Connector:
    cls = load_plugins(config).connector(exchange)
    connector = cls(structure(cls.Settings, config.exchanges.get(exchange, {}), f"exchanges.{exchange}"))
    if not connector.instrument_requests():
        raise ConfigError(f"{exchange} has no list of instruments; take symbols as its own pages write them")
    return connector


async def _fetch(connector: Connector, network: Network) -> list[Instrument]:
    budgets = {pool: Budget(rate) for pool, rate in connector.limits.http.items()}
    fetch = Fetch(connector.exchange, budgets, network=network)
    return await list_instruments(connector, fetch)


def _wanted(item: Instrument, pattern: str, active: bool) -> bool:
    names = (item.symbol, item.canonical)
    return (item.active or not active) and any(
        fnmatchcase(name.upper(), pattern.upper()) for name in names
    )  # fmt: skip


def _table(listed: Iterable[Instrument]) -> list[str]:
    rows: list[tuple[str, ...]] = [("symbol", "canonical", "kind", "tick", "lot", "contract", "status")]
    for item in listed:
        contract = f"{plain(item.contract_size)} {item.contract_currency or ''}" if item.contract_size else "-"
        tick = plain(item.tick_size) if item.tick_size is not None else "-"
        lot = plain(item.lot_size) if item.lot_size is not None else "-"
        cells = (item.symbol, item.canonical, item.kind, tick, lot, contract.strip(), item.status)
        rows.append(tuple([printable(cell, CELL) for cell in cells]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
