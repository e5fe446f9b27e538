"""The rows of a selection, as the events they were: the one place that turns a Selection into SQL.

Blocking, on a connection that others open and close. A selection by exchange
or symbol goes by the numbers of its streams, which rows lie together by, so no
other stream's rows are read; times are compared row by row, for there is no
index on time.
"""

import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from attrs import fields

from jrr_core.events import Candle, StreamEvent
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels
from jrr_core.store import Selection

from . import instruments
from .tables import NOTES, TABLES, Table

_TABLES = {table.event: table for table in TABLES}
_NOTED = "ifnull(e.ts_event, e.ts_recv)"


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


_READ: Mapping[Any, Callable[[Any], Any]] = {
    Decimal: Decimal,
    Decimal | None: _optional(Decimal),
    Levels: lambda text: Levels.from_json(text.encode()),
    bool: bool,
    bool | None: _optional(bool),
    tuple[int, int] | None: _optional(lambda text: tuple(json.loads(text))),
}
"""How a column becomes a field, by the field's type; what is not here is kept as it is."""


def read(connection: sqlite3.Connection, kind: Any, chosen: Selection) -> Generator[Any, None, None]:
    """Yield the chosen events of one class, or the Instruments, in the order `Store.read` promises.

    The store's own order is stream by stream; snapshots and deltas of books
    in the order they were stored, others by their KEY.
    """
    if kind is Instrument:
        yield from islice((item for item in instruments.read(connection) if _fits(item, chosen)), chosen.limit)
        return
    if issubclass(kind, StreamEvent):
        yield from made(kind, _stream_events(connection, kind, chosen))
        return
    numbers = None
    if (chosen.exchange, chosen.symbol, chosen.interval) != (None, None, None):
        found = streams(connection, chosen.exchange, chosen.symbol)
        by_interval = kind is Candle and chosen.interval is not None
        numbers = [number for number, part in found.items() if not by_interval or part == chosen.interval]
    yield from made(kind, market_events(connection, _TABLES[kind], numbers, chosen))


def market_events(
    connection: sqlite3.Connection, table: Table, numbers: Sequence[int] | None, chosen: Selection
) -> Iterator[Sequence[Any]]:
    """Yield the rows of these streams (None: all)."""
    where = _between(table.time, chosen)
    if numbers is not None:
        where.append(f"t.stream IN ({_listed(numbers)})")
    order = [table.time, *[f"t.{name}" for name in table.key]] if _in_time(chosen) else []
    if numbers is not None and chosen.newest and chosen.limit:
        where += _not_older(connection, table, numbers, where, chosen.limit)
    columns = [table.shown[name] for name in names_of(table.event)]
    if table.clustered or not order:
        yield from connection.execute(_statement(columns, table.source, where, order, chosen))
        return
    # Rows of books are large: their ids are sorted, not they.
    for (number,) in connection.execute(_statement(["t.id"], table.source, where, order, chosen)):
        yield from connection.execute(f"SELECT {', '.join(columns)} FROM {table.source} WHERE t.id = ?", (number,))


def names_of(kind: Any) -> list[str]:
    """Return the columns that make an event of a class, in the order of its fields."""
    return ["exchange", "symbol", "ts_event", "ts_recv", *kind.fields()]


def made(kind: Any, rows: Iterator[Sequence[Any]]) -> Iterator[Any]:
    """Yield the events that rows of `names_of(kind)` stand for."""
    types = {field.name: field.type for field in fields(kind)}
    converts = [(at, _READ[types[name]]) for at, name in enumerate(names_of(kind)) if types[name] in _READ]
    for row in rows:
        values = [*row]
        for at, convert in converts:
            values[at] = convert(values[at])
        yield kind(*values)


def streams(connection: sqlite3.Connection, exchange: str | None, symbol: str | None) -> dict[int, str | None]:
    """Return the numbers of the streams of an exchange and symbol (None: any), with the part each is of."""
    found = connection.execute(
        "SELECT id, part FROM streams WHERE exchange = ifnull(?, exchange) AND symbol = ifnull(?, symbol)",
        (exchange, symbol),
    )
    return dict(found)


def _not_older(
    connection: sqlite3.Connection, table: Table, numbers: Sequence[int], where: Sequence[str], count: int
) -> list[str]:
    """Return a condition that the `count` newest rows meet and, in a stream numbered in order of time, few others.

    A stream's rows of the highest KEY are so many rows of no earlier time
    than the earliest of them.
    """
    order = ", ".join([f"t.{name} DESC" for name in table.key])
    bounds = []
    for number in numbers:
        chosen = " AND ".join([*where, f"t.stream = {number}"])
        last = f"SELECT {table.time} AS at FROM {table.name} t WHERE {chosen} ORDER BY {order} LIMIT {count}"
        found, oldest = connection.execute(f"SELECT count(*), min(at) FROM ({last})").fetchone()
        if found == count:
            bounds.append(oldest)
    return [f"{table.time} >= {max(bounds)}"] if bounds else []


def _stream_events(
    connection: sqlite3.Connection, kind: type[StreamEvent], chosen: Selection
) -> Iterator[Sequence[Any]]:
    where = [f"e.type = '{kind.type}'", *_between(_NOTED, chosen)]
    if (chosen.exchange, chosen.symbol) != (None, None):
        where.append(f"e.stream IN ({_listed(streams(connection, chosen.exchange, chosen.symbol))})")
    columns = [NOTES[name] for name in names_of(kind)]
    source = "stored_stream_events e CROSS JOIN streams s ON s.id = e.stream"
    order = [_NOTED, "s.part", "e.session", "e.ts_recv"]
    yield from connection.execute(_statement(columns, source, where, order, chosen))


def _between(time: str, chosen: Selection) -> list[str]:
    """Return the conditions that the times of a selection make."""
    where = [] if chosen.ts_from is None else [f"{time} >= {int(chosen.ts_from)}"]
    return where if chosen.ts_to is None else [*where, f"{time} < {int(chosen.ts_to)}"]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def _in_time(chosen: Selection) -> bool:
    """Whether the selection is read in order of time."""
    one = chosen.exchange is not None and chosen.symbol is not None
    return one or (chosen.newest and chosen.limit is not None)


def _statement(
    columns: Sequence[str], source: str, where: Sequence[str], order: Sequence[str], chosen: Selection
) -> str:
    """Return the SELECT; the newest rows are found backwards and then turned round."""
    rows = f"FROM {source}" + (f" WHERE {' AND '.join(where)}" if where else "")
    limit = "" if chosen.limit is None else f" LIMIT {int(chosen.limit)}"
    if not (chosen.newest and chosen.limit is not None):
        ordered = f" ORDER BY {', '.join(order)}" if order else ""
        return f"SELECT {', '.join(columns)} {rows}{ordered}{limit}"
    shown = [f"c{at}" for at in range(len(columns))]
    keys = [f"o{at}" for at in range(len(order))]
    named = [f"{text} AS {name}" for text, name in zip([*columns, *order], [*shown, *keys], strict=True)]
    last = f"SELECT {', '.join(named)} {rows} ORDER BY {', '.join([f'{key} DESC' for key in keys])}{limit}"
    return f"SELECT {', '.join(shown)} FROM ({last}) ORDER BY {', '.join(keys)}"


def _fits(item: Instrument, chosen: Selection) -> bool:
    return chosen.exchange in (None, item.exchange) and chosen.symbol in (None, item.symbol)
