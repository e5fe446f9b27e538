"""The server fails while events flow: whatever it does, each event is stored once and the account adds up."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from jrr_postgres.testing import Home, Proxy, Server, execute, fetch

from jrr_core.events import BookDelta, Candle, Connected, MarkPrice, Message, Trade
from jrr_core.levels import Levels

SECOND = 10**9
T0 = 1_700_000_000 * SECOND
# The tables the flow writes, with the columns that tell its events apart.
FLOW = {"trades": "trade_id", "book_deltas": "sequence", "candles": "open_time_ns", "mark_prices": "ts_event_ns"}
Trouble = Callable[[Server], Awaitable[None]]


def trade(number: int, **fields: Any) -> Trade:
    at = {"ts_event": T0 + number, "ts_recv": T0 + number * 1_000_000, "kind": None, "count": 1, **fields}
    return Trade("sim", "BTCUSDT", at["ts_event"], at["ts_recv"], Decimal("1.5"), Decimal(number + 1), "buy",
                 str(number), at["count"], at["kind"])  # fmt: skip


def delta(number: int) -> BookDelta:
    levels = Levels([("1", str(number))])
    return BookDelta("sim", "BTCUSDT", T0 + number, T0 + number, levels, Levels(), number, number, None)


def candle(number: int, closed: bool = True) -> Candle:
    start, one = T0 + number * 60 * SECOND, Decimal(1)
    return Candle("sim", "BTCUSDT", start, start + closed, "1m", start, None, one, one, one, one, one, None,
                  None, closed)  # fmt: skip


def mark_price(number: int) -> MarkPrice:
    return MarkPrice("sim", "BTCUSDT", T0 + number, T0 + number, Decimal(number), None)


class Flow:
    """Puts events of several kinds into a collector, a few every few milliseconds."""

    def __init__(self, into: Any) -> None:
        self.into = into
        self.sent: dict[str, set[str]] = {name: set() for name in FLOW}
        self._number = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send some, go on sending for the length of the block, send some more, and wait until all has its end."""
        self._send(100)
        await self.into.settled()
        sending = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            sending.cancel()
        self._send(100)
        await self.into.settled()

    async def _go_on(self) -> None:
        while True:
            self._send(10)
            await asyncio.sleep(0.005)

    def _send(self, count: int) -> None:
        for number in range(self._number, self._number + count):
            events: list[Message] = [trade(number)]
            if number % 3 == 0:
                events.append(delta(number))
            if number % 50 == 0:
                events.append(candle(number))
            if number % 70 == 0:
                events.append(mark_price(number))
            for event in events:
                self.sent[_relation(event)].add(_id(event))
            self.into.put(*events)
        self._number += count


def _relation(event: Message) -> str:
    return {Trade: "trades", BookDelta: "book_deltas", Candle: "candles", MarkPrice: "mark_prices"}[type(event)]


def _id(event: Message) -> str:
    known = {Trade: "trade_id", BookDelta: "sequence", Candle: "open_time", MarkPrice: "ts_event"}
    return str(getattr(event, known[type(event)]))


async def assert_whole(dsn: str, flow: Flow) -> None:
    """Everything sent is stored, once; nothing else is; the account adds up with no loss in it."""
    for relation, column in FLOW.items():
        stored = [str(value) for (value,) in await fetch(dsn, f"SELECT {column} FROM jrr.{relation}")]
        assert len(stored) == len(set(stored)), f"{relation}: {len(stored) - len(set(stored))} rows twice"
        assert set(stored) == flow.sent[relation], relation
    counters = flow.into.counters
    assert flow.into.balanced
    assert (counters.dropped, counters.quarantined, flow.into.kept) == (0, 0, [])


def _long(trouble: Callable[..., Any]) -> list[pytest.MarkDecorator]:
    """Return the mark of a trouble that takes seconds."""
    quick = ("restarted", "crashed", "sessions_terminated", "statements_cancelled", "cut", "answers_lost")
    return [] if trouble.__name__ in quick else [pytest.mark.nightly]


async def stopped_for_a_while(server: Server) -> None:
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(0.7)
    await asyncio.to_thread(server.start)


async def restarted(server: Server) -> None:
    await asyncio.to_thread(server.restart)


async def crashed(server: Server) -> None:
    await asyncio.to_thread(server.restart, "immediate")


async def sessions_terminated(server: Server) -> None:
    """End sessions in the middle of their work: the message may come at any moment of the driver's."""
    connection = await asyncpg.connect(server.dsn())
    for number in range(60):
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jrr' "
            f"AND {'query' if number % 2 else 'state'} = '{'COMMIT;' if number % 2 else 'active'}'"
        )
        await asyncio.sleep(0.011 + number % 7 * 0.003)
    await connection.close()


