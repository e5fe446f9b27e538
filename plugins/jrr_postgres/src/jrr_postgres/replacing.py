"""Rows of streams taken out and others put in their place, in one transaction on a connection of its own.

Packed days that hold such rows are unpacked: what is not cut becomes rows
again, and the next compaction packs the day anew. Compactors wait meanwhile.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from jrr_core.errors import SinkRejected
from jrr_core.sink import WriteResult
from jrr_core.store import Cut

from .copying import Copying
from .failures import ERRORS, on_write
from .packing import PACKED
from .partitions import DAY_NS, Partitions
from .server import LONG_S, Server, be_patient
from .streams import StreamIds
from .tables import TABLES, Table
from .writer import REFUSED, grouped, portions_of, streams_of

# An event may have been fetched so long after it happened: its block is found by when it happened.
_LATE = timedelta(days=1)


class Replacing:
    """Rows being replaced; `removed` of them are gone."""

    def __init__(self, connection: Any, server: Server) -> None:
        """Work on `connection`, which is in a transaction."""
        self.removed = 0
        self._connection = connection
        self._server = server
        self._schema = server.settings.schema
        self._partitions = Partitions(self._schema)
        self._streams = StreamIds(self._schema)
        self._copying = Copying(self._schema, self._streams)

    async def put(self, batch: Sequence[Any]) -> WriteResult:
        """Store market events; those that are there already count as duplicates."""
        try:
            groups = grouped(batch, self._server.settings.candles)
            await self._streams.register(self._connection, streams_of(groups))
            portions = portions_of(groups)
            for portion in portions:
                # A row that is known must not end the transaction.
                self._copying.beware(portion.table.view)
                days = (
                    {_day(event, portion.table) for event in portion.events}
                    if portion.relation == portion.table.name
                    else ()
                )
                await self._partitions.ensure(self._connection, portion.table, days)
            await self._copying.prepare(self._connection, portions)
            written = sum([await self._copying.put(self._connection, portion) for portion in portions])
        except ERRORS as error:
            raise on_write(error, self._server.target) from error
        except REFUSED as error:
            raise SinkRejected(f"PostgreSQL cannot take a row: {error}") from error
        return WriteResult(written, len(batch) - written)

    async def cut(self, cuts: Sequence[Cut]) -> None:
        """Take out what is cut."""
        for cut in cuts:
            for table in TABLES:
                numbers = await self._numbers(cut, table)
                if not numbers:
                    continue
                if table in PACKED:
                    await self._unpack(cut, table, numbers)
                for relation in (table.name, table.beside) if table.undated else (table.name,):
                    status = await self._connection.execute(
                        f"DELETE FROM {self._schema}.{relation} WHERE stream = ANY($1) AND {_within('')}",
                        numbers, cut.ts_from, cut.ts_to, timeout=LONG_S,
                    )  # fmt: skip
                    self.removed += int(status.rpartition(" ")[2])

    async def _numbers(self, cut: Cut, table: Table) -> list[int]:
        found = await self._connection.fetch(
            f"SELECT s.id FROM {self._schema}.streams s "
            f"WHERE s.exchange = $1 AND s.symbol = $2 AND {table.channel} = $3",
            cut.exchange, cut.symbol, cut.channel,
        )  # fmt: skip
        return [row[0] for row in found]

    async def _unpack(self, cut: Cut, table: Table, numbers: list[int]) -> None:
        """Make rows again of the blocks that hold rows which are cut."""
        connection, schema, view = self._connection, self._schema, table.view
        # A block is found by when its events happened, then by when they were received.
        holds = f"EXISTS (SELECT FROM {schema}.unpack_{view}(data) u WHERE {_within('u.')})"
        within = f"stream = ANY($1) AND ts_to >= $4 AND ts_from <= $5 AND {holds}"
        bounds = (cut.ts_from, cut.ts_to, _moment(cut.ts_from) - _LATE, _moment(cut.ts_to) + _LATE)
        await connection.execute("DROP TABLE IF EXISTS pg_temp.jrr_unpacked")
        await connection.execute(
            f"CREATE TEMP TABLE jrr_unpacked ON COMMIT DROP AS SELECT stream, ts_from, ts_to, data "
            f"FROM {schema}.packed_{view} WITH NO DATA"
        )
        await connection.execute(
            f"WITH gone AS (DELETE FROM {schema}.packed_{view} WHERE {within} RETURNING stream, ts_from, ts_to, data) "
            "INSERT INTO pg_temp.jrr_unpacked SELECT * FROM gone", numbers, *bounds, timeout=LONG_S,
        )  # fmt: skip
        days = await connection.fetch(
            "SELECT DISTINCT extract(epoch FROM d)::bigint / 86400 FROM pg_temp.jrr_unpacked, "
            "generate_series(date_trunc('day', ts_from, 'UTC'), ts_to, interval '1 day') d"
        )
        if not days:
            return
        await self._partitions.ensure(connection, table, [row[0] for row in days])
        names = ", ".join(table.columns)
        shown = ", ".join(["t.stream" if name == "stream" else f"u.{name}" for name in table.columns])
        await connection.execute(
            f"INSERT INTO {schema}.{table.name} ({names}) SELECT {shown} FROM pg_temp.jrr_unpacked t, "
            f"LATERAL {schema}.unpack_{view}(t.data) u ON CONFLICT DO NOTHING", timeout=LONG_S,
        )  # fmt: skip


@asynccontextmanager
async def replacing(server: Server, cuts: Sequence[Cut]) -> AsyncIterator[Replacing]:
    """Have a transaction in which what is cut is gone. Raises as writing does."""
    connection = await server.take()
    broken = True
    try:
        try:
            await be_patient(connection)
            await connection.execute("SET idle_in_transaction_session_timeout = 0")
            async with connection.transaction():
                work = Replacing(connection, server)
                # Held to the end: no compactor works meanwhile.
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtext($1))", f"{server.settings.schema} compact", timeout=LONG_S
                )
                await work.cut(cuts)
                yield work
            broken = False
        except ERRORS as error:
            raise on_write(error, server.target) from error
    finally:
        await server.give(connection, broken=broken)


def _within(row: str) -> str:
    """Return the condition that a row was received from $2 to before $3 (int ns)."""
    received = f"((extract(epoch FROM {row}ts_recv) * 1000000)::bigint * 1000 + {row}recv_ns)"
    return f"{received} >= $2 AND {received} < $3"


def _moment(ts: int) -> datetime:
    return datetime.fromtimestamp(ts / 1e9, UTC)


def _day(event: Any, table: Table) -> int:
    time: int = getattr(event, table.time)
    return time // DAY_NS
