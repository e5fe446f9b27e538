"""Blocking reading for those who await: a generator over a connection, run in threads some rows at a time."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import closing
from typing import TypeVar

from .failures import on_open
from .queries import connect

T = TypeVar("T")

# A chunk has so many rows at most, and takes so long at most: rows of whole books are large.
_ROWS = 500
_CHUNK_S = 0.02


async def in_chunks(
    path: str, rows: Callable[[sqlite3.Connection], Generator[T, None, None]]
) -> AsyncGenerator[T, None]:
    """Yield what `rows` makes of a connection to the file, holding one chunk of it in memory.

    Raises as `connect` does, and SinkUnavailable where reading fails later.
    Left early or cancelled, it interrupts the statement that runs.
    """
    connection = await asyncio.to_thread(connect, path)
    try:
        with closing(rows(connection)) as source:
            while chunk := await _in_thread(connection, lambda: _take(source, path)):
                for row in chunk:
                    yield row
    finally:
        connection.close()


async def _in_thread(connection: sqlite3.Connection, call: Callable[[], list[T]]) -> list[T]:
    """Wait for the call in a thread; when cancelled, stop its statement and wait until it has left the connection."""
    work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        connection.interrupt()
        await asyncio.wait([work])
        work.exception()  # seen: it is the interruption
        raise


def _take(source: Iterator[T], path: str) -> list[T]:
    chunk: list[T] = []
    until = time.monotonic() + _CHUNK_S
    try:
        for row in source:
            chunk.append(row)
            if len(chunk) == _ROWS or time.monotonic() > until:
                break
    except sqlite3.Error as error:
        raise on_open(error, path) from error
    return chunk
