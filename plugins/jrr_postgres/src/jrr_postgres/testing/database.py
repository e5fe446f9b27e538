"""A database of its own for each test, and the store in it: opened, asked, packed."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import date
from typing import Any

import asyncpg

from ..compact import Packed, compact
from ..settings import StorageConfig
from ..sink import PostgresSink
from .home import Address


@contextlib.contextmanager
def fresh_database(server: Address) -> Iterator[str]:
    """Make an empty database, give its DSN, drop it whoever is still connected. Not within a running event loop."""
    name = f"jrr_{uuid.uuid4().hex[:12]}"
    asyncio.run(execute(server.dsn(), f'CREATE DATABASE "{name}"'))
    try:
        yield server.dsn(name)
    finally:
        asyncio.run(execute(server.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)'))


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Any]:
    """Lend an asyncpg connection for the length of the block."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def execute(dsn: str, *statements: str) -> None:
    """Run statements one by one, each in a transaction of its own."""
    async with connected(dsn) as connection:
        for statement in statements:
            await connection.execute(statement)


async def fetch(dsn: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """Return the rows of one query."""
    async with connected(dsn) as connection:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]


@contextlib.asynccontextmanager
async def opened(dsn: str, **settings: Any) -> AsyncIterator[PostgresSink]:
    """Open the store for the length of the block; unless asked it compacts nothing by itself."""
    sink = PostgresSink(StorageConfig(dsn=dsn, **{"compact": False, **settings}))
    try:
        await sink.open()
        yield sink
    finally:
        await sink.close()


async def pack(dsn: str, before: date) -> list[Packed]:
    """Compact every day before `before`, in this process; return what was done."""
    async with connected(dsn) as connection:
        return await compact(connection, StorageConfig().schema, before, lambda _: None)


def with_sink(dsn: str, work: Callable[[PostgresSink, Any], Awaitable[Any]], **settings: Any) -> Any:
    """Run `work(sink, connection)` with the open store and a connection beside it; return what it returns."""

    async def run() -> Any:
        async with opened(dsn, **settings) as sink, connected(dsn) as connection:
            return await work(sink, connection)

    return asyncio.run(run())
