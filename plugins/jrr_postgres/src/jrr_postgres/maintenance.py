"""What a store needs beside its rows, done while it is written: partitions ahead, retention, checkpoints, compaction.

One task of the sink, on connections of its own; it delays no batch, and a part
that fails is told and tried again later. Compaction computes, so it runs in a
process of its own at the lowest priority. Of several collectors that write to one
store the one with the lowest slot does it all.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

from jrr_core.errors import JrrError
from jrr_core.journal import say, say_seldom

from . import compacting
from .compact import closed_before
from .failures import ERRORS
from .partitions import Partitions, retire, summarize
from .queries import Queries
from .server import Server

_TICK_S = 5.0
_PARTITIONS_S = 600.0
_SUMMARIZE_S = 30.0
_COMPACT_S = 3600.0
# A checkpoint is taken of a moment whose deltas are surely stored.
_BEHIND_NS = 2_000_000_000


class Maintenance:
    """Runs each duty when it is due, until cancelled."""

    def __init__(self, server: Server, partitions: Partitions, slot: Callable[[], int] = lambda: 0) -> None:
        """Take the sink's connections, what it knows of partitions, and which slot it writes under, 0 for none yet."""
        self._server = server
        self._settings = server.settings
        self._partitions = partitions
        self._slot = slot
        self._compacted: date | None = None
        self._due: dict[str, float] = {}

    async def run(self) -> None:
        """Do what is due, again and again; not at once, for a store may be opened only to be set up."""
        while True:
            await asyncio.sleep(_TICK_S)
            await self._when_due("partitions", _PARTITIONS_S, self.partitions)
            await self._when_due("summaries", _SUMMARIZE_S, self.summaries)
            if self._settings.checkpoint_s:
                await self._when_due("checkpoints", self._settings.checkpoint_s, self.checkpoints)
            if self._settings.compact:
                await self._when_due("compaction", _COMPACT_S, self.compaction)

    async def partitions(self) -> None:
        """Make the partitions of the next days, and let go of those past their retention."""
        settings = self._settings
        async with self._server.connection() as connection:
            await self._partitions.ahead(connection, settings.partitions_ahead_days)
            gone = await retire(connection, settings.schema, settings.retention_days, settings.retired == "keep")
        if gone:
            self._partitions.forget()
            names = ", ".join(gone)
            say(logging.INFO, "partitions_retired", f"postgres: past their retention, {settings.retired}: {names}",
                sink="postgres", partitions=gone)  # fmt: skip

    async def summaries(self) -> None:
        """Let queries between two times find the rows of the last minutes by index."""
        async with self._server.connection() as connection:
            await summarize(connection, self._settings.schema)

    async def checkpoints(self) -> None:
        """Write the whole books of a moment ago, of those that changed enough since the last time."""
        until = time.time_ns() - _BEHIND_NS
        async with Queries(self._settings) as store:
            rows = await store.checkpoints(until - int(self._settings.checkpoint_s * 1e9), until)
        if rows:
            async with self._server.connection() as connection:
                await connection.executemany(_CHECKPOINT.format(schema=self._settings.schema), rows)

    async def compaction(self) -> None:
        """Rewrite the days that are closed, once a day."""
        settings = self._settings
        closed = closed_before(datetime.now(UTC), settings.compact_after_h)
        if closed == self._compacted:
            return
        done, left = await compacting.in_child(settings, closed)
        if not left:
            self._compacted = closed
        if done:
            say(logging.INFO, "days_compacted", f"postgres: compacted {', '.join(done)}", sink="postgres", days=done)

    async def _when_due(self, name: str, every_s: float, duty: Callable[[], Awaitable[None]]) -> None:
        now = time.monotonic()
        if now < self._due.get(name, 0.0):
            return
        self._due[name] = now + every_s
        try:
            if await self._first():
                await duty()
        except (*ERRORS, JrrError) as error:
            say_seldom(logging.WARNING, "maintenance_failed", name,
                       f"postgres: {name} failed, tried again in {every_s:.0f} s: {error}",
                       sink="postgres", duty=name)  # fmt: skip

    async def _first(self) -> bool:
        """Whether no collector with a lower slot writes to the store, nor any other while this one does not."""
        async with self._server.connection() as connection:
            lowest = await connection.fetchval(_LOWEST, f"{self._settings.schema} writer")
        return lowest is None or int(lowest) == self._slot()


# Two-part advisory locks of this database: pg_locks shows their parts as classid and objid, unsigned.
_LOWEST = """
    SELECT min(l.objid::bigint) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND d.datname = current_database()
    AND l.classid = (hashtext($1)::bigint & 4294967295)::oid
"""
_TIME = "timestamptz 'epoch' + (${0}::bigint / 1000) * interval '1 microsecond', ${0}::bigint % 1000"
_CHECKPOINT = (
    "INSERT INTO {schema}.checkpoints (stream, ts, ts_ns, recv, recv_ns, sequence, levels) "
    f"VALUES ($1, {_TIME.format(2)}, {_TIME.format(3)}, $4, $5) ON CONFLICT DO NOTHING"
)
