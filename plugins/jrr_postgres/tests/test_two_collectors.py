"""Two collectors of the same streams in one database: every event once, none missing, neither held up."""

import asyncio
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import Server, fetch

from jrr_core.events import BookDelta, Candle, Connected, Disconnected, Liquidation, MarkPrice, Message, Quote, Trade
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels

SECOND = 10**9
T0 = 1_700_000_000 * SECOND
# Half an hour before midnight, so that some events come on both sides of it.
LATE = 1_700_006_400 * SECOND - 5 * SECOND
ONE = Decimal(1)
LEVELS = Levels([("1", "2")])
RELATIONS = ("trades", "book_deltas", "quotes", "mark_prices", "candles", "liquidations")


def market(first: int, count: int, recv_ns: int = 0, t0: int = T0) -> list[Message]:
    """Return the events numbered `first` on, as a collector sees them that receives them `recv_ns` later."""
    found: list[Message] = []
    for n in range(first, first + count):
        at = ("sim", f"S{n % 3}", t0 + n * 1_000_000, t0 + n * 1_000_000 + recv_ns)
        found.append(Trade(*at, ONE, Decimal(n + 1), "buy", str(n)))
        found.append(BookDelta(*at, LEVELS, Levels(), n, n, None))
        found.append(Quote(*at, ONE, ONE, ONE, ONE, n))
        if n % 5 == 0:
            found.append(MarkPrice(*at, Decimal(n), None))
            found.append(Liquidation(*at, ONE, Decimal(n + 1), "sell", None))
        if n % 20 == 0:
            start = T0 + n * 60 * SECOND
            found.append(Candle("sim", f"S{n % 3}", start, start + recv_ns, "1m", start, None, ONE, ONE, ONE, ONE, ONE,
                                None, None, True))  # fmt: skip
    return found


def instruments(count: int) -> list[Instrument]:
    return [
        Instrument("sim", f"S{n}", f"S{n}", "USDT", None, "spot", ONE, ONE, None, None, f"S{n}-USDT")
        for n in range(count)
    ]  # fmt: skip


async def stored(dsn: str) -> dict[str, int]:
    return {name: (await fetch(dsn, f"SELECT count(*) FROM jrr.{name}"))[0][0] for name in RELATIONS}


