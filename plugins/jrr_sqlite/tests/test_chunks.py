"""Reading in a thread: leaving early or being cancelled lets go of the file, and nothing is reported afterwards."""

import asyncio
import sqlite3
from collections.abc import Generator
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from jrr_sqlite import SqliteSink, StorageConfig
from jrr_sqlite.chunks import in_chunks

from jrr_core.errors import SinkUnavailable

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"


@pytest.fixture
def empty(path: str) -> str:
    async def make() -> None:
        sink = SqliteSink(StorageConfig(path=path))
        await sink.open()
        await sink.close()

    asyncio.run(make())
    return path


def numbers(connection: sqlite3.Connection) -> Generator[int, None, None]:
    for (number,) in connection.execute(ENDLESS.format("i")):
        yield number


def silence(connection: sqlite3.Connection) -> Generator[int, None, None]:
    for (number,) in connection.execute(ENDLESS.format("count(*)")):
        yield number


def wrong(connection: sqlite3.Connection) -> Generator[int, None, None]:
    yield 1
    connection.execute("SELECT * FROM absent")


def writable(path: str) -> bool:
    with closing(sqlite3.connect(path, timeout=0)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return not Path(f"{path}-wal").exists() or Path(f"{path}-wal").stat().st_size == 0


def test_leaving_early_lets_go_of_the_file(empty: str) -> None:
    async def take() -> list[int]:
        found = []
        async with aclosing(in_chunks(empty, numbers)) as source:
            async for number in source:
                found.append(number)
                if number == 700:
                    break
        return found

    assert asyncio.run(take()) == list(range(1, 701))
    assert writable(empty)


def test_a_statement_that_runs_is_stopped_when_its_reader_is_cancelled(empty: str) -> None:
    async def wait() -> None:
        async for _ in in_chunks(empty, silence):
            raise AssertionError("the statement has no end")

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait(), 0.2)

    asyncio.run(asyncio.wait_for(cancelled(), 5))
    assert writable(empty)


def test_the_loop_runs_on_while_a_statement_does(empty: str) -> None:
    async def ticks() -> int:
        reader = asyncio.ensure_future(anext(in_chunks(empty, silence)))
        count = 0
        while count < 5:
            await asyncio.sleep(0.02)
            count += 1
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return count

    assert asyncio.run(asyncio.wait_for(ticks(), 5)) == 5


def test_what_fails_in_the_middle_is_told(empty: str) -> None:
    async def take() -> None:
        async for _ in in_chunks(empty, wrong):
            pass

    with pytest.raises(SinkUnavailable, match="no such table: absent"):
        asyncio.run(take())
