"""Rows made anew from a capture: what was wrong is right again, and nothing else has changed."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from jrr_postgres import PostgresSink
from jrr_postgres import StorageConfig as PostgresConfig
from jrr_postgres.compact import compact
from jrr_sqlite import SqliteSink
from jrr_sqlite import StorageConfig as SqliteConfig

from jrr_core.builder import ManagerBuilder
from jrr_core.capture import CaptureSettings, capture_files, read_capture
from jrr_core.config import Config
from jrr_core.digest import digests
from jrr_core.errors import SinkRejected
from jrr_core.plugins import Plugins
from jrr_core.quarantine import Quarantine
from jrr_core.replay import Replay, Sources, Window
from jrr_core.replay.reparse import Reparsed, reparse
from jrr_core.store import Cut, Selection
from jrr_core.tape import Received
from jrr_core.testing.child import simulated

pytestmark = pytest.mark.e2e

EXCHANGES = ("binance", "okx")


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """The capture of a short run of two exchanges with faults."""
    folder = tmp_path_factory.mktemp("captured")
    asyncio.run(_collect(folder))
    return capture_files([folder / "capture"])


async def _collect(folder: Path) -> None:
    async with simulated(EXCHANGES, rate=300, faults={"reset": "1.2", "duplicate": "0.02"}) as simulation:
        urls = {
            name: {"ws_url": simulation.ws_urls[name], "rest_url": simulation.rest_urls[name]} for name in EXCHANGES
        }
        config = Config(exchanges=dict(urls), capture=CaptureSettings(path=str(folder / "capture")))
        config.run.quarantine = str(folder / "quarantine")
        builder = ManagerBuilder(plugins=Plugins.load(EXCHANGES), config=config)
        manager = await builder.add_sink(sqlite_in(folder)).set_spool(path="").build()
        await manager.subscribe([f"{name}:{channel}:*" for name in EXCHANGES for channel in ("trade", "book")])
        run = asyncio.create_task(manager.run())
        await asyncio.sleep(2.5)
        await manager.stop()
        await run


def sqlite_in(folder: Path) -> SqliteSink:
    return SqliteSink(SqliteConfig(path=str(folder / "market.db")))


def sources() -> Sources:
    return Sources(Plugins.load(EXCHANGES), Config())


async def replayed(files: Sequence[Path], sink: Any, folder: Path) -> None:
    await Replay([sink], sources(), Quarantine(folder / "q", 10**6)).run(files)


async def fingerprint(store: Any) -> Mapping[Any, Any]:
    return await digests(store, Selection())


async def reparsed(store: Any, files: Sequence[Path], window: Window = Window()) -> Reparsed:  # noqa: B008
    await store.open()
    try:
        return await reparse(store, files, sources(), window)
    finally:
        await store.close()


async def broken_off(store: Any, cut: Cut, failure: Exception) -> None:
    async with store.replacing([cut]) as replacement:
        assert replacement.removed > 0
        raise failure


def test_rows_that_were_wrong_or_lost_are_right_again(captured: Sequence[Path], tmp_path: Path) -> None:
    async def main() -> None:
        store = sqlite_in(tmp_path)
        await replayed(captured, store, tmp_path)
        right = await fingerprint(store)
        for breaking in (
            "UPDATE stored_trades SET price = '1'",
            "DELETE FROM stored_book_deltas WHERE id % 3 = 0",
            "UPDATE stored_book_snapshots SET bids = ''",
        ):
            with sqlite3.connect(tmp_path / "market.db") as database:
                assert database.execute(breaking).rowcount > 0
            database.close()
        assert await fingerprint(store) != right
        done = await reparsed(store, captured)
        assert await fingerprint(store) == right
        again = await reparsed(store, captured)
        assert await fingerprint(store) == right
        assert (again.removed, again.written) == (done.written, done.written)
        assert done.damaged == done.rejected == 0

    asyncio.run(main())


def test_rows_of_other_times_streams_and_collectors_stay(captured: Sequence[Path], tmp_path: Path) -> None:
    async def main() -> None:
        store = sqlite_in(tmp_path)
        await replayed(captured, store, tmp_path)
        times = [item.ts for file in captured for item in read_capture(file) if isinstance(item, Received)]
        window = Window(times[len(times) // 3], times[2 * len(times) // 3])
        with sqlite3.connect(tmp_path / "market.db") as database:
            database.execute("UPDATE stored_trades SET price = '1'")
        database.close()
        await reparsed(store, captured, window)
        with sqlite3.connect(tmp_path / "market.db") as database:
            rows = database.execute("SELECT price, ts_recv FROM trades").fetchall()
        database.close()
        within = {price for price, ts in rows if window.within(ts)}
        assert "1" not in within
        assert len(within) > 3
        assert {price for price, ts in rows if not window.within(ts)} == {"1"}

    asyncio.run(main())


def test_a_replacement_that_is_cut_short_changes_nothing(captured: Sequence[Path], tmp_path: Path, dsn: str) -> None:
    async def main(store: Any) -> None:
        await replayed(captured, store, tmp_path)
        right = await fingerprint(store)
        await store.open()
        cut = Cut("binance", "trade", "BTCUSDT", 0, 2**62)
        for failure in (RuntimeError("killed"), SinkRejected("a row")):
            with pytest.raises(type(failure)):
                await broken_off(store, cut, failure)
        await store.close()
        assert await fingerprint(store) == right

    asyncio.run(main(sqlite_in(tmp_path)))
    asyncio.run(main(PostgresSink(PostgresConfig(dsn=dsn, compact=False))))


@pytest.mark.parametrize("packed", [False, True])
def test_in_postgresql_also_days_that_are_packed(
    captured: Sequence[Path], tmp_path: Path, dsn: str, packed: bool
) -> None:
    async def main() -> None:
        store = PostgresSink(PostgresConfig(dsn=dsn, compact=False))
        await replayed(captured, store, tmp_path)
        right = await fingerprint(store)
        connection = await asyncpg.connect(dsn)
        if packed:
            from datetime import UTC, datetime, timedelta

            tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
            done = await compact(connection, "jrr", tomorrow, print)
            assert {day.relation for day in done} >= {"trades", "book_deltas"}
            assert await fingerprint(store) == right
        else:
            await connection.execute("UPDATE jrr.stored_trades SET price = 1")
            assert await fingerprint(store) != right
        await connection.close()
        first = await reparsed(store, captured)
        assert first.removed == first.written > 300
        assert await fingerprint(store) == right
        await reparsed(store, captured)
        assert await fingerprint(store) == right

    asyncio.run(main())
