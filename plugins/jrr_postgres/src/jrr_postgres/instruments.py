"""Instruments in the database, with the history of what their prices and amounts mean.

A row of `instrument_versions` holds from `valid_from` to `valid_to` (NULL:
now). A changed tick, lot or contract size, or any other of the terms, opens a
new one; `status` and `active` say how things are now and are changed in place.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from attrs import fields

from jrr_core.instrument import Instrument

COLUMNS = tuple([field.name for field in fields(Instrument)])
_STATE = ("status", "active")
_TERMS = tuple([name for name in COLUMNS if name not in ("exchange", "symbol", *_STATE)])
_NUMBERS = ("tick_size", "lot_size", "contract_size")
_TYPES = {"expiry": "bigint", "active": "boolean"}


async def write(connection: Any, schema: str, items: Sequence[Instrument]) -> int:
    """Store the items inside the caller's transaction and return how many were new or changed.

    Of several items of one symbol the last counts.
    """
    rows = {(item.exchange, item.symbol): tuple([_value(item, name) for name in COLUMNS]) for item in items}
    columns = [*zip(*rows.values(), strict=True)]
    source = ", ".join([f"${number}::{_TYPES.get(name, 'text')}[]" for number, name in enumerate(COLUMNS, start=1)])
    shown = ", ".join([f"{name}::numeric" if name in _NUMBERS else name for name in COLUMNS])
    given = f"WITH given AS (SELECT {shown} FROM unnest({source}) AS given ({', '.join(COLUMNS)}))"
    same = "v.exchange = given.exchange AND v.symbol = given.symbol AND v.valid_to IS NULL"
    table = f"{schema}.instrument_versions"
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"{schema} instruments")
    # What is closed here is added again below, and counted there.
    await connection.execute(
        f"{given} UPDATE {table} v SET valid_to = clock_timestamp() FROM given "
        f"WHERE {same} AND ({_listed(_TERMS, 'v')}) IS DISTINCT FROM ({_listed(_TERMS, 'given')})",
        *columns,
    )
    changed = await connection.execute(
        f"{given} UPDATE {table} v SET status = given.status, active = given.active FROM given "
        f"WHERE {same} AND (v.status, v.active) IS DISTINCT FROM (given.status, given.active)",
        *columns,
    )
    added = await connection.execute(
        f"{given} INSERT INTO {table} ({', '.join(COLUMNS)}, valid_from) "
        f"SELECT {', '.join(COLUMNS)}, clock_timestamp() FROM given "
        f"WHERE NOT EXISTS (SELECT FROM {table} v WHERE {same})",
        *columns,
    )
    return _count(changed) + _count(added)


def _value(item: Instrument, name: str) -> Any:
    value = getattr(item, name)
    # Numbers go as text: the driver's own form of one beyond the server's range is that of 0.
    return Decimal.__str__(value) if name in _NUMBERS and value is not None else value


def _listed(names: Sequence[str], table: str) -> str:
    return ", ".join([f"{table}.{name}" for name in names])


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
