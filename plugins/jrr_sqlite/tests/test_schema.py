"""The schema's version: recorded, brought forward, refused when unknown."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from jrr_sqlite import SqliteSink, StorageConfig
from jrr_sqlite.schema import VERSION, prepare

from jrr_core.errors import ConfigError
from jrr_core.sink import WriteResult

Store = Callable[..., list[WriteResult]]


def change(path: str, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)


def test_the_version_is_recorded_for_programs_and_for_people(path: str, store: Store) -> None:
    store([])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(VERSION,)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_opening_again_changes_nothing(path: str, store: Store) -> None:
    store([])
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("SELECT * FROM sqlite_master").fetchall()
    store([])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == before


def test_an_older_file_is_brought_forward_step_by_step(path: str, store: Store) -> None:
    store([])
    steps = {
        VERSION: lambda c: c.execute("ALTER TABLE stored_trades ADD COLUMN venue TEXT"),
        VERSION + 1: lambda c: c.execute("UPDATE stored_trades SET venue = 'x'"),
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        prepare(connection, path, VERSION + 2, steps)
        assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (VERSION + 2,)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION + 2,)
        assert connection.execute("SELECT count(*) FROM trades").fetchone() == (0,)
        connection.execute("SELECT venue FROM stored_trades")


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: str, store: Store) -> None:
    store([])

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE stored_trades")
        raise RuntimeError("half way")

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(RuntimeError):
            prepare(connection, path, VERSION + 1, {VERSION: fail})
        connection.execute("SELECT count(*) FROM stored_trades")
    store([])


def test_a_newer_file_is_refused_by_writer_and_reader(path: str, store: Store) -> None:
    store([])
    change(path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ConfigError, match=rf"market\.db has schema version {VERSION + 1}.*newer jrr-sqlite"):
        store([])
    with pytest.raises(ConfigError, match="newer jrr-sqlite"):
        asyncio.run(SqliteSink(StorageConfig(path=path)).coverage())


def test_another_programs_database_is_refused_and_untouched(path: str, store: Store) -> None:
    change(path, "CREATE TABLE mine (x)")
    with pytest.raises(ConfigError, match="another program"):
        store([])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_file_that_is_no_database_is_refused(path: str, store: Store) -> None:
    Path(path).write_bytes(b"date,price\n" * 1000)
    with pytest.raises(ConfigError, match=r"market\.db is not a usable SQLite database"):
        store([])
    assert Path(path).read_bytes() == b"date,price\n" * 1000
