"""The list of instruments in the file: one row per symbol, the latest state of it."""

import sqlite3
from decimal import Decimal
from typing import Any

from attrs import fields

from jrr_core.exact import plain
from jrr_core.instrument import Instrument

COLUMNS = tuple([field.name for field in fields(Instrument)])
_VALUES = [name for name in COLUMNS if name not in ("exchange", "symbol")]


def insert(rows: int) -> str:
    """Return the statement that stores `rows` instruments; one that is there unchanged is left alone."""
    values = ",".join(["(" + ",".join("?" * len(COLUMNS)) + ")"] * rows)
    changed = ", ".join([f"{name} = excluded.{name}" for name in _VALUES])
    old, new = ", ".join(_VALUES), ", ".join([f"excluded.{name}" for name in _VALUES])
    return (
        f"INSERT INTO instruments ({', '.join(COLUMNS)}) VALUES {values} "
        f"ON CONFLICT (exchange, symbol) DO UPDATE SET {changed} WHERE ({old}) IS NOT ({new})"
    )


def row(item: Instrument) -> tuple[Any, ...]:
    """Return an instrument's row."""
    values = [getattr(item, name) for name in COLUMNS]
    return tuple([plain(v) if isinstance(v, Decimal) else int(v) if v is True or v is False else v for v in values])


def read(connection: sqlite3.Connection) -> list[Instrument]:
    """Return every stored instrument."""
    sizes = {"tick_size", "lot_size", "contract_size"}
    found = []
    for values in connection.execute(f"SELECT {', '.join(COLUMNS)} FROM instruments ORDER BY exchange, symbol"):
        item = dict(zip(COLUMNS, values, strict=True))
        for name in sizes:
            item[name] = None if item[name] is None else Decimal(item[name])
        item["active"] = bool(item["active"])
        found.append(Instrument(**item))
    return found
