"""The one connection that writes the file. Blocking; lives in the sink's own thread and nowhere else.

Rows go in by statements of many rows each, not one by one: a thread gives up
the interpreter lock at every statement, and beside a busy event loop getting
it back can take milliseconds. Measured beside a loop that never rests: 600
rows/s one by one, some ten thousand so.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from jrr_core.errors import ConfigError, SinkRejected, SinkUnavailable
from jrr_core.events import STREAM_EVENTS, Candle, Message
from jrr_core.instrument import Instrument
from jrr_core.sink import WriteResult
from jrr_core.store import Cut

from . import instruments
from .failures import on_open, primary_code
from .ledger import Ledger
from .removing import remove
from .schema import prepare
from .settings import StorageConfig
from .tables import TABLES

_ROWS_AT_ONCE = 128  # prepared, a row takes 4-7 kB; larger statements were hardly faster
_STATEMENTS = 128  # kept prepared: the sizes of the busy tables, and everything else
_WAL_BYTES = 64 * 2**20
_CACHE_KB = 4000
_REFUSED = (
    TypeError, AttributeError, LookupError, ValueError, OverflowError,
    sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip
_TABLES = {table.event: table for table in TABLES}


class Writer:
    """Writes batches, each in one transaction, and keeps every other writer out of the file."""

    def __init__(self, settings: StorageConfig) -> None:
        """Take the settings; open nothing yet."""
        self._settings = settings
        self._path = Path(settings.path).expanduser()
        self._connection: sqlite3.Connection | None = None
        self._lock: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def open(self) -> None:
        """Open the file, make or migrate its schema. Raises ConfigError or SinkUnavailable, and is closed then.

        Does nothing where it is open: a call that was cancelled may have come about.
        """
        if self._connection is not None:
            return
        path = self._settings.path
        if self._path.is_dir():
            raise ConfigError(f"{path} is a directory; set sinks.sqlite.path to a file")
        if not self._path.parent.is_dir():
            raise ConfigError(f"{path}: the directory {self._path.parent} does not exist; make it, "
                              "or set sinks.sqlite.path to another file")  # fmt: skip
        try:
            self._lock = self._take_lock()
            self._connection = self._connect()
            self._streams = _StreamIds(self._connection)
            self._ledger = Ledger(self._connection, self._streams)
            self._last_ts = 0
            self._file = self._identity()
        except sqlite3.Error as error:
            self.close()
            raise on_open(error, path) from error
        except BaseException:
            self.close()
            raise

    def write(self, batch: Sequence[Any]) -> WriteResult:
        """Store the batch or nothing of it. Raises SinkRejected or SinkUnavailable."""
        with self._transaction() as connection:
            groups = _grouped(batch)
            written = sum([self._put_group(connection, kind, events) for kind, events in groups.items()])
            written += self._put_stream_events(batch, groups)
            self._ledger.heartbeat(self._last_received(batch))
        return WriteResult(written, len(batch) - written)

    @contextmanager
    def replacing(self, cuts: Sequence[Cut]) -> Iterator[tuple[int, Callable[[Sequence[Any]], WriteResult]]]:
        """In one transaction, take out the rows that are cut; yield how many, and what puts others in their place."""
        with self._transaction() as connection:

            def put(batch: Sequence[Any]) -> WriteResult:
                with self._failing():
                    groups = _grouped(batch)
                    written = sum([self._put_group(connection, kind, events) for kind, events in groups.items()])
                return WriteResult(written, len(batch) - written)

            yield sum([remove(connection, cut) for cut in cuts]), put

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Have a transaction for the length of the block. Raises SinkRejected or SinkUnavailable."""
        connection = self._connection
        if connection is None:
            raise SinkUnavailable(f"{self._settings.path} is not open")
        if self._identity() != self._file:
            # SQLite would go on writing to a file that has no name any more.
            raise SinkUnavailable(
                f"{self._settings.path} was moved or deleted while being written; "
                "put it back, or stop and start again to begin a new file"
            )
        done = False
        try:
            with self._failing():
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                done = True
        finally:
            self._settle(connection, done)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Tell what the file refuses as the contract wants it."""
        try:
            yield
        except _REFUSED as error:
            raise SinkRejected(f"{self._settings.path} refuses a row: {error}") from error
        except sqlite3.Error as error:
            raise SinkUnavailable(f"{self._settings.path}: {error}") from error

    def close(self) -> None:
        """End the live coverage ranges, fold the log into the file, let go of everything."""
        connection, self._connection = self._connection, None
        lock, self._lock = self._lock, None
        if connection is not None:
            # A range that cannot be ended here reads as ended by a crash; the log is folded in at the next open.
            with suppress(sqlite3.Error):
                connection.execute("BEGIN IMMEDIATE")
                self._ledger.end(self._last_ts)
                connection.execute("COMMIT")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        if lock is not None:
            lock.close()

    def _identity(self) -> tuple[int, int] | None:
        """Return which file the path names now, None for none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _take_lock(self) -> sqlite3.Connection:
        """Lock a file beside the data until this process ends, however it ends.

        Two writers would number streams and draw coverage against each other;
        a lock in the data file itself would keep readers out.
        """
        lock = sqlite3.connect(f"{self._path}-writer", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            if primary_code(error) != sqlite3.SQLITE_BUSY:
                raise
            raise ConfigError(
                f"{self._settings.path} is being written by another collector; "
                "stop that one, or set sinks.sqlite.path to another file"
            ) from None
        return lock

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._settings.busy_timeout_s,
            isolation_level=None,
            cached_statements=_STATEMENTS,
            check_same_thread=False,
        )
        try:
            prepare(connection, self._settings.path)
            connection.execute(f"PRAGMA synchronous = {self._settings.synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_group(self, connection: sqlite3.Connection, kind: type, events: Sequence[Any]) -> int:
        """Store the events of one class and return how many were new; stream events wait for their turn."""
        if kind is Instrument:
            return _put(connection, instruments.insert, [instruments.row(item) for item in events])
        if kind in STREAM_EVENTS:
            return 0
        table = _TABLES[kind]
        if kind is Candle and self._settings.candles == "closed":
            events = [candle for candle in events if candle.closed]
        row, streams = table.row, self._streams
        return _put(connection, table.insert, [row(event, streams) for event in events])

    def _put_stream_events(self, batch: Sequence[Any], groups: dict[type, list[Any]]) -> int:
        """Store what streams have to say, in the order of the batch, which the ledger needs."""
        if groups.keys().isdisjoint(STREAM_EVENTS):
            return 0
        return self._ledger.write([event for event in batch if type(event) in STREAM_EVENTS])

    def _last_received(self, batch: Sequence[Any]) -> int:
        for event in reversed(batch):
            if isinstance(event, Message):
                self._last_ts = event.ts_recv
                break
        return self._last_ts

    def _settle(self, connection: sqlite3.Connection, done: bool) -> None:
        """Make memory agree with the file after a transaction that is in it, or is not."""
        if done:
            self._streams.commit()
            self._ledger.commit()
            return
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self._streams.rollback()
        self._ledger.rollback()


class _StreamIds(dict[tuple[str, str, str | None], int]):
    """The streams of the file by (exchange, symbol, part); asking for a new one stores it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT exchange, symbol, part, id FROM streams")
        super().__init__({(exchange, symbol, part): number for exchange, symbol, part, number in found})
        self._connection = connection
        self._fresh: list[tuple[str, str, str | None]] = []

    def __missing__(self, key: tuple[str, str, str | None]) -> int:
        number = self._connection.execute(
            "INSERT INTO streams (exchange, symbol, part) VALUES (?, ?, ?)", key
        ).lastrowid
        assert number is not None  # an INSERT of one row has one
        self[key] = number
        self._fresh.append(key)
        return number

    def commit(self) -> None:
        self._fresh.clear()

    def rollback(self) -> None:
        for key in self._fresh:
            del self[key]
        self._fresh.clear()


def _grouped(batch: Sequence[Any]) -> dict[type, list[Any]]:
    groups: dict[type, list[Any]] = {}
    for event in batch:
        groups.setdefault(type(event), []).append(event)
    return groups


def _put(connection: sqlite3.Connection, statement: Callable[[int], str], rows: Sequence[tuple[Any, ...]]) -> int:
    """Store rows, some hundred by a statement, and return how many were new or took another's place.

    Preparing a statement costs more than running it, so there are few sizes
    of them, and the last row is repeated to fill one up: the same row again
    changes nothing.
    """
    before = connection.total_changes
    at = 0
    while at < len(rows):
        size = _statement_size(len(rows) - at)
        some = rows[at : at + size]
        at += size
        filling = size - len(some)
        connection.execute(statement(size), [*chain.from_iterable(some), *(some[-1] * filling)])
    return connection.total_changes - before


def _statement_size(rows: int) -> int:
    """Return how many rows the next statement takes: a power of two, above `rows` if little is left to fill up."""
    above: int = 1 << (rows - 1).bit_length()
    if above > _ROWS_AT_ONCE:
        return _ROWS_AT_ONCE
    return above if rows * 4 >= above * 3 else above // 2
