"""The sink: hands batches to the writer's thread and waits, while another thread completes files.

Reading goes beside it, by connections of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from jrr_core.errors import SinkUnavailable
from jrr_core.events import ALL_EVENTS
from jrr_core.instrument import Instrument
from jrr_core.sink import BatchPolicy, StreamKey, WriteResult
from jrr_core.store import EVERYTHING, Range, Selection

from . import reader
from .roller import Roller
from .settings import StorageConfig
from .writer import Writer

E = TypeVar("E")
T = TypeVar("T")

_CHUNK = 500  # events read by a thread at once


class ParquetSink:
    """Stores events in Parquet files by way of a journal (a Sink), and reads them back (a Store).

    All writing happens in one thread, in order: a call that was cancelled
    while its transaction ran is finished, whole, before the next one starts.
    """

    name: ClassVar[str] = "parquet"
    Settings: ClassVar[type] = StorageConfig
    embedded: ClassVar[bool] = False
    open_candles: ClassVar[bool] = False
    accepts: tuple[type, ...] = (*ALL_EVENTS, Instrument)

    def __init__(self, settings: StorageConfig) -> None:
        """Take the settings; open nothing yet."""
        self.settings = settings
        self.batch = BatchPolicy(settings.max_rows, settings.max_age_s)
        self._root = Path(settings.path).expanduser()
        self._writer = Writer(settings)
        self._roller = Roller(settings)
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open the journal and start completing files.

        Raises ConfigError for a path that cannot be used, a newer layout, a
        second writer or a missing pyarrow; SinkUnavailable for a journal that
        is locked for the moment or a disk that fails.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="jrr-parquet")
        await self._in_thread(self._writer.open)
        await self._in_thread(self._roller.start)

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Store all of the batch, durably, or nothing; an open candle counts as duplicate.

        Raises SinkUnavailable, also while files cannot be completed, for the
        journal must not grow without end; and SinkRejected.
        """
        if self._roller.failure is not None:
            raise self._roller.failure
        return await self._in_thread(lambda: self._writer.write(batch))

    async def close(self) -> None:
        """End the live coverage ranges and complete all files; what cannot be completed stays in the journal."""
        if self._thread is None:
            return
        try:
            await self._in_thread(self._finish)
        finally:
            self._thread.shutdown(wait=False)
            self._thread = None

    async def resume_points(self) -> Mapping[StreamKey, int]:
        """Return the last stored sequence of each stream."""
        return await asyncio.to_thread(reader.resume_points, self._root)

    async def read(self, type: type[E], chosen: Selection = EVERYTHING) -> AsyncIterator[E]:
        """Yield the chosen events of one class, or the Instruments."""
        source = reader.read(self._root, type, chosen)
        try:
            while chunk := await self._taken(source):
                for event in chunk:
                    yield event
        finally:
            source.close()

    async def coverage(self) -> Sequence[Range]:
        """Return the coverage ranges of every stream."""
        return await asyncio.to_thread(reader.coverage, self._root)

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many market events are stored by (exchange, channel)."""
        return await asyncio.to_thread(reader.counts, self._root)

    def _finish(self) -> None:
        """End coverage first, so that its file tells of the end; keep other collectors out until the last file."""
        self._writer.end()
        self._roller.stop()
        self._writer.close()

    async def _taken(self, source: Iterator[Any]) -> list[Any]:
        """Return the next events of a blocking source; when cancelled, wait until the thread has left it."""
        work = asyncio.ensure_future(asyncio.to_thread(lambda: [*islice(source, _CHUNK)]))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        except (OSError, ValueError) as error:  # of a file; pyarrow's errors are of these classes
            raise SinkUnavailable(f"{self._root} cannot be read: {error}") from error

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