async def statements_cancelled(server: Server) -> None:
    connection = await asyncpg.connect(server.dsn())
    while server.log.count("canceling statement") < 5:
        await connection.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'jrr' AND query LIKE 'COPY%'"
        )
        await asyncio.sleep(0.001)
    await connection.close()


async def slow_to_start(server: Server) -> None:
    """Keep the server in recovery, where it turns clients away."""
    await asyncio.to_thread(server.stop)
    server.append("postgresql.auto.conf", "restore_command = 'sleep 0.3; false'\n")
    server.append("recovery.signal", "")
    server.start(wait=False)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(server.wait_ready)


async def slow_to_stop(server: Server) -> None:
    """Have the server wait for a client that stays, and turn all others away."""
    staying = await asyncpg.connect(server.dsn())
    server.stop("smart", wait=False)
    await asyncio.sleep(0.2)
    pids = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'jrr'"
    await staying.execute(pids)
    await asyncio.sleep(1.0)
    await staying.close()
    await asyncio.to_thread(server.wait_stopped)
    await asyncio.to_thread(server.start)


TROUBLES: list[tuple[Trouble, str]] = [
    (stopped_for_a_while, "received fast shutdown request"),
    (restarted, "terminating connection due to administrator command"),
    (crashed, "database system was not properly shut down"),
    (sessions_terminated, "terminating connection due to administrator command"),
    (statements_cancelled, "canceling statement due to user request"),
    (slow_to_start, "the database system is starting up"),
    (slow_to_stop, "the database system is shutting down"),
]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [pytest.param(trouble, said, marks=_long(trouble)) for trouble, said in TROUBLES],
    ids=[trouble.__name__ for trouble, _ in TROUBLES],
)
def test_nothing_is_lost_or_doubled_when_the_server_is(
    trouble: Trouble, said: str, own_server: Server, collector: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with collector(own_server.dsn("market")) as into:
            flow = Flow(into)
            async with flow.running():
                await trouble(own_server)
                await asyncio.sleep(0.1)
            await assert_whole(own_server.dsn("market"), flow)

    asyncio.run(main())
    assert said in own_server.log
    others = {record.name for record in caplog.records if not record.name.startswith("jrr")}
    assert not others, f"{others} wrote to the log what jrr says in its own words"


def test_a_collector_started_before_its_server_stores_what_came_meanwhile(
    own_server: Server, collector: Callable[..., Any]
) -> None:
    own_server.stop()

    async def main() -> None:
        async with collector(own_server.dsn("market")) as into:
            assert into.drain.state == "away"
            into.put(*[trade(number) for number in range(100)])
            await asyncio.to_thread(own_server.start)
            await into.settled()
            assert into.counters.written == 100

    asyncio.run(main())


@pytest.mark.nightly
def test_a_failover_to_a_standby_loses_nothing(home: Home, own_server: Server, collector: Callable[..., Any]) -> None:
    async def main() -> None:
        with Proxy(own_server.dsn("market")) as name_of_the_service:
            async with collector(name_of_the_service.address) as into:
                flow = Flow(into)
                async with flow.running():
                    standby = await asyncio.to_thread(home.standby, own_server)
                    # Commits wait for the standby from here on: what was acknowledged is there.
                    await execute(own_server.dsn(), "ALTER SYSTEM SET synchronous_standby_names = '*'",
                                  "SELECT pg_reload_conf()")  # fmt: skip
                    await asyncio.sleep(0.3)
                    await asyncio.to_thread(own_server.stop, "immediate")
                    name_of_the_service.lead_to(standby.dsn())
                    await asyncio.sleep(1.0)
                    await execute(standby.dsn(), "SELECT pg_promote()")
                await assert_whole(standby.dsn("market"), flow)
        home.remove(standby)

    asyncio.run(main())


def test_a_standby_is_waited_for_until_it_takes_writes(
    home: Home, own_server: Server, collector: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with collector(own_server.dsn("market")) as into:
            into.put(trade(1))
            await into.settled()
        standby = await asyncio.to_thread(home.standby, own_server)
        async with collector(standby.dsn("market")) as into:
            into.put(trade(1), trade(2))
            await asyncio.sleep(0.5)
            assert (into.drain.state, into.drain.pending) == ("away", 2)
            await execute(standby.dsn(), "SELECT pg_promote()")
            await into.settled()
            assert (into.counters.written, into.counters.duplicate) == (1, 1)
        home.remove(standby)

    asyncio.run(main())
    assert "takes no writes" in caplog.text


async def cut(proxy: Proxy) -> None:
    for reset in (True, False, True):
        proxy.cut(reset=reset)
        await asyncio.sleep(0.2)


async def cut_within_statements(proxy: Proxy) -> None:
    for count in (0, 1, 30, 100, 400, 1500, 5000, 20_000):
        proxy.cut_after(count)
        await asyncio.sleep(0.3)


async def refused(proxy: Proxy) -> None:
    proxy.refuse()
    proxy.cut()
    await asyncio.sleep(1.0)
    proxy.accept()


async def slow(proxy: Proxy) -> None:
    proxy.delay_s = 0.05
    await asyncio.sleep(1.0)
    proxy.cut()
    proxy.delay_s = 0.0


async def answers_lost(proxy: Proxy) -> None:
    copy_done = b"c\x00\x00\x00\x04"
    for markers in ((copy_done,), (b"COPY", b"COMMIT"), (b"BEGIN",), (b"COPY", copy_done, b"COMMIT")):
        proxy.lose_reply_to(*markers)
        await asyncio.sleep(0.4)


async def silent(proxy: Proxy) -> None:
    proxy.silence()
    await asyncio.sleep(6.5)
    proxy.cut()
    proxy.resume()


LINES = [cut, cut_within_statements, refused, slow, answers_lost, silent]


@pytest.mark.parametrize(
    "trouble",
    [pytest.param(trouble, marks=_long(trouble)) for trouble in LINES],
    ids=[trouble.__name__ for trouble in LINES],
)
def test_nothing_is_lost_or_doubled_when_the_line_is(
    trouble: Callable[[Proxy], Awaitable[None]], dsn: str, proxy: Proxy, collector: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    async def main() -> None:
        async with collector(proxy.address, statement_timeout_s=1.0) as into:
            flow = Flow(into)
            async with flow.running():
                before = proxy.accepted
                await trouble(proxy)
            await assert_whole(dsn, flow)
            assert proxy.accepted > before

    asyncio.run(main())
    assert not {record.name for record in caplog.records if not record.name.startswith("jrr")}


def test_a_connection_cut_while_nothing_happens_costs_only_a_retry(
    dsn: str, proxy: Proxy, collector: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with collector(proxy.address) as into:
            into.put(trade(1))
            await into.settled()
            proxy.cut(reset=False)
            await asyncio.sleep(0.1)
            into.put(trade(2))
            began = time.monotonic()
            await into.settled()
            assert time.monotonic() - began < 3
            assert into.counters.written == 2

    asyncio.run(main())


@pytest.mark.parametrize("events", [[trade(2)], [trade(2), mark_price(2)], [candle(2)]], ids=["one", "two", "candle"])
def test_a_session_ended_while_idle_refuses_no_row_though_its_end_comes_late(
    events: list[Message], dsn: str, proxy: Proxy, collector: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with collector(proxy.address) as into:
            into.put(trade(1), mark_price(1), candle(1))
            await into.settled()
            proxy.end_delay_s = 0.5
            await execute(dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          "WHERE application_name = 'jrr' AND datname = current_database()")  # fmt: skip
            await asyncio.sleep(0.1)
            into.put(*events)
            await into.settled()
            assert into.kept == []
            assert into.counters.written == 3 + len(events)

    asyncio.run(main())
    gc.collect()
    assert {record.name for record in caplog.records} <= {"jrr"}


def test_coverage_goes_on_when_the_answer_to_the_commit_of_a_connect_is_lost(
    proxy: Proxy, collector: Callable[..., Any]
) -> None:
    start = T0 + 10 * SECOND

    async def main() -> None:
        async with collector(proxy.address) as into:
            into.put(trade(1))
            await into.settled()
            proxy.lose_reply_to(b"stored_stream_events", b"COMMIT")
            into.put(Connected("sim", "BTCUSDT", None, start, "trade", "s1", ts_from=start))
            await into.settled()
            assert into.counters.retries > 0
            for number in range(10, 20):
                into.put(trade(number, ts_recv=T0 + number * SECOND))
                await into.settled()
            (only,) = await into.sink.coverage()
        assert (only.state, only.ts_from, only.ts_to) == ("complete", start, T0 + 19 * SECOND)

    asyncio.run(main())


@pytest.mark.nightly
def test_too_many_connections_are_waited_for(home: Home, collector: Callable[..., Any]) -> None:
    server = home.new(settings={"max_connections": "8", "superuser_reserved_connections": "3"})

    async def main() -> None:
        await execute(server.dsn(), "CREATE ROLE collector LOGIN", "CREATE DATABASE market OWNER collector")
        crowd = []
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                crowd.append(await asyncpg.connect(server.dsn("market", user="collector")))
        async with collector(server.dsn("market", user="collector")) as into:
            assert into.drain.state == "away"
            into.put(trade(1))
            await asyncio.sleep(0.2)
            for connection in crowd:
                await connection.close()
            await into.settled()
            assert into.counters.written == 1

    asyncio.run(main())
    assert "remaining connection slots are reserved" in server.log
    home.remove(server)
