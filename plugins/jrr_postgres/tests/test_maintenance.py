"""What is done beside writing: partitions, checkpoints, compaction; a duty that fails harms nothing."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jrr_postgres import PostgresSink, StorageConfig, maintenance
from jrr_postgres.maintenance import Maintenance
from jrr_postgres.partitions import Partitions
from jrr_postgres.server import Server
from jrr_postgres.settings import target_of
from jrr_postgres.testing import connected, opened

from jrr_core import journal
from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.levels import EMPTY, Levels
from jrr_core.sink import WriteResult
from jrr_core.testing import samples

SECOND = 10**9
OLD = samples.trade(1)  # 2024-01-01
Work = Callable[[Maintenance, PostgresSink, Any], Awaitable[Any]]


def with_duties(dsn: str, work: Work, **more: Any) -> Any:
    """Await `work` with the duties of an open store, the store, and a connection beside it."""

    async def run() -> Any:
        settings = StorageConfig(dsn=dsn, **{"compact": False, **more})
        server = Server(settings, target_of(settings))
        async with opened(dsn, **more) as sink, connected(dsn) as connection:
            await server.open()
            try:
                return await work(Maintenance(server, Partitions(settings.schema)), sink, connection)
            finally:
                await server.close()

    return asyncio.run(run())


def book(symbol: str, since: int, changes: int) -> list[Any]:
    """Return a whole book of 20 levels and `changes` deltas of a level each, 10 ms apart."""
    start = Levels([(f"{100 + n}", "1") for n in range(20)])
    events: list[Any] = [BookSnapshot("ex", symbol, since, since, start, EMPTY, None, 1000)]
    for n in range(1, changes + 1):
        at, level = since + n * SECOND // 100, Levels([(f"{100 + n % 20}", f"{n}.5")])
        events.append(BookDelta("ex", symbol, at, at, level, EMPTY, 1000 + n, 1000 + n, 999 + n))
    return events


def test_a_checkpoint_gives_the_same_book_from_fewer_deltas(dsn: str) -> None:
    since = time.time_ns() - 60 * SECOND
    busy, quiet = book("BUSY", since, 300), book("QUIET", since, 5)

    async def work(duties: Maintenance, sink: PostgresSink, connection: Any) -> Any:
        await sink.write([*busy, *quiet])
        before = await sink.book_at("ex", "BUSY", busy[-1].ts_recv)
        await duties.checkpoints()
        await duties.checkpoints()
        kept = await connection.fetch(
            "SELECT symbol, sequence FROM jrr.checkpoints c JOIN jrr.streams s ON s.id = stream"
        )
        # The checkpoint stands for all that was before it.
        await connection.execute("DELETE FROM jrr.stored_book_deltas; DELETE FROM jrr.stored_book_snapshots")
        return before, await sink.book_at("ex", "BUSY", busy[-1].ts_recv), [tuple(row) for row in kept]

    before, after, kept = with_duties(dsn, work)
    assert kept == [("BUSY", 1300)]
    assert before is not None
    assert len(before.bids) == 20
    assert after == before


def test_partitions_are_made_ahead_and_those_past_their_retention_go(dsn: str) -> None:
    ahead = f"stored_trades_{datetime.now(UTC) + timedelta(days=2):%Y%m%d}"

    async def work(duties: Maintenance, sink: PostgresSink, connection: Any) -> Any:
        await sink.write([OLD])
        await connection.execute(f"DROP TABLE jrr.{ahead}")
        await duties.partitions()
        there = "SELECT count(*) FROM pg_tables WHERE schemaname = 'jrr' AND tablename = $1"
        found = [await connection.fetchval(there, name) for name in (ahead, "stored_trades_20240101")]
        return found, await sink.write([OLD])

    result = with_duties(dsn, work, partitions_ahead_days=2, retention_days={"trades": 30})
    assert result == ([1, 0], WriteResult(1))


def test_closed_days_are_compacted_once(dsn: str) -> None:
    async def work(duties: Maintenance, sink: PostgresSink, connection: Any) -> Any:
        now = time.time_ns()
        await sink.write([OLD, samples.trade(2, ts_event=now, ts_recv=now)])
        await duties.compaction()
        await duties.compaction()
        return [
            await connection.fetchval(f"SELECT count(*) FROM jrr.{name}")
            for name in ("packed_trades", "stored_trades", "trades")
        ]

    assert with_duties(dsn, work) == [1, 1, 2]


def test_a_duty_that_fails_is_told_and_tried_again_while_writing_goes_on(
    dsn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "jrr")
    monkeypatch.setattr(journal, "_said", {})
    monkeypatch.setattr(maintenance, "_TICK_S", 0.02)
    monkeypatch.setattr(maintenance, "_PARTITIONS_S", 0.05)
    now = time.time_ns()

    async def until(true: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(20):
            while not await true():  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)

    async def work(duties: Maintenance, sink: PostgresSink, connection: Any) -> Any:
        await sink.write([OLD])
        async with contextlib.AsyncExitStack() as until_told:
            await until_told.enter_async_context(connection.transaction())
            await connection.fetch("SELECT FROM jrr.stored_trades")  # and so no partition can be detached
            running = asyncio.create_task(duties.run())
            try:

                async def told() -> bool:
                    return "partitions failed" in caplog.text

                await until(told)
                result = await sink.write([samples.trade(n, ts_event=now + n, ts_recv=now + n) for n in range(100)])
                await until_told.aclose()

                async def gone() -> bool:
                    return not await connection.fetchval("SELECT to_regclass('jrr.stored_trades_20240101') IS NOT NULL")

                await until(gone)
                return result, running.done()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    found = with_duties(dsn, work, retention_days={"trades": 30}, lock_timeout_s=0.2, checkpoint_s=0)
    assert found == (WriteResult(100), False)
    assert "tried again in" in caplog.text


def test_of_several_collectors_the_one_with_the_lowest_slot_has_the_duties(dsn: str) -> None:
    async def main() -> list[list[str]]:
        done: list[str] = []
        seen = []

        async def duties(name: str, sink: PostgresSink) -> None:
            await Maintenance(sink._server, sink._writer.partitions, lambda: sink._writer.slot)._when_due(
                "some", 1.0, lambda: noted(name)
            )

        async def noted(name: str) -> None:
            done.append(name)

        async with opened(dsn) as one, opened(dsn) as two:
            for step in (None, two, one):
                if step is not None:
                    await step.write([OLD])
                await duties("one", one)
                await duties("two", two)
                seen.append(list(done))
                done.clear()
            await two.close()
            await duties("one", one)
            seen.append(done)
        return seen

    # Nobody writes: both may; then the first to have written, until it ends.
    assert asyncio.run(main()) == [["one", "two"], ["two"], ["two"], ["one"]]
