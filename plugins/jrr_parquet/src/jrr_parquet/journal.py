"""The journal: a SQLite file beside the Parquet files, holding what is not in one yet and what is known of all.

Batches become durable here, whole or not at all. Rows leave it only once they
are in a completed file. Programs that read the Parquet files never need it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from jrr_core.errors import ConfigError, JrrError, SinkUnavailable

VERSION = 1
FOLDER = "_jrr"
"""Folder of the journal and of unfinished files, beneath the store's own and beside those of the relations."""

_NOT_OURS = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_NOT_WRITABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}

# A number of `pending` is never used twice: files tell by it up to where they hold it.
_CREATE = (
    "CREATE TABLE store (id TEXT NOT NULL)",
    """CREATE TABLE partitions (
        id INTEGER PRIMARY KEY, relation TEXT NOT NULL, exchange TEXT NOT NULL, channel TEXT NOT NULL,
        symbol TEXT NOT NULL, day INTEGER NOT NULL, rows INTEGER NOT NULL,
        merged INTEGER NOT NULL DEFAULT 1,
        UNIQUE (relation, exchange, channel, symbol, day))""",
    """CREATE TABLE pending (
        number INTEGER PRIMARY KEY AUTOINCREMENT, partition INTEGER NOT NULL, rows BLOB NOT NULL)""",
    "CREATE INDEX partitions_to_merge ON partitions (day) WHERE merged = 0",
    "CREATE INDEX pending_by_partition ON pending (partition)",
    "CREATE TABLE keys (day INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (day, key)) WITHOUT ROWID",
    """CREATE TABLE points (
        exchange TEXT NOT NULL, channel TEXT NOT NULL, symbol TEXT NOT NULL, last INTEGER NOT NULL,
        PRIMARY KEY (exchange, channel, symbol)) WITHOUT ROWID""",
    """CREATE TABLE instruments (
        exchange TEXT NOT NULL, symbol TEXT NOT NULL, fields BLOB NOT NULL,
        PRIMARY KEY (exchange, symbol)) WITHOUT ROWID""",
    """CREATE TABLE stream_events (
        number INTEGER PRIMARY KEY, type TEXT NOT NULL, exchange TEXT NOT NULL, symbol TEXT NOT NULL,
        ts INTEGER NOT NULL, fields BLOB NOT NULL)""",
    "CREATE INDEX stream_events_by_stream ON stream_events (exchange, symbol, type, ts)",
    """CREATE TABLE coverage (
        exchange TEXT NOT NULL, channel TEXT NOT NULL, symbol TEXT NOT NULL, ts_from INTEGER NOT NULL,
        ts_to INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, missing INTEGER,
        PRIMARY KEY (exchange, channel, symbol, ts_from)) WITHOUT ROWID""",
    f"PRAGMA user_version = {VERSION}",
)


def file_of(root: Path) -> Path:
    """Return where the journal of a store is."""
    return root / FOLDER / "journal.db"


def prepare(root: Path, timeout_s: float) -> sqlite3.Connection:
    """Open the journal for writing and make its tables where it is new; raises sqlite3.Error and ConfigError."""
    connection = _connect(root, timeout_s)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if _version(connection, root) == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _CREATE:
                connection.execute(statement)
            connection.execute("INSERT INTO store VALUES (?)", (uuid4().hex,))
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def reading(root: Path, timeout_s: float = 5.0) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a store that exists.

    Raises ConfigError where there is nothing to read, SinkUnavailable where reading fails.
    """
    if not file_of(root).is_file():
        raise ConfigError(f"{root} is not a store of jrr: {file_of(root)} does not exist; set sinks.parquet.path")
    try:
        with closing(_connect(root, timeout_s)) as connection:
            if _version(connection, root) == 0:
                raise ConfigError(f"{root} holds nothing yet")
            yield connection
    except sqlite3.Error as error:
        raise failure(error, root) from error


def failure(error: sqlite3.Error, root: Path) -> JrrError:
    """Return what to raise for an error of SQLite: the user's to mend, or perhaps gone in a moment."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _NOT_OURS:
        return ConfigError(f"{file_of(root)} is not a journal of jrr ({error}); set sinks.parquet.path to a new folder")
    if code in _NOT_WRITABLE:
        return ConfigError(f"{file_of(root)} cannot be opened ({error}); make {root} readable and writable")
    return SinkUnavailable(f"{file_of(root)}: {error}")


def store_id(connection: sqlite3.Connection) -> str:
    """Return what tells this store's files from those of another."""
    (found,) = connection.execute("SELECT id FROM store").fetchone()
    return str(found)


def _connect(root: Path, timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(file_of(root), timeout=timeout_s, isolation_level=None, check_same_thread=False)


def _version(connection: sqlite3.Connection, root: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise ConfigError(f"{root} was written by a newer jrr-parquet (layout {version}); upgrade jrr-parquet")
    return int(version)
