"""Records in the forms a user asks for: an aligned table, CSV, or JSON lines. Never holds more than a block of them."""

import csv
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TextIO

from ..events import Message
from ..exact import plain
from ..printable import printable
from ..wire import encode
from .moment import shown
from .tell import CELL

Form = Literal["table", "csv", "json"]
Record = Mapping[str, Any]
FORMS: tuple[Form, ...] = ("table", "csv", "json")

_BLOCK = 1000
_TIMES = {"ts", "ts_event", "ts_recv", "ts_from", "ts_to", "open_time", "close_time", "next_funding_time"}


def columns_of(kind: type[Message]) -> tuple[str, ...]:
    """Return the names of a record of an event class, in order."""
    return ("exchange", "symbol", "ts_event", "ts_recv", *kind.fields())


async def records_of(events: AsyncIterator[Message], columns: Sequence[str]) -> AsyncIterator[Record]:
    """Yield each event as a record of these columns."""
    async for event in events:
        yield {name: getattr(event, name) for name in columns}


async def each(records: Iterable[Record]) -> AsyncIterator[Record]:
    """Yield records that are there already."""
    for record in records:
        yield record


async def write(
    records: AsyncIterable[Record], columns: Sequence[str], form: Form, out: TextIO, hidden: Sequence[str] = ()
) -> int:
    """Write the records and return how many; `hidden` columns are left out of a table.

    Numbers are exact text and times int ns, but for tables, whose times are UTC. Text is exact too: in tables, which
    people read, it is cut, and what does not print is escaped.
    """
    if form == "table":
        return await _table(records, [name for name in columns if name not in hidden], out)
    count = 0
    rows = csv.writer(out, lineterminator="\n")
    if form == "csv":
        rows.writerow(columns)
    async for record in records:
        count += 1
        if form == "csv":
            rows.writerow([_cell(record[name]) for name in columns])
        else:
            out.write(printable(encode({name: _value(record[name]) for name in columns})) + "\n")
    return count


async def _table(records: AsyncIterable[Record], columns: Sequence[str], out: TextIO) -> int:
    """Write an aligned table; a later block that needs wider columns widens them from there on."""
    table, block, count = _Table(columns, out), list[Record](), 0
    async for record in records:
        block.append(record)
        count += 1
        if len(block) == _BLOCK:
            table.write(block)
            block.clear()
    table.write(block)
    return count


class _Table:
    def __init__(self, columns: Sequence[str], out: TextIO) -> None:
        self._columns, self._out = columns, out
        self._widths = [0] * len(columns)
        self._right: list[bool] | None = None

    def write(self, block: Sequence[Record]) -> None:
        if not block:
            return
        rows = [[_shown(name, record[name]) for name in self._columns] for record in block]
        if self._right is None:
            self._right = [_numbers(name, [record[name] for record in block]) for name in self._columns]
            rows.insert(0, list(self._columns))
        cells_of = zip(*rows, strict=True)
        self._widths = [max(width, *map(len, cells)) for width, cells in zip(self._widths, cells_of, strict=True)]
        for row in rows:
            cells = zip(row, self._widths, self._right, strict=True)
            line = "  ".join([cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells])
            self._out.write(line.rstrip() + "\n")


def _numbers(name: str, values: Sequence[Any]) -> bool:
    """Whether a column holds numbers, which stand at the right."""
    kinds = {type(value) for value in values if value is not None}
    return bool(kinds) and kinds <= {int, float, Decimal} and name not in _TIMES


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return printable(value, CELL)
    return shown(value) if name in _TIMES else _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(_value(value))


def _value(value: Any) -> Any:
    return plain(value) if isinstance(value, Decimal) else value
