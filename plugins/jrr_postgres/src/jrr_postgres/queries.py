"""Reading the store: events, columns, books of the past, candles made from trades, what is missing.

    async with Queries(StorageConfig()) as store:
        async for trade in store.trades("binance", "BTCUSDT", ts_from, ts_to):
            ...

Times are int ns UTC, `ts_from` inclusive, `ts_to` exclusive, None for no limit.
Every call raises ConfigError when there is nothing to read, and SinkUnavailable
when the server is away. Rows and compact blocks are read alike.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar, cast

from attrs import fields

from jrr_core.book import BookState
from jrr_core.errors import ConfigError
from jrr_core.events import STREAM_EVENTS, Candle, FundingRate, Message, Quote, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import StreamKey
from jrr_core.store import EVERYTHING, Range, Selection
from jrr_core.volume import StreamVolume

from . import books, holdings, volume
from .failures import ERRORS, on_open
from .ledger import read_coverage
from .resampling import Resampling
from .scan import Scan, streams_clause
from .schema import version_of
from .server import Server
from .settings import StorageConfig, target_of
from .tables import TABLES

E = TypeVar("E")
_TABLES = {table.event: table for table in TABLES}


class Queries:
    """Asks one store; an `async with` block opens and closes it."""

    def __init__(self, settings: StorageConfig) -> None:
        """Connect to nothing yet. Raises ConfigError for an address that is none."""
        self.settings = settings
        self._schema = settings.schema
        self._server = Server(settings, target_of(settings), reading=True)
        self._sure = False

    async def __aenter__(self) -> "Queries":
        """Connect; raises ConfigError where the database holds nothing of jrr's."""
        try:
            async with self._connection():
                return self
        except BaseException:
            await self._server.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._server.close()

    def trades(
        self, exchange: str, symbol: str, ts_from: int | None = None, ts_to: int | None = None,
        *, limit: int | None = None, newest: bool = False,
    ) -> AsyncIterator[Trade]:  # fmt: skip
        """Yield the trades between two times, in order of time and id."""
        return self.read(Trade, Selection(exchange, symbol, ts_from, ts_to, None, limit, newest))

    def quotes(
        self, exchange: str, symbol: str, ts_from: int | None = None, ts_to: int | None = None,
        *, limit: int | None = None, newest: bool = False,
    ) -> AsyncIterator[Quote]:  # fmt: skip
        """Yield the best bids and asks between two times."""
        return self.read(Quote, Selection(exchange, symbol, ts_from, ts_to, None, limit, newest))

    def candles(
        self, exchange: str, symbol: str, interval: str, ts_from: int | None = None, ts_to: int | None = None,
        *, limit: int | None = None, newest: bool = False,
    ) -> AsyncIterator[Candle]:  # fmt: skip
        """Yield the stored candles whose interval begins between two times."""
        return self.read(Candle, Selection(exchange, symbol, ts_from, ts_to, interval, limit, newest))

    def funding(
        self, exchange: str, symbol: str, ts_from: int | None = None, ts_to: int | None = None,
        *, limit: int | None = None, newest: bool = False,
    ) -> AsyncIterator[FundingRate]:  # fmt: skip
        """Yield the funding rates between two times."""
        return self.read(FundingRate, Selection(exchange, symbol, ts_from, ts_to, None, limit, newest))

    async def read(self, type: type[E], chosen: Selection = EVERYTHING) -> AsyncIterator[E]:
        """Yield the stored events of one class, or Instruments, in order of time."""
        kind: Any = type
        found: AsyncIterator[Any]
        async with self._connection() as connection:
            if kind is Instrument:
                found = _instruments(connection, self._schema, chosen)
            elif kind in STREAM_EVENTS:
                found = _stream_events(connection, self._schema, kind, chosen)
            else:
                found = (await Scan.of(connection, self._schema, _TABLES[kind], chosen)).events(connection)
            async for event in found:
                yield cast(E, event)

    async def columns(self, type: type[Message], chosen: Selection = EVERYTHING) -> dict[str, list[Any]]:
        """Return the events of one class as columns: a list per field, all of one length, for a data frame."""
        names = ["exchange", "symbol", "ts_event", "ts_recv", *type.fields()]
        columns: dict[str, list[Any]] = {name: [] for name in names}
        put = [(name, columns[name].append) for name in names]
        async for event in self.read(type, chosen):
            for name, append in put:
                append(getattr(event, name))
        return columns

    async def book_at(self, exchange: str, symbol: str, ts: int, depth: int | None = None) -> BookState | None:
        """Return the book as it stood at `ts`, its best `depth` levels a side; None if unknown.

        Made from the last checkpoint or whole snapshot before `ts` and the
        deltas behind it; not intact where their chain broke or coverage tells
        of an interruption. A symbol of which only partial books are stored
        answers with the last of those.
        """
        async with self._connection() as connection:
            return await books.book_at(connection, self._schema, exchange, symbol, ts, depth)

    async def resample(
        self, exchange: str, symbol: str, interval: str, chosen: Selection = EVERYTHING
    ) -> AsyncIterator[Candle]:
        """Yield the candles that the stored trades make, made by the server; those without a trade are left out.

        Where a symbol's trades are numbered in several ways, one numbering is
        summed. `chosen` gives times (of the candles' beginnings) and limit.
        """
        resampling = Resampling(self._schema, exchange, symbol, interval)
        async with self._connection() as connection:
            async for candle in resampling.candles(connection, chosen):
                yield candle

    async def checkpoints(self, since: int, until: int) -> list[tuple[int, int, int, int, str]]:
        """Return what the sink keeps as checkpoints: the books of `until` that changed enough since the last.

        Rows of stream number, time, time of receipt, sequence and levels, of
        the books with a delta after `since`.
        """
        found: list[tuple[int, int, int, int, str]] = []
        async with self._connection() as connection:
            for number, stream in (await books.changed(connection, self._schema, since)).items():
                row = await books.checkpoint(connection, self._schema, number, stream, until)
                if row is not None:
                    found.append(row)
        return found

    async def coverage(self) -> Sequence[Range]:
        """Return the coverage ranges by exchange, channel, symbol and time."""
        async with self._connection() as connection:
            return await read_coverage(connection, self._schema)

    async def gaps(self, exchange: str | None = None, symbol: str | None = None) -> Sequence[Range]:
        """Return where something is missing, of one exchange or symbol or of all."""
        async with self._connection() as connection:
            ranges = await read_coverage(connection, self._schema, exchange=exchange, symbol=symbol)
            return [item for item in ranges if item.state == "gap"]

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many market events are stored by (exchange, channel)."""
        total: dict[tuple[str, str], int] = {}
        async with self._connection() as connection:
            for table in TABLES:
                for exchange, channel, number in await connection.fetch(holdings.counting(self._schema, table)):
                    total[exchange, channel] = total.get((exchange, channel), 0) + int(number)
        return total

    async def last(self) -> Mapping[StreamKey, int]:
        """Return the time (int ns UTC) of the last market event of each stream."""
        async with self._connection() as connection:
            return await holdings.last(connection, self._schema)

    async def resume_points(self) -> Mapping[StreamKey, int]:
        """Return where each stream ended: trade id, quote or book sequence, open time of the last closed candle.

        Of funding the settlement (int ns) that the last estimate was for.
        Trades of a numbering of their own are under the channel
        `trade@<id_space>`; ids that are no numbers are left out.
        """
        async with self._connection() as connection:
            return await holdings.resume_points(connection, self._schema)

    async def volume(self) -> Sequence[StreamVolume]:
        """Return what is stored of each stream, and the bytes it takes."""
        async with self._connection() as connection:
            return await volume.volume(connection, self._schema)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Lend a connection in a read-only transaction, on a store that was found to be there."""
        try:
            await self._server.open(create=False)
            async with self._server.connection() as connection, connection.transaction(readonly=True):
                if not self._sure and await version_of(connection, self._schema) == 0:
                    place = f"database {self._server.target.database!r} of PostgreSQL at {self._server.target.place}"
                    raise ConfigError(
                        f"{place} has no namespace {self._schema!r} of jrr's; collect something first, "
                        "or set DB_NAME or sinks.postgres.schema"
                    )
                self._sure = True
                yield connection
        except ERRORS as error:
            raise on_open(error, self._server.target, self.settings) from error


