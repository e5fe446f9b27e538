"""The one connection that writes batches to the journal. Blocking; lives in the sink's own thread and nowhere else.

A batch is one transaction: its rows, their keys, resume points and coverage.
SQL goes by statements of many rows, not one by one: a thread gives up the
interpreter lock at each, and beside a busy event loop must wait to get it back.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from attrs import astuple

from jrr_core.errors import ConfigError, SinkRejected, SinkUnavailable
from jrr_core.events import BookDelta, Candle, FundingRate, Message, Quote, StreamEvent, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import StreamKey, WriteResult

from . import instruments, ledger
from .journal import FOLDER, failure, file_of, prepare
from .keys import Keys, keyed
from .partition import DAY_NS, Partition
from .relations import BY_EVENT, Row
from .settings import StorageConfig

_REFUSED = (TypeError, AttributeError, LookupError, ValueError, OverflowError)
_encode = msgspec.msgpack.Encoder().encode


class Writer:
    """Writes batches, each in one transaction, and keeps every other writer out of the folder."""

    def __init__(self, settings: StorageConfig) -> None:
        """Take the settings; open nothing yet."""
        self._settings = settings
        self._root = Path(settings.path).expanduser()
        self._db: sqlite3.Connection | None = None
        self._lock: sqlite3.Connection | None = None
        self._last_ts = 0

    def open(self) -> None:
        """Make the folder and the journal where they are not there. Raises ConfigError or SinkUnavailable.

        Does nothing where it is open: a call that was cancelled may have come about.
        """
        if self._db is not None:
            return
        try:
            _make(self._root / FOLDER)
            self._lock = self._take_lock()
            self._db = prepare(self._root, self._settings.busy_timeout_s)
            self._lines = ledger.timelines(self._db)
            self._partitions: dict[Partition, int] = {}
            self._file = self._identity()
            self._keys = Keys(self._db, self._settings.keys_days)
        except sqlite3.Error as error:
            self.close()
            raise failure(error, self._root) from error
        except BaseException:
            self.close()
            raise

    def write(self, batch: Sequence[Any]) -> WriteResult:
        """Store the batch or nothing of it. Raises SinkRejected or SinkUnavailable."""
        db = self._db
        if db is None:
            raise SinkUnavailable(f"{self._root} is not open")
        if self._identity() != self._file:
            # SQLite would go on writing to a file that has no name any more.
            raise SinkUnavailable(f"{file_of(self._root)} was moved or deleted while being written; put it back")
        staged: dict[Partition, int] = {}
        done = False
        try:
            found = keyed(batch)
            db.execute("BEGIN IMMEDIATE")
            fresh = self._keys.add(found)
            self._put_rows(db, fresh, staged)
            told = [event for event in fresh if isinstance(event, StreamEvent)]
            _put_stream_events(db, told)
            self._lines.apply(told)
            self._lines.heartbeat(self._last_received(batch))
            ledger.put(db, self._lines)
            written = len(fresh) + instruments.put(db, [item for item in batch if isinstance(item, Instrument)])
            db.execute("COMMIT")
            done = True
        except _REFUSED as error:
            raise SinkRejected(f"{self._root} refuses a row: {error}") from error
        except sqlite3.Error as error:
            raise SinkUnavailable(f"{file_of(self._root)}: {error}") from error
        finally:
            self._settle(db, done, staged)
        return WriteResult(written, len(batch) - written)

    def end(self) -> None:
        """End the live coverage ranges: no batch comes any more."""
        db = self._db
        if db is None:
            return
        done = False
        # A range that cannot be ended here reads as ended by a crash.
        with suppress(sqlite3.Error):
            db.execute("BEGIN IMMEDIATE")
            self._lines.end(self._last_ts)
            ledger.put(db, self._lines)
            db.execute("COMMIT")
            done = True
        self._settle(db, done, {})

    def close(self) -> None:
        """Let go of the journal and of the lock."""
        db, self._db = self._db, None
        lock, self._lock = self._lock, None
        if db is not None:
            db.close()
        if lock is not None:
            lock.close()

    def _take_lock(self) -> sqlite3.Connection:
        """Lock a file of its own until this process ends, however it ends; the journal's lock would hinder readers."""
        lock = sqlite3.connect(self._root / FOLDER / "writer", timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise ConfigError(
                f"{self._root} is being written by another collector; stop that one, or set sinks.parquet.path"
            ) from None
        except BaseException:
            lock.close()
            raise
        return lock

    def _identity(self) -> tuple[int, int] | None:
        """Return which file the journal's name means now, None for none."""
        try:
            found = file_of(self._root).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _put_rows(self, db: sqlite3.Connection, events: Sequence[Any], staged: dict[Partition, int]) -> None:
        """Add the rows of market events to their partitions, and move the resume points on."""
        rows: dict[Partition, list[Row]] = {}
        points: dict[StreamKey, int] = {}
        for event in events:
            relation = BY_EVENT.get(type(event))
            if relation is None:
                continue
            day = relation.time_of(event) // DAY_NS
            place = Partition(relation.name, event.exchange, event.channel, event.symbol, day)
            rows.setdefault(place, []).append(relation.row(event))
            stream, position = _position(event)
            if position is not None:
                points[stream] = max(position, points.get(stream, position))
        for place, found in rows.items():
            number = self._number(db, place, staged)
            db.execute("UPDATE partitions SET rows = rows + ? WHERE id = ?", (len(found), number))
            db.execute("INSERT INTO pending (partition, rows) VALUES (?, ?)", (number, _encode(found)))
        db.executemany(
            "INSERT INTO points VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
            [(stream.exchange, stream.channel, stream.symbol, last) for stream, last in points.items()],
        )

    def _number(self, db: sqlite3.Connection, place: Partition, staged: dict[Partition, int]) -> int:
        """Return the number of a partition, which is stored, once its folder is known to be possible."""
        number = self._partitions.get(place)
        if number is None:
            place.folder(self._root)
            values = astuple(place)
            db.execute(
                "INSERT INTO partitions (relation, exchange, channel, symbol, day, rows) "
                "VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
                values,
            )
            (number,) = db.execute(
                "SELECT id FROM partitions WHERE (relation, exchange, channel, symbol, day) = (?, ?, ?, ?, ?)", values
            ).fetchone()
            staged[place] = number
        return number

    def _last_received(self, batch: Sequence[Any]) -> int:
        received = [event.ts_recv for event in batch[-1:] if isinstance(event, Message)]
        self._last_ts = received[0] if received else self._last_ts
        return self._last_ts

    def _settle(self, db: sqlite3.Connection, done: bool, staged: dict[Partition, int]) -> None:
        """Make memory agree with the journal after a transaction that is in it, or is not."""
        if done:
            self._lines.commit()
            if len(self._partitions) > 50_000:  # those of past days
                self._partitions.clear()
            self._partitions |= staged
            return
        with suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        self._lines.rollback()
        with suppress(sqlite3.Error):
            self._keys.rollback()


def _make(folder: Path) -> None:
    """Make the store's folder, but not the directory it is in; raises ConfigError where that cannot be."""
    above = folder.parent.parent
    if not above.is_dir():
        raise ConfigError(f"the directory {above} does not exist; make it, or set sinks.parquet.path to another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made ({error.strerror}); set sinks.parquet.path") from error


def _position(event: Message) -> tuple[StreamKey, int | None]:
    """Return where an event puts its stream, as `ResumableSink.resume_points` defines it; None for nowhere."""
    channel, position = event.channel, None
    if isinstance(event, Trade):
        channel = "trade" if event.id_space is None else f"trade@{event.id_space}"
        digits = event.trade_id.isascii() and event.trade_id.isdigit() and len(event.trade_id) < 19
        position = int(event.trade_id) if digits else None
    elif isinstance(event, (Quote, BookDelta)):
        position = event.sequence
    elif isinstance(event, Candle):
        position = event.open_time
    elif isinstance(event, FundingRate) and event.predicted:
        position = event.next_funding_time
    return StreamKey(event.exchange, channel, event.symbol), position


def _put_stream_events(db: sqlite3.Connection, events: Sequence[StreamEvent]) -> None:
    db.executemany(
        "INSERT INTO stream_events (type, exchange, symbol, ts, fields) VALUES (?, ?, ?, ?, ?)",
        [
            (
                event.type, event.exchange, event.symbol, event.ts_recv if event.ts_event is None else event.ts_event,
                _encode(astuple(event)),
            )
            for event in events
        ],
    )  # fmt: skip
