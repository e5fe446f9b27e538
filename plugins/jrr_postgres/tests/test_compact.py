"""Closed days in blocks: nothing lost, nothing twice, whoever reads, writes or kills meanwhile."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from jrr_postgres import PostgresSink
from jrr_postgres.compact import Packed, closed_before, closed_days, compact, compact_day
from jrr_postgres.packing import PACKED
from jrr_postgres.tables import Table
from jrr_postgres.testing import connected, opened

from jrr_core.events import BookDelta, BookSnapshot, Message, Quote, Trade
from jrr_core.levels import Levels

DAY = date(2026, 11, 20)
AFTER = date(2026, 11, 22)
START = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 10**9
SECOND = 10**9
TABLES: dict[type[Message], Table] = {table.event: table for table in PACKED}


def some_events(first: int = 0, count: int = 40, symbols: Sequence[str] = ("AUSDT", "BUSDT")) -> list[Message]:
    """Events of each class that is packed; one symbol has numbered quotes and snapshots, the other dated ones."""
    found: list[Message] = []
    for symbol in symbols:
        for n in range(first, first + count):
            rng = random.Random(n)
            at = START + n * SECOND + rng.randrange(SECOND)
            event = at // 1_000_000 * 1_000_000
            price, amount = Decimal(f"{rng.uniform(99, 101):.2f}"), Decimal(f"{rng.random():.3f}")
            kind = rng.choice((None, None, "rpi"))
            sequence = n * 5 if symbol == "AUSDT" else None
            bids = Levels([(f"{99 - level / 100 + n / 50:.2f}", f"{rng.random():.3f}") for level in range(5)])
            found += [
                Trade("x", symbol, event, at, price, amount, None if n % 7 == 0 else "sell", str(n * 2), kind=kind),
                Trade("x", symbol, event, at, price, amount, "buy", f"u-{n}", count=3, id_space="agg"),
                Quote("x", symbol, event, at, price, amount, None, None, sequence),
                BookSnapshot("x", symbol, None, at, bids, bids, 5, sequence, True),
                BookDelta("x", symbol, event, at, bids, Levels(), n * 5 - 4, n * 5, n * 5 - 5 if n % 9 else None),
            ]
    return found


async def shown(connection: Any) -> dict[str, list[str]]:
    """All rows of the views, in an order of their own."""
    return {t.view: sorted(map(repr, await connection.fetch(f"SELECT * FROM jrr.{t.view}"))) for t in PACKED}


async def read(sink: PostgresSink) -> dict[type[Message], list[Message]]:
    found: dict[type[Message], list[Message]] = {}
    for kind in TABLES:
        found[kind] = [event async for event in sink.read(kind)]
    return found


async def days_of_rows(connection: Any) -> list[str]:
    return [f"{t.view} {day}" for t in PACKED for day in await closed_days(connection, "jrr", t, AFTER)]


async def run(connection: Any, schema: str = "jrr") -> list[Packed]:
    said: list[str] = []
    done = await compact(connection, schema, AFTER, said.append)
    assert not said
    return done


async def until_waiting(connection: Any) -> int:
    """Return the process of the session that waits for a lock."""
    while True:
        pid = await connection.fetchval(
            "SELECT pid FROM pg_locks WHERE NOT granted AND relation::regclass::text LIKE 'jrr.stored%'"
        )
        if pid is not None:
            return int(pid)
        await asyncio.sleep(0.01)


@pytest.mark.every_server
def test_views_and_queries_read_the_same_before_and_after(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write(some_events())
            before, events = await shown(connection), await read(sink)
            done = await run(connection)
            assert {packed.relation: packed.rows for packed in done} == {
                "trades": 160, "quotes": 80, "book_snapshots": 80, "book_deltas": 80,
            }  # fmt: skip
            assert all(packed.left == 0 and packed.day == DAY for packed in done)
            assert await days_of_rows(connection) == []
            assert await shown(connection) == before
            assert await read(sink) == events

    asyncio.run(main())


@pytest.mark.every_server
def test_the_same_events_again_count_as_known(dsn: str) -> None:
    async def main() -> None:
        events = some_events()
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write(events)
            before = await shown(connection)
            await run(connection)
            for batch in (events, events[::2], events[:1]):
                result = await sink.write(batch)
                assert (result.written, result.duplicate) == (0, len(batch))
            assert await shown(connection) == before
            assert await run(connection) == []
            assert await days_of_rows(connection) == []

    asyncio.run(main())


def test_a_full_batch_of_known_rows_passes_well_within_the_statement_timeout(dsn: str) -> None:
    async def main() -> None:
        events = some_events(count=1000, symbols=("AUSDT",))
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write(events)
            await run(connection)
            async with asyncio.timeout(15):
                assert (await sink.write(events)).duplicate == len(events)

    asyncio.run(main())


def test_a_second_run_finds_nothing_to_do(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write(some_events())
            assert len(await run(connection)) == len(PACKED)
            assert await run(connection) == []

    asyncio.run(main())


def test_late_rows_are_stored_beside_the_blocks_and_join_them(dsn: str) -> None:
    async def main() -> None:
        early, late = some_events(count=30), some_events(first=30, count=5)
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write(early)
            await run(connection)
            result = await sink.write([*early[-20:], *late])
            assert (result.written, result.duplicate) == (len(late), 20)
            before = await shown(connection)
            done = await run(connection)
            assert sum(packed.rows for packed in done) == len(late)
            assert await shown(connection) == before
            assert await days_of_rows(connection) == []

    asyncio.run(main())


def test_rows_without_an_exact_form_stay_rows(dsn: str) -> None:
    async def main() -> None:
        at = START + 5000 * SECOND
        uneven = [
            Trade("x", "AUSDT", at, at, Decimal(price), Decimal(1), None, str(n), 1)
            for n, price in enumerate(["1.10", "1.1", "12345678901234567890.5", "1e-8", "1.10"], start=9000)
        ]
        odd = BookDelta("x", "AUSDT", at, at, Levels([("1e-8", "1"), ("0.5", "2")]), Levels(), None, 9000, None)
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write([*some_events(), *uneven, odd])
            before = await shown(connection)
            done = {packed.relation: packed for packed in await run(connection)}
            assert 0 < done["trades"].left <= 20
            assert 0 < done["book_deltas"].left <= 10
            assert done["trades"].rows + done["trades"].left == 165
            assert await days_of_rows(connection) == [f"trades {DAY}", f"book_deltas {DAY}"]
            assert await shown(connection) == before
            assert await run(connection) == []
            assert str(done["trades"]).startswith(f"trades of {DAY}: {done['trades'].rows} rows in ")
            again = await sink.write([*some_events(), *uneven, odd])
            assert again.written == 0
            assert await shown(connection) == before

    asyncio.run(main())


def test_a_day_of_which_nothing_has_a_packed_form_is_left_and_not_tried_again(dsn: str) -> None:
    async def main() -> None:
        trades = [
            Trade("x", "AUSDT", START, START, Decimal(1).scaleb(-n % 2), Decimal("1e-70"), None, str(n))
            for n in range(9)
        ]
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write(trades)
            before = await shown(connection)
            found = await compact_day(connection, "jrr", TABLES[Trade], DAY)
            assert found is not None
            assert (found.rows, found.left) == (0, 9)
            assert await compact_day(connection, "jrr", TABLES[Trade], DAY) == found
            assert await shown(connection) == before

    asyncio.run(main())


def test_a_partition_without_rows_goes(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as sink, connected(dsn) as connection:
            await sink.write(some_events(count=1))
            await connection.execute("TRUNCATE jrr.stored_quotes")
            assert {packed.relation for packed in await run(connection)} == {"trades", "book_snapshots", "book_deltas"}
            assert await days_of_rows(connection) == []
            assert (await sink.write(some_events(count=1))).written == 2

    asyncio.run(main())


def test_a_row_committed_while_the_day_is_packed_is_packed_too(dsn: str) -> None:
    async def main() -> None:
        table = TABLES[Trade]
        async with opened(dsn) as sink, connected(dsn) as connection, connected(dsn) as late:
            await sink.write(some_events())
            transaction = late.transaction()
            await transaction.start()
            await late.execute(
                "INSERT INTO jrr.stored_trades SELECT ts_event, ts_recv, 777777, stream, count, recv_ns, event_ns, "
                "side, price, amount, kind, trade_uid FROM jrr.stored_trades WHERE trade_id = 2 LIMIT 1"
            )
            work = asyncio.create_task(compact_day(connection, "jrr", table, DAY))
            await asyncio.sleep(0.1)
            await until_waiting(late)
            await transaction.commit()
            packed = await work
            assert packed is not None
            assert packed.rows == 161
            assert await late.fetchval("SELECT count(*) FROM jrr.trades WHERE trade_id = '777777'") == 1

    asyncio.run(main())


def test_a_killed_compactor_leaves_the_rows_as_they_were(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as sink, connected(dsn) as connection, connected(dsn) as reader:
            await sink.write(some_events())
            before = await shown(connection)
            transaction = reader.transaction()
            await transaction.start()
            await reader.fetch("SELECT FROM jrr.stored_trades")
            work = asyncio.create_task(compact_day(connection, "jrr", TABLES[Trade], DAY))
            pid = await until_waiting(reader)
            await reader.execute("SELECT pg_terminate_backend($1)", pid)
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
                await work
            await transaction.rollback()
            assert await shown(reader) == before
            assert len(await run(reader)) == len(PACKED)
            assert await shown(reader) == before

    asyncio.run(main())


def test_a_day_in_use_is_left_and_told(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_postgres.compact._LOCK_PAUSES_S", (0.01,))

    async def main() -> None:
        async with opened(dsn) as sink, connected(dsn) as connection, connected(dsn) as reader:
            await sink.write(some_events(count=2))
            async with reader.transaction():
                await reader.fetch("SELECT FROM jrr.stored_trades")
                said: list[str] = []
                done = await compact(connection, "jrr", AFTER, said.append)
            assert said == [f"trades of {DAY} is in use; left for another time"]
            assert [packed.relation for packed in done] == ["quotes", "book_snapshots", "book_deltas"]
            assert [packed.relation for packed in await run(connection)] == ["trades"]

    asyncio.run(main())


def test_of_two_compactors_one_works(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as sink, connected(dsn) as connection, connected(dsn) as other:
            await sink.write(some_events(count=2))
            await other.execute("SELECT pg_advisory_lock(hashtext('jrr compact'))")
            said: list[str] = []
            assert await compact(connection, "jrr", AFTER, said.append) == []
            assert said == ["another process compacts jrr already"]
            await other.execute("SELECT pg_advisory_unlock(hashtext('jrr compact'))")
            assert len(await run(connection)) == len(PACKED)

    asyncio.run(main())


@pytest.mark.every_server
def test_a_live_collector_and_a_replay_beside_it_lose_and_repeat_nothing(dsn: str) -> None:
    async def main() -> None:
        events = some_events(count=300)
        async with opened(dsn) as sink, connected(dsn) as connection, opened(dsn) as replay, connected(dsn) as watcher:
            await sink.write(events[: len(events) // 2])
            stop = asyncio.Event()

            async def collect() -> int:
                written = 0
                for at in range(len(events) // 2, len(events), 50):
                    written += (await sink.write(events[at : at + 50])).written
                    await asyncio.sleep(0.005)
                return written

            async def repeat() -> int:
                rng, written = random.Random(1), 0
                while not stop.is_set():
                    at = rng.randrange(len(events) // 2 - 50)
                    written += (await replay.write(events[at : at + 50])).written
                    await asyncio.sleep(0)
                return written

            collecting, repeating = asyncio.create_task(collect()), asyncio.create_task(repeat())
            for _ in range(4):
                await compact(connection, "jrr", AFTER, lambda _: None)
            written = await collecting
            stop.set()
            assert await repeating == 0
            assert written == len(events) - len(events) // 2
            await run(connection)
            found = await read(sink)
            assert sum(map(len, found.values())) == len(events)
            assert sorted(map(repr, (e for kind in found.values() for e in kind))) == sorted(map(repr, events))
            assert (await watcher.fetchval("SELECT sum(rows) FROM jrr.packed_trades")) == sum(
                isinstance(event, Trade) for event in events
            )

    asyncio.run(main())


@pytest.mark.parametrize(
    ("now", "after_h", "first_open"),
    [
        (datetime(2026, 11, 22, 5, 59, tzinfo=UTC), 6.0, date(2026, 11, 21)),
        (datetime(2026, 11, 22, 6, 0, tzinfo=UTC), 6.0, date(2026, 11, 22)),
        (datetime(2026, 11, 22, 0, 0, tzinfo=UTC), 0.0, date(2026, 11, 22)),
    ],
)
def test_a_day_is_closed_some_hours_after_its_end(now: datetime, after_h: float, first_open: date) -> None:
    assert closed_before(now, after_h) == first_open
