"""Rows in order of their key as blocks: cut to size, packed, read back and compared.

A block that does not give back exactly its rows is not used: its halves are
tried, and what has no packed form in the end is left. Whoever deletes rows may
rely on this.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field

from .blocks import COLUMNS, pack, unpack
from .codec import Unpackable
from .lines import LETTERS
from .tables import Table

_MAX_ROWS = 2000
# Some 20 KB, read in 30 ms by SQL and in 50 ms by Python.
_MAX_LEVELS = 8000
# Smaller pieces are not worth a block of their own.
_LEAST_ROWS = 8


@define(frozen=True)
class Block:
    """Rows of one stream; `times` and `keys` are the lowest and highest (ns; None where rows have no such key)."""

    stream: int
    rows: int
    times: tuple[int, int]
    keys: tuple[int, int] | None
    positions: tuple[int, int] | None
    data: bytes


def selected(table: Table) -> str:
    """Return what `Packer.add` takes: ctid, stream, whether the row is as the sink writes it, and the block's."""
    shown = {name: name for name in COLUMNS[table.view]}
    for name, (kind, _) in COLUMNS[table.view].items():
        if kind == "time":
            below = f"{name.removeprefix('ts_')}_ns"
            shown[name] = f"(extract(epoch FROM {name}) * 1000000)::bigint * 1000 + {below}"
        elif kind == "decimal":
            shown[name] = f"{name}::text"
    usual = "ts_event IS NOT NULL OR event_ns = 0"
    if "position" in table.columns:
        usual = f"({usual}) AND (NOT dated OR position = coalesce({shown['ts_event']}, {shown['ts_recv']}))"
        shown["sequence"] = "CASE WHEN NOT dated THEN position END"
    return ", ".join(["ctid", "stream", usual, *shown.values()])


@define
class Packer:
    """Takes one table's rows, gives blocks as they fill; `left` collects the ctid of rows that have no packed form."""

    table: Table
    rows: int = 0
    left: list[Any] = field(factory=list)
    _pending: list[Sequence[Any]] = field(factory=list)
    _levels: int = 0

    def add(self, row: Sequence[Any]) -> list[Block]:
        """Take the next row; return the blocks of those before it, if it does not go with them or they are enough."""
        self.rows += 1
        _, stream, usual, key, *_ = row
        if not usual:
            self.left.append(row[0])
            return []
        found: list[Block] = []
        if self._pending:
            _, before, _, last, *_ = self._pending[-1]
            full = len(self._pending) >= _MAX_ROWS or self._levels >= _MAX_LEVELS
            if full or before != stream or (last is None) != (key is None):
                found = self.finish()
        if "levels" in self.table.columns:
            row = (*row[:-1], _plain(row[-1]))
            self._levels += row[-1].count(";")
        self._pending.append(row)
        return found

    def finish(self) -> list[Block]:
        """Return the blocks of the rows taken since the last ones."""
        rows, self._pending, self._levels = self._pending, [], 0
        return list(self._packed(rows))

    def _packed(self, rows: Sequence[Sequence[Any]]) -> Iterator[Block]:
        if not rows:
            return
        view = self.table.view
        columns = dict(zip(COLUMNS[view], [list(values) for values in zip(*rows, strict=True)][3:], strict=True))
        try:
            data = pack(view, columns)
            if unpack(view, data) != columns:
                raise Unpackable("another form came back")
        except Unpackable:
            if len(rows) <= _LEAST_ROWS:
                self.left += [row[0] for row in rows]
                return
            middle = len(rows) // 2
            yield from self._packed(rows[:middle])
            yield from self._packed(rows[middle:])
            return
        yield self._block(rows[0][1], columns, data)

    def _block(self, stream: int, columns: dict[str, list[Any]], data: bytes) -> Block:
        times = columns[self.table.time]
        keys = next(iter(columns.values()))
        positions: tuple[int, int] | None = None
        if "position" in self.table.columns and keys[0] is None:
            found = [
                recv if event is None else event
                for recv, event in zip(columns["ts_recv"], columns["ts_event"], strict=True)
            ]
            positions = (min(found), max(found))
        span = None if keys[0] is None else (min(keys), max(keys))
        return Block(stream, len(times), (min(times), max(times)), span, positions, data)


def _plain(levels: str) -> str:
    """Return the levels of a row without letters."""
    for long, short in reversed(LETTERS):
        levels = levels.replace(short, long)
    return levels