async def deadlocks(dsn: str) -> int:
    """Return how many there were, once the collectors' sessions have ended and reported."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jrr' AND datname = current_database()"
    async with asyncio.timeout(10):
        while await fetch(dsn, sessions) != [(0,)]:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
    ((count,),) = await fetch(dsn, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)


def expected(events: list[Message]) -> dict[str, int]:
    kinds = {"trades": Trade, "book_deltas": BookDelta, "quotes": Quote, "mark_prices": MarkPrice, "candles": Candle,
             "liquidations": Liquidation}  # fmt: skip
    return {name: sum(type(event) is kind for event in events) for name, kind in kinds.items()}


async def feed(into: Any, events: list[Message], rng: random.Random) -> None:
    """Put the events in pieces of any size, a little out of order across streams as sockets deliver them."""
    while events:
        size = rng.randint(1, 200)
        piece, events = events[:size], events[size:]
        rng.shuffle(piece)
        into.put(*piece)
        await asyncio.sleep(rng.uniform(0, 0.004))


@pytest.mark.every_server
@pytest.mark.parametrize("t0", [pytest.param(T0, marks=pytest.mark.nightly), LATE], ids=["by day", "around midnight"])
def test_every_event_is_stored_once_and_none_is_missing(t0: int, dsn: str, collector: Callable[..., Any]) -> None:
    first, second = market(0, 10_000, 0, t0), market(0, 10_000, 3_000_000, t0)

    async def main() -> None:
        # Both start on an empty database, at the same moment.
        async with collector(dsn, max_rows=300) as one, collector(dsn, max_rows=700) as two:
            began = time.monotonic()
            one.put(*instruments(50))
            two.put(*instruments(50))
            await asyncio.gather(feed(one, first, random.Random(1)), feed(two, second, random.Random(2)))
            await asyncio.gather(one.settled(), two.settled())
            took_s = time.monotonic() - began
            counters = (one.counters, two.counters)
            assert one.balanced
            assert two.balanced
        assert await stored(dsn) == expected(first)
        assert sum(each.written for each in counters) == len(first) + 50
        assert sum(each.quarantined + each.dropped for each in counters) == 0
        # A deadlock costs a second; one may come before they know of each other.
        assert await deadlocks(dsn) <= 1
        assert took_s < 30

    asyncio.run(main())


@pytest.mark.parametrize("database", ["there", "not there"])
def test_all_that_start_at_the_same_moment_make_database_and_schema_once(database: str, own_server: Server) -> None:
    dsn = own_server.dsn("postgres" if database == "there" else "market")

    async def main() -> None:
        sinks = [PostgresSink(StorageConfig(dsn=dsn, compact=False)) for _ in range(4)]
        try:
            await asyncio.gather(*[sink.open() for sink in sinks])
        finally:
            for sink in sinks:
                await sink.close()

    asyncio.run(main())


def test_one_that_starts_later_and_overlaps_adds_only_what_is_new(dsn: str, collector: Callable[..., Any]) -> None:
    async def main() -> None:
        async with collector(dsn) as one:
            one.put(*market(0, 3000))
            await one.settled()
            async with collector(dsn) as two:
                two.put(*market(2000, 3000, 5_000_000))
                one.put(*market(3000, 1000))
                await asyncio.gather(one.settled(), two.settled())
        assert await stored(dsn) == expected(market(0, 5000))

    asyncio.run(main())


@pytest.mark.nightly
def test_two_that_meet_from_opposite_ends_do_not_block_each_other(dsn: str, collector: Callable[..., Any]) -> None:
    events = market(0, 6000)

    async def main() -> None:
        async with collector(dsn, max_rows=400) as one, collector(dsn, max_rows=400) as two:
            one.put(*events)
            two.put(*reversed(events))
            await asyncio.gather(one.settled(), two.settled())
            assert one.counters.retries + two.counters.retries == 0
        assert await stored(dsn) == expected(events)
        assert await deadlocks(dsn) == 0

    asyncio.run(main())


@pytest.mark.nightly
def test_the_same_events_in_another_order_at_the_same_moment_stall_nobody(
    dsn: str, collector: Callable[..., Any]
) -> None:
    """The rows of one batch block those of the other both ways, and so do streams and partitions not yet there."""

    def trades(turn: int, seed: int) -> list[Trade]:
        found = [Trade("sim", f"M{turn}-{n}", T0 + n, T0 + n, ONE, ONE, "buy", str(n)) for n in range(3000)]
        random.Random(seed).shuffle(found)
        return found

    async def main() -> None:
        async with collector(dsn, max_rows=3000) as one, collector(dsn, max_rows=3000) as two:
            for turn in range(4):
                one.put(*trades(turn, 1))
                two.put(*trades(turn, 2))
                await asyncio.gather(one.settled(), two.settled())
            assert one.counters.written + two.counters.written == 12_000
            assert one.counters.retries + two.counters.retries <= 1
        assert await fetch(dsn, "SELECT count(*), count(DISTINCT (exchange, symbol, part)) FROM jrr.streams") == [
            (12_000, 12_000)
        ]
        assert await fetch(dsn, "SELECT count(*) FROM jrr.trades") == [(12_000,)]
        # Once both know of the other they take the rows in one order.
        assert await deadlocks(dsn) <= 2

    asyncio.run(main())


def test_an_outage_of_one_is_no_gap_where_the_other_was_connected(dsn: str, collector: Callable[..., Any]) -> None:
    def connected(session: str, second: int) -> Connected:
        ts = T0 + second * SECOND
        return Connected("sim", "S0", None, ts, "trade", session, ts_from=ts)

    def disconnected(session: str, second: int) -> Disconnected:
        ts = T0 + second * SECOND
        return Disconnected("sim", "S0", None, ts, "trade", session, "closed", ts_to=ts)

    async def main() -> None:
        async with collector(dsn) as one, collector(dsn) as two:
            for into, event in (
                (one, connected("a", 0)), (two, connected("b", 2)), (one, disconnected("a", 10)),
                (one, connected("c", 20)), (two, disconnected("b", 30)), (one, disconnected("c", 40)),
            ):  # fmt: skip
                into.put(event)
                await into.settled()
            ranges = await one.sink.coverage()
        assert [(r.state, (r.ts_from - T0) // SECOND, (r.ts_to - T0) // SECOND) for r in ranges] == [
            ("complete", 0, 40)
        ]

    asyncio.run(main())


def test_named_ones_go_on_under_their_own_slot_whichever_starts_first(dsn: str) -> None:
    async def slot_of(instance: str, beside: str = "") -> int:
        """Return the slot that a collector of that name writes under, started after the one `beside` it."""
        sinks: list[PostgresSink] = []
        for name in filter(None, (beside, instance)):
            sink = PostgresSink(StorageConfig(dsn=dsn, compact=False))
            sink.instance = "" if name == "unnamed" else name
            await sink.open()
            await sink.write([Connected("sim", "S0", None, T0, "trade", f"{name}-{len(sinks)}", ts_from=T0)])
            sinks.append(sink)
        owner = "" if instance == "unnamed" else f"{instance}@%"
        found = await fetch(dsn, f"SELECT max(slot) FROM jrr.writers WHERE host LIKE '{owner or '%'}'"
                            + ("" if owner else " AND host NOT LIKE '%@%'"))  # fmt: skip
        for sink in sinks:
            await sink.close()
        return int(found[0][0])

    async def main() -> None:
        assert [await slot_of("a"), await slot_of("b", beside="a")] == [1, 2]
        assert [await slot_of("b"), await slot_of("a", beside="b")] == [2, 1]
        assert await slot_of("unnamed") == 3
        assert await slot_of("c", beside="unnamed") == 4
        assert await slot_of("unnamed", beside="a") == 3

    asyncio.run(main())