async def _instruments(connection: Any, schema: str, chosen: Selection) -> AsyncIterator[Instrument]:
    where, arguments = streams_clause(Selection(chosen.exchange, chosen.symbol))
    names = ", ".join([field.name for field in fields(Instrument)])
    query = f"SELECT {names} FROM {schema}.instruments WHERE {where} ORDER BY exchange, symbol"
    if chosen.limit is not None:
        query += f" LIMIT {chosen.limit:d}"
    for row in await connection.fetch(query, *arguments):
        yield Instrument(*row)


async def _stream_events(connection: Any, schema: str, kind: Any, chosen: Selection) -> AsyncIterator[Any]:
    where, arguments = streams_clause(Selection(chosen.exchange, chosen.symbol))
    for bound, ts in ((">=", chosen.ts_from), ("<", chosen.ts_to)):
        if ts is not None:
            arguments = [*arguments, ts]
            where += f" AND e.ts_recv {bound} ${len(arguments)}"
    order = "DESC" if chosen.newest else "ASC"
    query = (
        "SELECT s.exchange, s.symbol, e.ts_event, e.ts_recv, s.part, e.session, e.reason, e.count, e.ts_from, e.ts_to, "
        f"e.first, e.last FROM {schema}.stored_stream_events e JOIN {schema}.streams s ON s.id = e.stream "
        f"WHERE e.type = '{kind.type}' AND {where} ORDER BY e.ts_recv {order}"
    )
    if chosen.limit is not None:
        query += f" LIMIT {chosen.limit:d}"
    found = await connection.fetch(query, *arguments)
    for *values, first, last in reversed(found) if chosen.newest else found:
        yield kind(*values, None if first is None else (first, last))
