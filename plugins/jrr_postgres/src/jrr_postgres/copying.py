"""Rows into one table: by COPY where all are new, by COPY and INSERT ... ON CONFLICT where some may be known.

A COPY into the table itself is the fast way, and its unique indexes make it
fail as a whole where a single row is there already. Then the batch is copied
into a temporary table of the connection and inserted from there. Which way a
table takes is remembered: a collector that runs beside another one of the same
streams would else try in vain each time.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from attrs import define

from .lines import Streams
from .tables import Table

_FIRST_CAUTION = 50
_MOST_CAUTION = 3200
# Rows left dead in a temporary table before it is emptied at its root, which costs more than deleting few.
_EMPTY_AT = 50_000
_PIECE = 250
_EDGE = "interval '10 minutes'"


@define
class Portion:
    """The events of a batch that go to one table; `near_edge` is whether a partition's edge is near.

    `failure` is why an event could not be made a line, once that was tried.
    """

    table: Table
    relation: str
    events: Sequence[Any]
    near_edge: bool = False
    failure: Exception | None = None

    async def lines(self, streams: Streams) -> AsyncIterator[bytes]:
        """Yield the COPY text piece by piece: the server reads one while the next is made."""
        line, events = self.table.line, self.events
        for at in range(0, len(events), _PIECE):
            try:
                piece = "".join([line(event, streams) for event in events[at : at + _PIECE]]).encode()
            except Exception as error:
                # Whatever a wrong event raises; a line the server refuses ends the COPY with nothing stored.
                self.failure = error
                yield b"\n"
                return
            yield piece


class Copying:
    """Writes portions through one connection at a time; remembers what a connection and a table need."""

    def __init__(self, schema: str, streams: Streams) -> None:
        """Expect every row to be new."""
        self._schema = schema
        self._streams = streams
        self._connection: Any = None
        self._stages: dict[str, int] = {}
        self._caution: dict[str, int] = {}
        self._last_caution: dict[str, int] = {}

    def careful(self, portion: Portion) -> bool:
        """Whether rows of the portion may be known, so that it must not be copied straight into its table."""
        return portion.table.replace is not None or portion.near_edge or self._caution.get(portion.table.view, 0) > 0

    def beware(self, view: str) -> None:
        """Note that rows of a table turned out to be known: the next batches are taken carefully, ever more of them."""
        number = min(self._last_caution.get(view, _FIRST_CAUTION // 2) * 2, _MOST_CAUTION)
        self._caution[view] = self._last_caution[view] = number

    async def prepare(self, connection: Any, portions: Sequence[Portion]) -> None:
        """Make the temporary tables the portions need; outside a transaction, whose failure would take them away."""
        if connection is not self._connection:
            self._connection = connection
            self._stages.clear()
        for portion in portions:
            stage = _stage(portion.table)
            if self.careful(portion) and stage not in self._stages:
                columns = f"(LIKE {self._schema}.{portion.table.name})"
                await connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS {stage} {columns}")
                self._stages[stage] = 0

    async def put(self, connection: Any, portion: Portion) -> int:
        """Store a portion, prepared, and return how many rows were new or took another's place.

        Raises UniqueViolationError where a row was expected to be new and is
        not: `beware`, and store the whole batch again.
        """
        if not self.careful(portion):
            lines = portion.lines(self._streams)
            return _count(await connection.copy_to_table(portion.relation, source=lines, schema_name=self._schema))
        stage = _stage(portion.table)
        await connection.copy_to_table(stage, source=portion.lines(self._streams), schema_name="pg_temp")
        inserted = await connection.execute(self._insert(portion, stage))
        self._stages[stage] += len(portion.events)
        if self._stages[stage] > _EMPTY_AT:
            await connection.execute(f"TRUNCATE pg_temp.{stage}")
            self._stages[stage] = 0
        else:
            await connection.execute(f"DELETE FROM pg_temp.{stage}")
        self._relax(portion.table.view, len(portion.events) - _count(inserted))
        return _count(inserted)

    def _insert(self, portion: Portion, stage: str) -> str:
        table, order = portion.table, ", ".join(portion.table.unique)
        where = ""
        if portion.near_edge:
            same = " AND ".join([f"known.{name} = s.{name}" for name in table.unique])
            around = f"known.{table.time} BETWEEN s.{table.time} - {_EDGE} AND s.{table.time} + {_EDGE}"
            where = f"WHERE NOT EXISTS (SELECT FROM {self._schema}.{portion.relation} known WHERE {same} AND {around})"
        conflict = "ON CONFLICT DO NOTHING"
        if table.replace is not None:
            changed = ", ".join([f"{name} = excluded.{name}" for name in table.columns if name not in table.unique])
            conflict = f"ON CONFLICT ({order}) DO UPDATE SET {changed} WHERE {table.replace}"
        # In order of the key, so that two collectors of the same rows wait for each other and never both ways.
        return (
            f"INSERT INTO {self._schema}.{portion.relation} AS old SELECT s.* FROM pg_temp.{stage} s {where} "
            f"ORDER BY {order} {conflict}"
        )

    def _relax(self, view: str, known: int) -> None:
        """Count down towards the fast way; a batch in which rows were known starts the count again."""
        left = self._caution.get(view, 0)
        if known and left:
            self._caution[view] = self._last_caution[view]
        elif left:
            self._caution[view] = left - 1
            if left == 1:
                self._last_caution.pop(view, None)


def _stage(table: Table) -> str:
    return f"stage_{table.view}"


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
