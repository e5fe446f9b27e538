"""The sink: hands batches to the writer's thread and waits. Reading goes beside it, by its own connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any, ClassVar, TypeVar

from attrs import define

from jrr_core.book import BookState
from jrr_core.events import ALL_EVENTS, Candle
from jrr_core.instrument import Instrument
from jrr_core.sink import BatchPolicy, StreamKey, WriteResult
from jrr_core.store import EVERYTHING, Cut, Range, Selection
from jrr_core.volume import RowBytes, StreamVolume

from . import books, candles, queries, rows, volume
from .chunks import in_chunks
from .settings import StorageConfig
from .writer import Writer

E = TypeVar("E")
T = TypeVar("T")


@define(frozen=True)
class Replacing:
    """Rows being replaced: how many are gone, and what puts others in their place."""

    removed: int
    put: Callable[[Sequence[Any]], Awaitable[WriteResult]]


class SqliteSink:
    """Stores every event in one SQLite file (a Sink), and reads it back (a QueryStore, and Measurable).

    All writing happens in one thread, in order: a call that was cancelled
    while its transaction ran is finished, whole, before the next one starts.
    """

    name: ClassVar[str] = "sqlite"
    Settings: ClassVar[type] = StorageConfig
    embedded: ClassVar[bool] = True
    accepts: tuple[type, ...] = (*ALL_EVENTS, Instrument)
    row_bytes: ClassVar[Mapping[str, RowBytes]] = volume.ROW_BYTES

    def __init__(self, settings: StorageConfig) -> None:
        """Take the settings; open nothing yet."""
        self.settings = settings
        self.open_candles = settings.candles == "all"
        self.batch = BatchPolicy(settings.max_rows, settings.max_age_s)
        self._writer = Writer(settings)
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open the file and make or migrate its schema.

        Raises ConfigError for a path that cannot be used, a file of another
        program, a newer schema or a second writer; SinkUnavailable for a
        file that is locked for the moment or a disk that fails.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="jrr-sqlite")
        await self._in_thread(self._writer.open)

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Store all of the batch or nothing.

        A closed candle takes the place of an open one, a newer open one that
        of an older; with `candles = "closed"` an open candle counts as
        duplicate. Raises SinkUnavailable and SinkRejected.
        """
        return await self._in_thread(lambda: self._writer.write(batch))

    @asynccontextmanager
    async def replacing(self, cuts: Sequence[Cut]) -> AsyncIterator[Replacing]:
        """Take out what is cut, and let other rows be put in its place, in one transaction; after `open`."""
        transaction = self._writer.replacing(cuts)
        removed, put = await self._in_thread(transaction.__enter__)
        try:
            yield Replacing(removed, lambda batch: self._in_thread(lambda: put(batch)))
        except BaseException as error:
            failed = type(error), error, error.__traceback__
            with suppress(BaseException):
                await self._in_thread(lambda: transaction.__exit__(*failed))
            raise
        await self._in_thread(lambda: transaction.__exit__(None, None, None))

    async def close(self) -> None:
        """End the live coverage ranges and release the file; waits for a write that still runs."""
        if self._thread is None:
            return
        try:
            await self._in_thread(self._writer.close)
        finally:
            self._thread.shutdown(wait=False)
            self._thread = None

    async def resume_points(self) -> Mapping[StreamKey, int]:
        """Return the last stored sequence of each stream; `queries.resume_points` says of which kind."""
        return await self._in_thread(lambda: queries.resume_points(self.settings.path))

    async def read(self, type: type[E], chosen: Selection = EVERYTHING) -> AsyncIterator[E]:
        """Yield the chosen events of one class, or the Instruments."""
        path = self.settings.path
        async with aclosing(in_chunks(path, lambda connection: rows.read(connection, type, chosen))) as found:
            async for event in found:
                yield event

    async def coverage(self) -> Sequence[Range]:
        """Return the coverage ranges of every stream."""
        return await asyncio.to_thread(queries.coverage, self.settings.path)

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many market events are stored by (exchange, channel)."""
        return await asyncio.to_thread(queries.counts, self.settings.path)

    async def volume(self) -> Sequence[StreamVolume]:
        """Return what each stream takes of the file."""
        return await asyncio.to_thread(volume.volume, self.settings.path)

    async def last(self) -> Mapping[StreamKey, int]:
        """Return the time of the last event of each stream, where its numbers or its arrival put it last."""
        return await asyncio.to_thread(queries.last, self.settings.path)

    async def book_at(self, exchange: str, symbol: str, ts: int, depth: int | None = None) -> BookState | None:
        """Return the book as it stood at `ts`, None if no book is stored up to then."""
        return await asyncio.to_thread(books.book_at, self.settings.path, exchange, symbol, ts, depth)

    async def resample(
        self, exchange: str, symbol: str, interval: str, chosen: Selection = EVERYTHING
    ) -> AsyncIterator[Candle]:
        """Yield the candles that the stored trades of one numbering make."""
        make = partial(candles.resample, exchange=exchange, symbol=symbol, interval=interval, chosen=chosen)
        async with aclosing(in_chunks(self.settings.path, make)) as found:
            async for candle in found:
                yield candle

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
