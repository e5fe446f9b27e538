"""The connections to the server: made as the settings say, the database created if it is not there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg

from jrr_core.errors import ConfigError

from .failures import ERRORS, MISSING_DATABASE, code_of, on_open
from .settings import StorageConfig, Target

APPLICATION = "jrr"
_CLOSE_S = 5.0


class Server:
    """A pool of at most `pool_size` connections; opened once, closed once.

    `reading` is for queries: they may take any time, and times arrive as the
    driver's raw ones (`rows`).
    """

    def __init__(self, settings: StorageConfig, target: Target, reading: bool = False) -> None:
        """Connect to nothing yet."""
        self.settings = settings
        self.target = target
        self._reading = reading
        self._pool: asyncpg.Pool[Any] | None = None

    async def open(self, create: bool = True) -> None:
        """Connect, and `create` the database if it is not there. Raises ConfigError or SinkUnavailable."""
        if self._pool is not None:
            return
        _PassedOver.install(asyncio.get_running_loop())
        try:
            try:
                self._pool = await self._make_pool()
            except asyncpg.PostgresError as error:
                if code_of(error) != MISSING_DATABASE or not create:
                    raise
                await self._create_database()
                self._pool = await self._make_pool()
        except ERRORS as error:
            raise on_open(error, self.target, self.settings) from error

    async def take(self) -> Any:
        """Return a connection that is the caller's until `give`; raises what the driver raises."""
        if self._pool is None:
            raise asyncpg.InterfaceError("the store is not open")
        return await self._pool.acquire(timeout=self.settings.connect_timeout_s)

    async def give(self, connection: Any, broken: bool = False) -> None:
        """Take a connection back; a broken one is thrown away and replaced when needed."""
        with contextlib.suppress(*ERRORS):
            if broken:
                connection.terminate()
            elif self._pool is not None:
                await self._pool.release(connection, timeout=_CLOSE_S)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection for the length of the block."""
        connection = await self.take()
        broken = True
        try:
            yield connection
            broken = False
        except asyncpg.PostgresError:
            broken = False
            raise
        finally:
            await self.give(connection, broken)

    async def close(self) -> None:
        """Close every connection, by force where the server does not answer; safe at any time."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_S):
                await pool.close()
        except ERRORS:
            pool.terminate()

    async def _make_pool(self) -> "asyncpg.Pool[Any]":
        settings = self.settings
        # Beyond the server's own limit only a server that has fallen silent still owes an answer.
        patience_s = None if self._reading else settings.statement_timeout_s + 5.0
        pool = await asyncpg.create_pool(
            **self.target.arguments(),
            # With none kept open the driver does not try by itself, and does not fill the log while the server is away.
            min_size=0,
            max_size=settings.pool_size,
            max_inactive_connection_lifetime=60.0,
            timeout=settings.connect_timeout_s,
            command_timeout=patience_s,
            server_settings=server_settings(settings) | (_READING if self._reading else {}),
            init=_raw_times if self._reading else None,
        )
        try:
            await pool.release(await pool.acquire(timeout=settings.connect_timeout_s))
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _create_database(self) -> None:
        """Create the target database from another one of the server. Raises ConfigError where the user may not."""
        name, user = self.target.database, self.target.user or "(the account jrr runs under)"
        for neighbour in ("postgres", "template1"):
            try:
                connection = await asyncpg.connect(
                    **self.target.arguments(neighbour), timeout=self.settings.connect_timeout_s
                )
            except asyncpg.InvalidCatalogNameError:
                continue
            try:
                quoted = '"' + name.replace('"', '""') + '"'
                await connection.execute(f"CREATE DATABASE {quoted} ENCODING 'UTF8' TEMPLATE template0")
            except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                pass  # another collector was first
            except asyncpg.InsufficientPrivilegeError:
                raise ConfigError(
                    f"PostgreSQL at {self.target.place} has no database {name!r}, and user {user} may not create it; "
                    f"create it (createdb --owner USER {name}), or let it: ALTER ROLE USER CREATEDB"
                ) from None
            finally:
                await connection.close()
            return


class _PassedOver:
    """A loop's exception handler that passes over the answers asyncpg itself abandons.

    asyncpg makes the future of an answer before it looks at its own state. When
    the server has ended the session meanwhile, the call raises at once and the
    future fails unread when the line goes down: the failure was told already.
    """

    def __init__(self, before: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None) -> None:
        self._before = before

    @classmethod
    def install(cls, loop: asyncio.AbstractEventLoop) -> None:
        """Set it on `loop`, ahead of the handler that is there; once however often it is called."""
        if not isinstance(before := loop.get_exception_handler(), cls):
            loop.set_exception_handler(cls(before))

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        left = context.get("future")
        lost = isinstance(context.get("exception"), asyncpg.ConnectionDoesNotExistError)
        if lost and isinstance(left, asyncio.Future) and not isinstance(left, asyncio.Task):
            return
        if self._before is None:
            loop.default_exception_handler(context)
        else:
            self._before(loop, context)


LONG_S = 6 * 3600.0
"""What the driver is to wait for a statement that may take any time."""
_READING = {
    "statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "default_transaction_read_only": "on",
}  # fmt: skip


async def _raw_times(connection: Any) -> None:
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=lambda raw: raw, decoder=lambda raw: raw, format="tuple"
    )


async def be_patient(connection: Any) -> None:
    """Let this connection's statements take any time, until it goes back to the pool: migrations and retention do."""
    await connection.execute("SET statement_timeout = 0")


def server_settings(settings: StorageConfig) -> dict[str, str]:
    """Return what a session of jrr asks of the server: its name, its limits, and times in UTC."""
    return {
        "application_name": APPLICATION,
        "statement_timeout": f"{settings.statement_timeout_s * 1000:.0f}",
        "lock_timeout": f"{settings.lock_timeout_s * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{settings.statement_timeout_s * 2000:.0f}",
        "synchronous_commit": settings.synchronous_commit,
        "timezone": "UTC",
        "datestyle": "ISO",
        "jit": "off",
    }
