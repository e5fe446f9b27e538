"""Closed days rewritten: a day's rows become blocks, and the partition they lay in goes.

All of a day and table happens in one transaction, so that a reader sees its
rows once, as rows or in blocks, and a compactor may be killed at any moment.
Collectors go on meanwhile. Rows that come later lie in a new partition, whose
guard keeps out what is in the blocks; compacting the day again adds blocks.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
from attrs import define

from .codec import FORMAT
from .packer import Block, Packer, selected
from .packing import PACKED, attach_leaf, create_leaf, guard, leaf
from .tables import Table

_FETCH = 500
_WHILE_S = 3600.0
"""A client-side limit that never matters: some statements of a compaction take minutes."""
_TRIES = 3
# Writers queue behind the wait for the table, so it is short, and repeated.
_LOCK_MS = 200
_LOCK_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_day = re.compile(r".*_(\d{4})(\d\d)(\d\d)").fullmatch


@define(frozen=True)
class Packed:
    """What became of one day of one relation. `left` rows have no packed form and stay rows; sizes count everything."""

    relation: str
    day: date
    rows: int
    blocks: int
    left: int
    bytes_before: int
    bytes_after: int

    def __str__(self) -> str:
        """Return it in words."""
        left = f", {self.left} left as rows" if self.left else ""
        sizes = f"{self.bytes_before / 1e6:,.1f} MB are now {self.bytes_after / 1e6:,.1f} MB"
        return f"{self.relation} of {self.day}: {self.rows:,} rows in {self.blocks:,} blocks{left}; {sizes}"


class _Busy(Exception):  # noqa: N818 - says what happened, not whose fault
    """Rows keep arriving, or somebody keeps reading: try another time."""


class _Nothing(Exception):  # noqa: N818 - says what happened, not whose fault
    """None of the rows has a packed form."""


def closed_before(now: datetime, after_h: float) -> date:
    """Return the first day that is not closed: one is, `after_h` hours after its end in UTC."""
    return (now - timedelta(hours=after_h)).date()


async def compact(connection: Any, schema: str, before: date, log: Callable[[str], None]) -> list[Packed]:
    """Compact every day before `before`; return what was packed. The connection must be outside a transaction.

    Partitions without rows go. A day that is in use is told to `log` and left for another time. Where
    another compactor is at work nothing is done.
    """
    done: list[Packed] = []
    lock = f"{schema} compact"
    if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", lock):
        log(f"another process compacts {schema} already")
        return done
    try:
        for table in PACKED:
            for day in await closed_days(connection, schema, table, before):
                packed = await compact_day(connection, schema, table, day)
                if packed is None:
                    log(f"{table.view} of {day} is in use; left for another time")
                elif packed.rows:
                    done.append(packed)
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", lock)
    return done


async def closed_days(connection: Any, schema: str, table: Table, before: date) -> list[date]:
    """Return the days before `before` of which the table has a partition of rows."""
    found = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass($1) AND NOT i.inhdetachpending ORDER BY 1",
        f"{schema}.{table.name}",
    )  # fmt: skip
    days = [date(*map(int, match.groups())) for row in found if (match := _day(row[0]))]
    return [day for day in days if day < before]


async def compact_day(connection: Any, schema: str, table: Table, day: date) -> Packed | None:
    """Compact one day of one table; None if it is in use, or was compacted by another process meanwhile.

    `rows` of the result is 0 where no row has a packed form, or none was
    there. The connection must be outside a transaction.
    """
    for _ in range(_TRIES):
        work = _Day(connection, schema, table, day)
        try:
            async with connection.transaction(isolation="read_committed"):
                return await work.rewrite()
        except _Nothing:
            await connection.execute(f"COMMENT ON TABLE {work.rows} IS '{_known(work.count)}'")
            return Packed(table.view, day, 0, 0, work.count, work.size, work.size)
        except _Busy:
            continue
    return None


class _Day:
    """One day of one table on its way; lives as long as the transaction."""

    def __init__(self, connection: Any, schema: str, table: Table, day: date) -> None:
        self._connection = connection
        self._schema = schema
        self._table = table
        self._day = day
        self._name = f"{table.name}_{day:%Y%m%d}"
        self.rows = f"{schema}.{self._name}"
        self._rest = f"{self.rows}_rest"
        self._blocks = f"{schema}.{leaf(table, day)}"
        self.count = 0
        self.size = 0

    async def rewrite(self) -> Packed | None:
        """Return what became of the day, or None if its partition is not there or another one works on it."""
        connection, table = self._connection, self._table
        await connection.execute(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL jit = off"
        )
        lock = f"{self.rows} compact"
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtext($1))", lock):
            return None
        if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", self.rows):
            return None
        self.size = await self._value(f"SELECT pg_total_relation_size('{self.rows}')")
        note = await self._value(f"SELECT obj_description('{self.rows}'::regclass)")
        if note is not None and note == _known(await self._value(f"SELECT count(*) FROM {self.rows}")):
            return Packed(table.view, self._day, 0, 0, int(note.split()[1]), self.size, self.size)
        fresh = not await self._value("SELECT to_regclass($1) IS NOT NULL", self._blocks)
        blocks_size = 0 if fresh else await self._value(f"SELECT pg_total_relation_size('{self._blocks}')")
        if fresh:
            await self._run(create_leaf(self._schema, table, self._day))
        blocks, left = await self._pack()
        if self.count and not blocks:
            raise _Nothing
        await self._swap(attach=fresh and blocks > 0, left=left)
        if fresh and not blocks:
            await connection.execute(f"DROP TABLE {self._blocks}")
            return Packed(table.view, self._day, 0, 0, 0, self.size, 0)
        after = await self._value(f"SELECT pg_total_relation_size('{self._blocks}')") - blocks_size
        if left:
            after += await self._value(f"SELECT pg_total_relation_size('{self.rows}')")
        return Packed(table.view, self._day, self.count - left, blocks, left, self.size, after)

    async def _pack(self) -> tuple[int, int]:
        """Write the blocks and keep aside what has no packed form; return how many of each."""
        connection, packer, blocks, left = self._connection, Packer(self._table), 0, 0
        await connection.execute("SET LOCAL enable_sort = off")  # by the index on the key: the table is nearly in order
        cursor = f"rows_of_{self._table.view}"  # FETCH is a statement the driver keeps, with its columns
        for condition, order in _ORDERS.get(self._table.view, (("true", ", ".join(self._table.unique)),)):
            await connection.execute(
                f"DECLARE {cursor} NO SCROLL CURSOR FOR SELECT {selected(self._table)} FROM {self.rows} "
                f"WHERE {condition} ORDER BY {order}",
                timeout=_WHILE_S,
            )
            while rows := await connection.fetch(f"FETCH {_FETCH} FROM {cursor}", timeout=_WHILE_S):
                found = [block for row in rows for block in packer.add(tuple(row))]
                blocks += await self._insert(found)
                left += await self._keep(packer)
            await connection.execute(f"CLOSE {cursor}")
            blocks += await self._insert(packer.finish())
            left += await self._keep(packer)
        self.count = packer.rows
        return blocks, left

    async def _insert(self, blocks: Sequence[Block]) -> int:
        if blocks:
            moment = "timestamptz '1970-01-01 00:00+00' + {} * interval '1 microsecond'"
            await self._connection.executemany(
                f"INSERT INTO {self._blocks} (ts_from, ts_to, first_key, last_key, first_position, last_position, "
                f"stream, rows, data) VALUES ({moment.format('$1::bigint')}, {moment.format('$2::bigint')}, "
                "$3, $4, $5, $6, $7, $8, $9)",
                [
                    (block.times[0] // 1000, block.times[1] // 1000, *(block.keys or (None, None)),
                     *(block.positions or (None, None)), block.stream, block.rows, block.data)
                    for block in blocks
                ],
                timeout=_WHILE_S,
            )  # fmt: skip
        return len(blocks)

    async def _keep(self, packer: Packer) -> int:
        """Copy rows without a packed form aside, as they are."""
        left, packer.left = packer.left, []
        if left:
            await self._connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._rest} (LIKE {self._schema}.{self._table.name} INCLUDING DEFAULTS)"
            )
            await self._connection.execute(
                f"INSERT INTO {self._rest} SELECT * FROM {self.rows} WHERE ctid = ANY ($1::tid[])", left
            )
        return len(left)

    async def _swap(self, attach: bool, left: int) -> None:
        """Put the blocks, and the rows left, in the place of the partition."""
        await self._connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MS}")
        for pause_s in (*_LOCK_PAUSES_S, None):
            try:
                async with self._connection.transaction():
                    await self._replace(attach, left)
                return
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                if pause_s is None:
                    raise _Busy from None
                await asyncio.sleep(pause_s)

    async def _replace(self, attach: bool, left: int) -> None:
        table, parent = self._table, f"{self._schema}.{self._table.name}"
        # Writers of late rows wait from here on, so what is counted is all there will be.
        await self._connection.execute(f"LOCK TABLE {self.rows} IN SHARE MODE")
        if await self._value(f"SELECT count(*) FROM {self.rows}") != self.count:
            raise _Busy
        await self._connection.execute(f"LOCK TABLE ONLY {parent} IN ACCESS EXCLUSIVE MODE")
        statements = [f"ALTER TABLE {parent} DETACH PARTITION {self.rows}", f"DROP TABLE {self.rows}"]
        if attach:
            statements += attach_leaf(self._schema, table, self._day)
        if left:
            statements += [
                f"ALTER TABLE {self._rest} RENAME TO {self._name}",
                *table.indexes(self._schema, self._name, table.time),
                *guard(self._schema, table, self._name),
                f"ALTER TABLE {parent} ATTACH PARTITION {self.rows} "
                f"FOR VALUES FROM ('{self._day} 00:00+00') TO ('{self._day + timedelta(days=1)} 00:00+00')",
                f"COMMENT ON TABLE {self.rows} IS '{_known(left)}'",
            ]
        await self._run(statements)

    async def _run(self, statements: Sequence[str]) -> None:
        await self._connection.execute(";".join(statements), timeout=_WHILE_S)

    async def _value(self, query: str, *arguments: Any) -> Any:
        return await self._connection.fetchval(query, *arguments, timeout=_WHILE_S)


# What has no number for a key is read in order of time.
_ORDERS = {
    "trades": (
        ("trade_id IS NOT NULL", "stream, trade_id"),
        ("trade_id IS NULL", "stream, ts_event, event_ns, trade_uid"),
    ),
}


def _known(rows: int) -> str:
    """Return the comment on a partition whose rows were tried already, so that they are not tried every night."""
    return f"jrr: {rows} rows without a packed form of format {FORMAT}"
