"""The file's schema: made when the file is new, brought forward when it is older, refused when it is newer.

The version is in `PRAGMA user_version`, for programs, and with its date in the
table `schema_version`, for people. `PRAGMA application_id` tells jrr's files
from other databases.
"""

import sqlite3
from collections.abc import Callable, Mapping

from jrr_core.errors import ConfigError

from .tables import NOTES, TABLES

VERSION = 1
APPLICATION_ID = 0x6A727201  # "jrr" and a counter
PAGE_SIZE = 8192  # a 20-level book row takes 500-800 bytes; on 4096-byte pages a tenth more is wasted

Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: Mapping[int, Migration] = {}
"""What brings a file of version n (the key) to n + 1. Views are made anew afterwards, so only tables need care."""

_CREATE = (
    "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, since TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE streams (id INTEGER PRIMARY KEY, exchange TEXT NOT NULL, symbol TEXT NOT NULL, part TEXT)",
    """CREATE TABLE stored_stream_events (
        stream INTEGER NOT NULL, type TEXT NOT NULL, session TEXT NOT NULL,
        ts_recv INTEGER NOT NULL CHECK (typeof(ts_recv) = 'integer'), first NOT NULL, last NOT NULL,
        ts_event INTEGER, reason TEXT, count INTEGER, ts_from INTEGER, ts_to INTEGER,
        PRIMARY KEY (stream, type, session, ts_recv, first, last)) WITHOUT ROWID""",
    """CREATE TABLE stored_coverage (
        stream INTEGER NOT NULL, ts_from INTEGER NOT NULL, ts_to INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT, missing INTEGER,
        PRIMARY KEY (stream, ts_from)) WITHOUT ROWID""",
    """CREATE TABLE instruments (
        exchange TEXT NOT NULL, symbol TEXT NOT NULL, base TEXT NOT NULL, quote TEXT NOT NULL, settle TEXT,
        kind TEXT NOT NULL, tick_size TEXT, lot_size TEXT, contract_size TEXT, contract_currency TEXT,
        canonical TEXT NOT NULL, expiry INTEGER, status TEXT NOT NULL, active INTEGER NOT NULL,
        PRIMARY KEY (exchange, symbol)) WITHOUT ROWID""",
)
_VIEWS = {
    "coverage": """SELECT s.exchange AS exchange, s.part AS channel, s.symbol AS symbol, ts_from, ts_to, state, reason,
        missing FROM stored_coverage c JOIN streams s ON s.id = c.stream""",
    "stream_events": f"SELECT {', '.join([f'{expression} AS {name}' for name, expression in NOTES.items()])} "
    "FROM stored_stream_events e JOIN streams s ON s.id = e.stream",
}


def version_of(connection: sqlite3.Connection, path: str) -> int:
    """Return the file's schema version, 0 for an empty file.

    Raises ConfigError for another program's database and for a version this
    program does not know.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and (tables or version or application):
        raise ConfigError(f"{path} is a SQLite database of another program; set sinks.sqlite.path to another file")
    if version > VERSION:
        raise ConfigError(
            f"{path} has schema version {version}, this jrr-sqlite knows up to {VERSION}: "
            "install a newer jrr-sqlite, or set sinks.sqlite.path to another file"
        )
    return version


def prepare(
    connection: sqlite3.Connection,
    path: str,
    version: int = VERSION,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> None:
    """Bring the file to `version`, all or nothing; the connection must be outside a transaction.

    Raises ConfigError as `version_of` does.
    """
    version_of(connection, path)  # before anything that would leave a mark on another program's file
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")  # takes effect on an empty file only
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = version_of(connection, path)
        if found == 0:
            _create(connection)
        for old in range(found, version) if found else ():
            migrations[old](connection)
        if found != version:
            _create_views(connection)
            connection.execute("INSERT INTO schema_version (version) VALUES (?)", (version,))
            connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in _CREATE:
        connection.execute(statement)
    for table in TABLES:
        for statement in table.create():
            connection.execute(statement)


def _create_views(connection: sqlite3.Connection) -> None:
    old = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
    for (name,) in old:
        connection.execute(f'DROP VIEW "{name}"')
    for name, select in _VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {select}")
    for table in TABLES:
        connection.execute(table.create_view())
