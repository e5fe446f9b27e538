"""Where a fault run stores: a SQLite file, or a database on a PostgreSQL server of its own that may be broken."""

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from attrs import define
from jrr_postgres import PostgresSink
from jrr_postgres import StorageConfig as PostgresSettings
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Home, Proxy, Server, execute
from jrr_sqlite import SqliteSink
from jrr_sqlite import StorageConfig as SqliteSettings

from jrr_core.store import QueryStore

# A Home makes one server at a time; runs beside each other share it.
_making = threading.Lock()
# Room for the files of an empty store and some seconds of data.
DISK_MB = 64


class NoSmallDisk(Exception):  # noqa: N818 - says what is not allowed here
    """No small file system may be mounted; the text is what mount said."""


class Kept(Protocol):
    """A store during a run."""

    name: str

    @property
    def settings(self) -> list[str]:
        """The lines of its section in jrr.toml."""

    def reader(self) -> QueryStore:
        """Return the store for reading, opened anew at every question."""

    def opened(self) -> AbstractAsyncContextManager[QueryStore]:
        """Open the store for many questions."""


@define
class SqliteKept:
    """A file, in a folder that may be a file system of its own."""

    path: Path
    name: str = "sqlite"

    @property
    def disk(self) -> Path:
        """The folder of its file."""
        return self.path.parent

    @property
    def settings(self) -> list[str]:
        """The lines of its section in jrr.toml."""
        return ["[sinks.sqlite]", f'path = "{self.path}"']

    def reader(self) -> QueryStore:
        """Return the store for reading, opened anew at every question."""
        return SqliteSink(SqliteSettings(path=str(self.path)))

    def opened(self) -> AbstractAsyncContextManager[QueryStore]:
        """Open the store for many questions."""
        return contextlib.nullcontext(self.reader())


@define
class PostgresKept:
    """A database; the collector reaches its server through a line that can be cut."""

    server: Server
    line: Proxy
    disk: Path
    database: str = "faults"
    name: str = "postgres"

    @property
    def settings(self) -> list[str]:
        """The lines of its section in jrr.toml."""
        return ["[sinks.postgres]", f'dsn = "{self.line.address}"', "compact = false"]

    @property
    def dsn(self) -> str:
        """The address of the database past the line."""
        return self.server.dsn(self.database)

    def reader(self) -> QueryStore:
        """Return the store for reading, opened anew at every question."""
        return PostgresSink(PostgresSettings(dsn=self.dsn, compact=False))

    def opened(self) -> AbstractAsyncContextManager[QueryStore]:
        """Open the store for many questions."""
        return Queries(PostgresSettings(dsn=self.dsn))


@contextlib.contextmanager
def kept(name: str, folder: Path, home: Home, *, small: bool) -> Iterator[Any]:
    """Make a store; with `small` its data lie on a file system of DISK_MB, or NoSmallDisk is raised."""
    if name == "sqlite":
        with small_disk(folder / "disk", None) if small else contextlib.nullcontext(folder) as place:
            yield SqliteKept(place / "market.db")
        return
    with _making:
        server = home.new()
    try:
        with Proxy(server.dsn("faults")) as line, contextlib.ExitStack() as stack:
            disk = server.folder
            if small:
                disk = stack.enter_context(small_disk(server.folder.with_name(f"{server.folder.name}-disk"), server))
                _sql(server, f"CREATE TABLESPACE small LOCATION '{disk}'")
                _sql(server, "CREATE DATABASE faults TABLESPACE small")
            yield PostgresKept(server, line, disk)
    finally:
        with _making:
            home.remove(server)


@contextlib.contextmanager
def small_disk(folder: Path, server: Server | None) -> Iterator[Path]:
    """Mount a file system of DISK_MB there, the server's where one is given, which is stopped before it goes."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        folder.rmdir()
        raise NoSmallDisk(done.stderr.strip())
    try:
        if server is not None:
            owner = server.folder.stat()
            os.chown(folder, owner.st_uid, owner.st_gid)
        yield folder
    finally:
        if server is not None:
            server.stop("immediate")
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Fill a small disk until nothing more goes onto it; return the file that does it."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def _sql(server: Server, statement: str) -> None:
    asyncio.run(execute(server.dsn(), statement))
