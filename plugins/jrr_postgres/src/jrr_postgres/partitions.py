"""Partitions of the row tables: made before rows need them, detached when their time is over.

A partition is made as a table of its own and then attached, which locks out
neither writers nor readers of the others. An advisory lock keeps two
collectors from making the same one.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
from attrs import define

from .packing import PACKED, guard
from .server import LONG_S, be_patient
from .tables import TABLES, Period, Table

DAY_NS = 86_400_000_000_000
_EPOCH = date(1970, 1, 1)
_suffix = re.compile(r"(?:stored|packed)_([a-z_]+)_(\d{6}|\d{8})").fullmatch


@define(frozen=True)
class Span:
    """The time of one partition, from `start` to before `end`, and what names it."""

    suffix: str
    start: date
    end: date

    @classmethod
    def of(cls, day: int, period: Period) -> "Span":
        """Return the span that holds a day, counted from 1970-01-01. Raises OverflowError beyond year 9999."""
        start = _EPOCH + timedelta(days=day)
        if period == "day":
            return cls(f"{start:%Y%m%d}", start, start + timedelta(days=1))
        first = start.replace(day=1)
        return cls(f"{first:%Y%m}", first, (first + timedelta(days=32)).replace(day=1))

    @classmethod
    def named(cls, suffix: str) -> "Span":
        """Return the span a partition's suffix names."""
        year, month = int(suffix[:4]), int(suffix[4:6])
        first = date(year, month, int(suffix[6:] or 1))
        return cls.of((first - _EPOCH).days, "day" if len(suffix) == 8 else "month")


class Partitions:
    """Knows which partitions there are, and makes those that are missing."""

    def __init__(self, schema: str) -> None:
        """Know none yet."""
        self._schema = schema
        self._known: set[tuple[str, int]] = set()

    def missing(self, table: Table, days: Iterable[int]) -> list[int]:
        """Return those of the days (from 1970-01-01) whose partition is not known to be there."""
        return [day for day in days if (table.view, day) not in self._known]

    def forget(self) -> None:
        """Look again: a partition that was there is gone."""
        self._known.clear()

    async def ensure(self, connection: Any, table: Table, days: Iterable[int]) -> None:
        """Make the partitions of the days that are not there."""
        days = list(days)
        for span in {Span.of(day, table.period) for day in days}:
            await self._make(connection, table, span)
        self._known |= {(table.view, day) for day in days}

    async def ahead(self, connection: Any, days: int, today: date | None = None) -> None:
        """Make the partitions of today and the next `days` days."""
        first = ((today or datetime.now(UTC).date()) - _EPOCH).days
        for table in TABLES:
            await self.ensure(connection, table, self.missing(table, range(first, first + days + 1)))

    async def _make(self, connection: Any, table: Table, span: Span) -> None:
        schema, leaf = self._schema, f"{table.name}_{span.suffix}"
        if await _exists(connection, schema, leaf):
            return
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"{schema} partitions")
            if await _exists(connection, schema, leaf):
                return
            statements = [f"CREATE TABLE {schema}.{leaf} (LIKE {schema}.{table.name} INCLUDING DEFAULTS)"]
            statements += table.indexes(schema, leaf, table.time)
            if table in PACKED and await _exists(connection, schema, f"packed_{table.view}_{span.suffix}"):
                statements += guard(schema, table, leaf)
            statements.append(
                f"ALTER TABLE {schema}.{table.name} ATTACH PARTITION {schema}.{leaf} "
                f"FOR VALUES FROM ('{span.start} 00:00+00') TO ('{span.end} 00:00+00')"
            )
            await connection.execute(";".join(statements))


async def retire(
    connection: Any, schema: str, retention_days: Mapping[str, int], keep: bool, today: date | None = None
) -> list[str]:
    """Detach partitions that ended `retention_days` of their relation ago, drop them unless `keep`; return their names.

    A kept one is moved to the namespace `<schema>_retired`, rows that come late
    for it are added there. What a stop left half done is finished. The
    connection must be outside a transaction.
    """
    today = today or datetime.now(UTC).date()
    done: list[str] = []
    await be_patient(connection)
    for view, days in retention_days.items():
        before = today - timedelta(days=days)
        found = await connection.fetch(_LEAVES, schema, f"^(stored|packed)_{view}_[0-9]{{6,8}}$")
        for leaf, parent, pending in found:
            match = _suffix(leaf)
            if match is None or Span.named(match[2]).end > before:
                continue
            await _retire(connection, schema, leaf, parent, pending, keep)
            done.append(leaf)
        table = next(table for table in TABLES if table.view == view)
        until = datetime(before.year, before.month, before.day, tzinfo=UTC)
        if table.undated:
            await connection.execute(f"DELETE FROM {schema}.{table.beside} WHERE ts_recv < $1", until)
        if view == "book_deltas":
            await connection.execute(f"DELETE FROM {schema}.checkpoints WHERE ts < $1", until)
        await connection.execute(
            f"INSERT INTO {schema}.retired (relation, until) VALUES ($1, $2) "
            "ON CONFLICT (relation) DO UPDATE SET until = greatest(retired.until, excluded.until)",
            view, int(until.timestamp()) * 10**9,
        )  # fmt: skip
    return done


async def summarize(connection: Any, schema: str) -> None:
    """Bring the indexes on time of the newest partitions up to date.

    Such an index knows a piece of a table only once it was summarized, which
    the server else does when it next cleans the table up.
    """
    await connection.execute(
        "SELECT brin_summarize_new_values(c.oid) FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) "
        "AND c.relkind = 'i' AND c.relname ~ '^stored_.*_time$' AND pg_relation_size(c.oid) > 0 "
        "AND c.relname ~ ANY (ARRAY(SELECT to_char(now() AT TIME ZONE 'UTC' - d * interval '1 day', f) "
        "FROM unnest(ARRAY[0, 1]) d, unnest(ARRAY['YYYYMMDD', 'YYYYMM']) f))",
        schema,
    )


_LEAVES = """
    SELECT c.relname, p.relname, i.inhdetachpending FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
    WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' AND c.relname ~ $2 ORDER BY c.relname
"""


async def _retire(connection: Any, schema: str, leaf: str, parent: str | None, pending: bool, keep: bool) -> None:
    if parent is not None:
        how = "FINALIZE" if pending else "CONCURRENTLY"
        detach = f"ALTER TABLE {schema}.{parent} DETACH PARTITION {schema}.{leaf} {how}"
        await connection.execute(detach, timeout=LONG_S)
    async with connection.transaction():
        kept = f"{schema}_retired"
        if keep and not await _exists(connection, kept, leaf):
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {kept}")
            await connection.execute(f"ALTER TABLE {schema}.{leaf} SET SCHEMA {kept}")
            return
        if keep:  # rows that came after theirs had been let go of
            late = f"INSERT INTO {kept}.{leaf} SELECT * FROM {schema}.{leaf} ON CONFLICT DO NOTHING"
            await connection.execute(late, timeout=LONG_S)
        await connection.execute(f"DROP TABLE {schema}.{leaf}")


async def _exists(connection: "asyncpg.Connection[Any]", schema: str, name: str) -> bool:
    # Not by to_regclass: a session remembers that there was no such table until it next takes a lock on one.
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2)",
        schema, name,
    )  # fmt: skip
    return found is True
