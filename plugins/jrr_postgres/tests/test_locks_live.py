"""Locks of other programs in the way of a batch: it is written when they are gone, once and whole."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from jrr_postgres.testing import connected, execute, fetch

from jrr_core.events import BookDelta, Candle, Trade
from jrr_core.levels import Levels

SECOND = 10**9
T0 = 1_700_000_000 * SECOND
ONE = Decimal(1)


def trade(number: int) -> Trade:
    return Trade("sim", "BTCUSDT", T0 + number, T0 + number, ONE, ONE, "buy", str(number))


def delta(number: int) -> BookDelta:
    return BookDelta("sim", "BTCUSDT", T0 + number, T0 + number, Levels([("1", "2")]), Levels(), number, number, None)


def candle(closed: bool) -> Candle:
    return Candle("sim", "BTCUSDT", T0, T0 + closed, "1m", T0, None, ONE, ONE, ONE, ONE, ONE, None, None, closed)


@contextlib.asynccontextmanager
async def rival(dsn: str, *statements: str) -> AsyncIterator[Any]:
    """Another program in the middle of a transaction: it has run the statements and holds their locks."""
    async with connected(dsn) as connection:
        transaction = connection.transaction()
        await transaction.start()
        for statement in statements:
            await connection.execute(statement)
        yield connection
        await transaction.rollback()


async def blocked(dsn: str) -> None:
    """Return once a session of jrr waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'jrr' AND wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = time.monotonic() + 10
    while await fetch(dsn, query) == [(0,)]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"lock_timeout_s": 0.3}, "lock timeout"), ({"statement_timeout_s": 0.3}, "statement timeout")],
)
def test_a_lock_held_by_another_program_delays_a_batch_and_does_not_lose_it(
    settings: dict[str, float], reason: str, dsn: str, collector: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with collector(dsn, **settings) as into:
            into.put(trade(1))
            await into.settled()
            async with rival(dsn, "LOCK TABLE jrr.stored_trades IN ACCESS EXCLUSIVE MODE"):
                into.put(trade(2), trade(3))
                await asyncio.sleep(1.0)
                assert (into.drain.state, into.drain.pending) == ("away", 2)
            await into.settled()
            assert into.counters.written == 3

    asyncio.run(main())
    assert reason in caplog.text


@pytest.mark.parametrize(("first", "second"), [("trades", "book_deltas"), ("book_deltas", "trades")])
def test_a_deadlock_delays_a_batch_and_does_not_lose_it(
    first: str, second: str, dsn: str, collector: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with collector(dsn) as into:
            into.put(trade(1), delta(1))
            await into.settled()
            lock = "LOCK TABLE jrr.stored_{} IN SHARE MODE"
            # The rival is patient, so it is the collector that the server picks as victim.
            async with rival(dsn, "SET LOCAL deadlock_timeout = '60s'", lock.format(first)) as other:
                into.put(trade(2), delta(2))
                await blocked(dsn)
                await other.execute(lock.format(second))
            await into.settled()
            assert (into.counters.written, into.counters.quarantined) == (4, 0)
        # In whichever order the collector takes its tables, one of the two cases crosses it.
        assert await fetch(dsn, "SELECT count(*) FROM jrr.trades") == [(2,)]

    asyncio.run(main())


def test_a_serialization_failure_is_tried_again(dsn: str, collector: Callable[..., Any]) -> None:
    async def main() -> None:
        name = (await fetch(dsn, "SELECT current_database()"))[0][0]
        await execute(dsn, f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
        async with collector(dsn, candles="all") as into:
            into.put(candle(closed=False))
            await into.settled()
            other = await asyncpg.connect(dsn)
            async with other.transaction():
                await other.execute("UPDATE jrr.stored_candles SET volume = 2")
                into.put(candle(closed=True))
                await blocked(dsn)
            await other.close()
            await into.settled()
            assert into.counters.retries == 1
            assert await fetch(dsn, "SELECT closed, volume FROM jrr.candles") == [(True, Decimal(1))]

    asyncio.run(main())
