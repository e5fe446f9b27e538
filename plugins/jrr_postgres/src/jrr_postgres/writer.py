"""Batches into the database, each in one transaction: rows, instruments, stream events and coverage together.

Holds one connection for as long as it works. Whatever goes wrong, the batch is
in the database whole or not at all, and the same batch can be written again.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import asyncpg

from jrr_core.errors import SinkRejected, SinkUnavailable
from jrr_core.events import STREAM_EVENTS, Candle, Message
from jrr_core.instrument import Instrument
from jrr_core.sink import WriteResult

from . import instruments
from .copying import Copying, Portion
from .failures import ERRORS, breaks_connection, on_write
from .ledger import Ledger
from .partitions import DAY_NS, Partitions
from .server import Server
from .streams import Key, StreamIds
from .tables import TABLES, Table

REFUSED = (TypeError, AttributeError, LookupError, ValueError, ArithmeticError)
_TABLES = {table.event: table for table in TABLES}
# Copies of one event are received within this time of each other.
_EDGE_NS = 600_000_000_000
_ROUNDS = 2 * len(TABLES) + 2
_SLOTS = 1000
# Known rows are looked up one by one by their key: of a temporary table the planner knows nothing, and guesses.
_BY_KEY = "; ".join([f"SET LOCAL enable_{way} = off" for way in ("hashjoin", "mergejoin", "bitmapscan", "seqscan")])


class Writer:
    """Writes batches through one connection of the server's pool.

    `instance` is the collector's name, set before the first batch, `slot` the
    one it writes under, 0 before it does.
    """

    def __init__(self, server: Server) -> None:
        """Take the server; connect to nothing yet."""
        self._server = server
        self._schema = server.settings.schema
        self._connection: Any = None
        self._backend = 0
        self.slot = 0
        self.instance = ""
        self._last_ts = 0
        self.partitions = Partitions(self._schema)
        self._streams = StreamIds(self._schema)
        self._copying = Copying(self._schema, self._streams)
        self._ledger = Ledger(self._schema, self._streams)

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Store the batch or nothing of it. Raises SinkRejected or SinkUnavailable."""
        portions: Sequence[Portion] = ()
        try:
            groups = grouped(batch, self._server.settings.candles)
            portions = portions_of(groups)
            await self._connect()
            await self._streams.register(self._connection, streams_of(groups))
            return await self._write(batch, groups, portions)
        except asyncio.CancelledError:
            self._drop()
            raise
        except ERRORS as error:
            if breaks_connection(error):
                self._drop()
            failure = next((portion.failure for portion in portions if portion.failure is not None), None)
            if failure is not None:
                raise SinkRejected(f"PostgreSQL cannot take a row: {failure}") from failure
            raise on_write(error, self._server.target) from error
        except REFUSED as error:
            raise SinkRejected(f"PostgreSQL cannot take a row: {error}") from error
        finally:
            self._ledger.rollback()

    async def close(self) -> None:
        """End the live coverage ranges and let go of the connection."""
        if self._connection is None:
            return
        # Ranges that cannot be ended here read as ended when this collector was last alive.
        with contextlib.suppress(*ERRORS, SinkUnavailable):
            async with self._connection.transaction():
                await self._ledger.end(self._connection, self._last_ts)
            self._ledger.commit()
        await self._release()

    async def _write(
        self, batch: Sequence[Any], groups: dict[type, list[Any]], portions: Sequence[Portion]
    ) -> WriteResult:
        for _ in range(_ROUNDS):
            await self._make_partitions(groups)
            try:
                written = await self._store(batch, groups, portions)
            except asyncpg.UniqueViolationError as error:
                # Streams of events and instruments conflict only within statements that expect it.
                view = next((p.table.view for p in portions if (error.table_name or "").startswith(p.table.name)), "")
                if not view:
                    raise
                self._ledger.rollback()
                self._copying.beware(view)
            except asyncpg.DeadlockDetectedError:
                # Another collector copies the same events in another order; those taken carefully are in one order.
                hasty = [portion.table.view for portion in portions if not self._copying.careful(portion)]
                if not hasty:
                    raise
                self._ledger.rollback()
                for view in hasty:
                    self._copying.beware(view)
            except asyncpg.CheckViolationError as error:
                if "no partition" not in str(error):
                    raise
                self._ledger.rollback()
                self.partitions.forget()
            else:
                return WriteResult(written, len(batch) - written)
        raise SinkUnavailable(
            "PostgreSQL: partitions vanish as fast as they are made; is another program removing them?"
        )

    async def _make_partitions(self, groups: dict[type, list[Any]]) -> None:
        for kind, events in groups.items():
            table = _TABLES.get(kind)
            if table is not None:
                missing = self.partitions.missing(table, _days(table, events))
                if missing:
                    await self.partitions.ensure(self._connection, table, missing)

    async def _store(self, batch: Sequence[Any], groups: dict[type, list[Any]], portions: Sequence[Portion]) -> int:
        """Store everything in one transaction and return how many events were new."""
        connection, copying = self._connection, self._copying
        for event in reversed(batch):
            if isinstance(event, Message):
                self._last_ts = event.ts_recv
                break
        notes = [] if groups.keys().isdisjoint(STREAM_EVENTS) else [e for e in batch if type(e) in STREAM_EVENTS]
        beat = self._ledger.due(self._last_ts)
        if len(portions) == 1 and not beat and len(groups) == 1 and not copying.careful(portions[0]):
            return await copying.put(connection, portions[0])  # a statement alone is a transaction
        written = 0
        await copying.prepare(connection, portions)
        async with connection.transaction():
            if any(portion.near_edge for portion in portions):
                # Two collectors of one event on both sides of a partition's edge would not see each other.
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"{self._schema} edge")
                await connection.execute(_BY_KEY)
            for portion in portions:
                written += await copying.put(connection, portion)
            if Instrument in groups:
                written += await instruments.write(connection, self._schema, groups[Instrument])
            if notes:
                written += await self._ledger.write(connection, notes)
            if beat:
                await self._ledger.heartbeat(connection, self._last_ts)
        self._ledger.commit()
        return written

    async def _connect(self) -> None:
        """Have a connection that holds this collector's slot."""
        if self._connection is not None and _usable(self._connection):
            return
        self._drop()
        connection = await self._server.take()
        try:
            await self._take_slot(connection)
        except BaseException:
            await self._server.give(connection, broken=True)
            raise
        self._connection = connection
        self._backend = connection.get_server_pid()

    async def _take_slot(self, connection: Any) -> None:
        """Lock a free slot, or the one held before: its old session, if the server still keeps it, is ended."""
        lock = "SELECT pg_try_advisory_lock(hashtext($1), $2)"
        name = f"{self._schema} writer"
        if self.slot:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2 "
                "AND usename = current_user AND pid <> pg_backend_pid()",
                self._backend, connection.get_settings().application_name,
            )  # fmt: skip
            for _ in range(20):
                if await connection.fetchval(lock, name, self.slot):
                    return
                await asyncio.sleep(0.05)
        owner = f"{self.instance}@{socket.gethostname()}" if self.instance else socket.gethostname()
        for slot in self._preferred(await connection.fetch(f"SELECT slot, host FROM {self._schema}.writers")):
            if await connection.fetchval(lock, name, slot):
                await self._ledger.begin(connection, slot, owner)
                self.slot = slot
                return
        raise SinkUnavailable(f"PostgreSQL: {_SLOTS} collectors write to namespace {self._schema} already")

    def _preferred(self, taken: Sequence[tuple[int, str]]) -> list[int]:
        """Return the slots in the order to try them: a named collector goes on where it stopped, and leaves others'.

        A stream's gap can be closed only under the slot that has it.
        """
        owned = {slot: host.partition("@")[0] if "@" in host else "" for slot, host in taken}

        def rank(slot: int) -> tuple[int, int]:
            if self.instance:
                return (0 if owned.get(slot) == self.instance else 1 if slot not in owned else 2, slot)
            return (1 if owned.get(slot) else 0, slot)

        return sorted(range(1, _SLOTS), key=rank)

    def _drop(self) -> None:
        """Give the connection up, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(asyncpg.InterfaceError):  # where the pool took it back already
                connection.terminate()

    async def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._server.give(connection)


def grouped(batch: Sequence[Any], candles: str) -> dict[type, list[Any]]:
    """Return the events of the batch by class; of candles the latest of each key, open ones if `candles` is "all"."""
    groups: dict[type, list[Any]] = {}
    for event in batch:
        groups.setdefault(type(event), []).append(event)
    for kind in groups:
        if kind not in _TABLES and kind is not Instrument and kind not in STREAM_EVENTS:
            raise TypeError(f"{kind.__name__} is no event this store knows")
    if Candle in groups:
        groups[Candle] = _latest(groups[Candle], candles)
    return groups


def _latest(found: Sequence[Candle], candles: str) -> list[Candle]:
    """Return one candle of each key, the one that would stand in the end."""
    latest: dict[tuple[Any, ...], Candle] = {}
    for candle in found:
        if not candle.closed and candles == "closed":
            continue
        key = (candle.exchange, candle.symbol, *candle.key())
        known = latest.get(key)
        if known is None or (not known.closed and (candle.closed or candle.ts_recv > known.ts_recv)):
            latest[key] = candle
    return [*latest.values()]


def portions_of(groups: dict[type, list[Any]]) -> list[Portion]:
    """Return the events of the batch by table, in one order for all collectors.

    Two that write the same events then wait for each other and never both ways.
    """
    portions: list[Portion] = []
    for kind, events in groups.items():
        table = _TABLES.get(kind)
        if table is None or not events:
            continue
        dated, undated = events, []
        if table.undated:
            undated = [event for event in events if event.ts_event is None]
            if undated:
                dated = [event for event in events if event.ts_event is not None]
        if dated:
            near = table.near and any(_near_edge(event.ts_recv) for event in dated)
            if near:
                dated = _once(dated)
            portions.append(Portion(table, table.name, dated, near))
        if undated:
            portions.append(Portion(table, table.beside, undated))
    return sorted(portions, key=lambda portion: portion.relation)


def _once(events: Iterable[Any]) -> list[Any]:
    """Return the events without the copies among them, which no index sees where a partition's edge lies between."""
    received: dict[tuple[Any, ...], int] = {}
    found: list[Any] = []
    for event in events:
        key = (event.exchange, event.symbol, *event.key())
        known = received.get(key)
        if known is None or abs(event.ts_recv - known) > _EDGE_NS:
            received[key] = event.ts_recv
            found.append(event)
    return found


