"""The list of instruments: one row per symbol in the journal, the latest state of it, and one small file."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from attrs import astuple, fields

from jrr_core.instrument import Instrument

from .relations import kind_of

_FIELDS = {field.name: kind_of(field.type) for field in fields(Instrument)}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def put(db: sqlite3.Connection, items: Sequence[Instrument]) -> int:
    """Store the instruments that are new or changed and return how many those are.

    Raises ValueError, TypeError or AttributeError where a value fits no column.
    """
    before = db.total_changes
    db.executemany(
        "INSERT INTO instruments VALUES (?, ?, ?) ON CONFLICT (exchange, symbol) DO UPDATE "
        "SET fields = excluded.fields WHERE fields != excluded.fields",
        [(item.exchange, item.symbol, _encode(_row(item))) for item in items],
    )
    return db.total_changes - before


def read(db: sqlite3.Connection) -> Iterator[Instrument]:
    """Yield the instruments by exchange and symbol."""
    for row in _rows(db):
        kept = zip(_FIELDS.values(), row, strict=True)
        values: list[Any] = [None if value is None else kind.get(value) for kind, value in kept]
        yield Instrument(*values)


def table(db: sqlite3.Connection) -> Mapping[str, tuple[str, Sequence[Any]]]:
    """Return the list as {column: (Arrow type, values)}."""
    rows = [*_rows(db)]
    return {name: (kind.arrow, [row[at] for row in rows]) for at, (name, kind) in enumerate(_FIELDS.items())}


def _row(item: Instrument) -> list[Any]:
    pairs = zip(_FIELDS.values(), astuple(item), strict=True)
    return [None if value is None else kind.put(value) for kind, value in pairs]


def _rows(db: sqlite3.Connection) -> Iterator[Sequence[Any]]:
    for (row,) in db.execute("SELECT fields FROM instruments ORDER BY exchange, symbol"):
        yield _decode(row)
