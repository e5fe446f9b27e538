"""The sink: opens the store, hands batches to the writer, keeps the maintenance running beside it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

from jrr_core.book import BookState
from jrr_core.events import ALL_EVENTS, Candle
from jrr_core.instrument import Instrument
from jrr_core.sink import BatchPolicy, StreamKey, WriteResult
from jrr_core.store import EVERYTHING, Cut, Range, Selection
from jrr_core.volume import RowBytes, StreamVolume

from . import schema
from .failures import ERRORS, on_open
from .maintenance import Maintenance
from .queries import Queries
from .replacing import Replacing, replacing
from .server import Server
from .settings import StorageConfig, target_of
from .volume import ROW_BYTES
from .writer import Writer

E = TypeVar("E")


class PostgresSink:
    """Stores every event in a PostgreSQL database (a Sink), and reads it back (a Store)."""

    name: ClassVar[str] = "postgres"
    Settings: ClassVar[type] = StorageConfig
    embedded: ClassVar[bool] = False
    several_writers: ClassVar[bool] = True
    row_bytes: ClassVar[Mapping[str, RowBytes]] = ROW_BYTES
    accepts: tuple[type, ...] = (*ALL_EVENTS, Instrument)
    instance: str = ""

    def __init__(self, settings: StorageConfig) -> None:
        """Take the settings; connect to nothing yet. Raises ConfigError for an address that is none."""
        self.settings = settings
        self.open_candles = settings.candles == "all"
        self.batch = BatchPolicy(settings.max_rows, settings.max_age_s, settings.pause_s)
        self._server = Server(settings, target_of(settings))
        self._writer = Writer(self._server)
        self._maintenance: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, make or migrate database and schema, and the partitions of the next days.

        Raises ConfigError for a password, a privilege, a foreign or newer
        schema; SinkUnavailable for a server that is away.
        """
        try:
            await self._server.open()
            async with self._server.connection() as connection:
                await schema.refuse_foreign(connection, self.settings.schema)
                await schema.prepare(connection, self.settings.schema)
                await self._writer.partitions.ahead(connection, self.settings.partitions_ahead_days)
            self._writer.instance = self.instance
            if self._maintenance is None:
                duties = Maintenance(self._server, self._writer.partitions, lambda: self._writer.slot)
                self._maintenance = asyncio.create_task(duties.run())
        except ERRORS as error:
            await self._server.close()
            raise on_open(error, self._server.target, self.settings) from error
        except BaseException:
            await self._server.close()
            raise

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Store all of the batch or nothing.

        A closed candle takes the place of an open one, a newer open one that
        of an older; with `candles = "closed"` an open candle counts as
        duplicate. Raises SinkUnavailable and SinkRejected.
        """
        return await self._writer.write(batch)

    async def close(self) -> None:
        """End the live coverage ranges and close every connection."""
        maintenance, self._maintenance = self._maintenance, None
        if maintenance is not None:
            maintenance.cancel()
            await asyncio.gather(maintenance, return_exceptions=True)
        await self._writer.close()
        await self._server.close()

    def replacing(self, cuts: Sequence[Cut]) -> AbstractAsyncContextManager[Replacing]:
        """Take out what is cut, and let other rows be put in its place, in one transaction; after `open`."""
        return replacing(self._server, cuts)

    async def resume_points(self) -> Mapping[StreamKey, int]:
        """Return the last stored number of each stream; `Queries.resume_points` says of which kind."""
        async with Queries(self.settings) as store:
            return await store.resume_points()

    async def read(self, type: type[E], chosen: Selection = EVERYTHING) -> AsyncIterator[E]:
        """Yield the stored events of one class, or the Instruments, in order of time."""
        async with Queries(self.settings) as store:
            async for event in store.read(type, chosen):
                yield event

    async def coverage(self) -> Sequence[Range]:
        """Return the coverage ranges of every stream."""
        async with Queries(self.settings) as store:
            return await store.coverage()

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many market events are stored by (exchange, channel)."""
        async with Queries(self.settings) as store:
            return await store.counts()

    async def book_at(self, exchange: str, symbol: str, ts: int, depth: int | None = None) -> BookState | None:
        """Return the book as it stood at `ts` (int ns UTC)."""
        async with Queries(self.settings) as store:
            return await store.book_at(exchange, symbol, ts, depth)

    async def resample(
        self, exchange: str, symbol: str, interval: str, chosen: Selection = EVERYTHING
    ) -> AsyncIterator[Candle]:
        """Yield the candles that the stored trades make."""
        async with Queries(self.settings) as store:
            async for candle in store.resample(exchange, symbol, interval, chosen):
                yield candle

    async def last(self) -> Mapping[StreamKey, int]:
        """Return the time (int ns UTC) of the last market event of each stream."""
        async with Queries(self.settings) as store:
            return await store.last()

    async def volume(self) -> Sequence[StreamVolume]:
        """Return what is stored of each stream, and the bytes it takes."""
        async with Queries(self.settings) as store:
            return await store.volume()