def streams_of(groups: dict[type, list[Any]]) -> set[Key]:
    """Return the streams the batch belongs to."""
    found: set[Key] = set()
    for kind, events in groups.items():
        table = _TABLES.get(kind)
        if kind in STREAM_EVENTS:
            found.update({(event.exchange, event.symbol, event.what) for event in events})
        elif table is not None and table.part is None:
            found.update({(event.exchange, event.symbol, None) for event in events})
        elif table is not None:
            part = attrgetter(table.part or "")
            named = {(event.exchange, event.symbol, part(event)) for event in events}
            found.update({(exchange, symbol, None if name is None else str(name)) for exchange, symbol, name in named})
    return found


def _usable(connection: Any) -> bool:
    """Whether the connection still is one: the pool takes one that broke away from under its user."""
    with contextlib.suppress(asyncpg.InterfaceError):
        return not connection.is_closed()
    return False


def _days(table: Table, events: Iterable[Any]) -> set[int]:
    time = table.time
    if time == "ts_event":
        return {event.ts_event // DAY_NS for event in events if event.ts_event is not None}
    return {getattr(event, time) // DAY_NS for event in events}


def _near_edge(ts: int) -> bool:
    return not _EDGE_NS <= ts % DAY_NS < DAY_NS - _EDGE_NS
