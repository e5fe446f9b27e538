"""A database of its own for each test."""

import asyncio
import contextlib
import uuid
from collections.abc import Iterator

import asyncpg

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


async def execute(dsn: str, *statements: str) -> None:
    """Run statements one by one, each in a transaction of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
