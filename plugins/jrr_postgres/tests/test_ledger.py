"""Coverage: the ranges the core draws, kept over restarts and crashes, put together for several collectors."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Home, execute, fresh_database, opened

from jrr_core.coverage import Timeline
from jrr_core.events import STREAM_EVENTS, Backfilled, Connected, Disconnected, Gap, StreamEvent
from jrr_core.store import Range
from jrr_core.testing import samples

SECOND = 10**9
T0 = 1_700_000_000 * SECOND


def note(kind: type[StreamEvent], at: int, session: str, **more: Any) -> StreamEvent:
    return kind("sim", "A", None, T0 + at * SECOND, "trade", session, **more)


def connected(session: str, at: int) -> StreamEvent:
    return note(Connected, at, session, ts_from=T0 + at * SECOND)


def disconnected(session: str, at: int) -> StreamEvent:
    return note(Disconnected, at, session, reason="reset", ts_to=T0 + at * SECOND)


def trade(at: int) -> Any:
    return samples.trade(at, exchange="sim", symbol="A", ts_event=T0 + at * SECOND, ts_recv=T0 + at * SECOND)


def with_sinks(dsn: str, work: Callable[..., Awaitable[Any]], number: int = 1) -> Any:
    async def run() -> Any:
        async with contextlib.AsyncExitStack() as stack:
            return await work(*[await stack.enter_async_context(opened(dsn)) for _ in range(number)])

    return asyncio.run(run())


async def seen(sink: PostgresSink) -> list[tuple[int, int, str, str | None]]:
    """Return the ranges in seconds since T0."""
    ranges = await sink.coverage()
    return [((r.ts_from - T0) // SECOND, (r.ts_to - T0) // SECOND, r.state, r.reason) for r in ranges]


def test_a_gap_of_one_collector_that_the_other_has_is_none(dsn: str) -> None:
    async def work(one: PostgresSink, two: PostgresSink) -> Any:
        await one.write([connected("a", 0), disconnected("a", 10)])
        await two.write([connected("b", 5), disconnected("b", 20)])
        await one.write([connected("c", 15), disconnected("c", 30)])
        return await seen(one)

    assert with_sinks(dsn, work, 2) == [(0, 30, "complete", "reset")]


def test_where_both_collectors_were_away_is_a_gap(dsn: str) -> None:
    async def work(one: PostgresSink, two: PostgresSink) -> Any:
        await one.write([connected("a", 0), disconnected("a", 10), connected("c", 30), disconnected("c", 40)])
        await two.write([connected("b", 5), disconnected("b", 20), connected("d", 35), disconnected("d", 50)])
        async with Queries(one.settings) as store:
            assert [item.state for item in await store.gaps("sim", "A")] == ["gap"]
            assert await store.gaps("sim", "B") == []
        return [item[:3] for item in await seen(one)]

    assert with_sinks(dsn, work, 2) == [(0, 20, "complete"), (20, 30, "gap"), (30, 50, "complete")]


def test_what_was_backfilled_by_one_is_no_gap_of_both(dsn: str) -> None:
    lost = {"ts_from": T0 + 10 * SECOND, "ts_to": T0 + 20 * SECOND, "count": 3}

    async def work(one: PostgresSink, two: PostgresSink) -> Any:
        await one.write([connected("a", 0), note(Gap, 20, "a", **lost), note(Backfilled, 25, "a", **lost)])
        await one.write([disconnected("a", 30)])
        await two.write([connected("b", 0), disconnected("b", 12), connected("c", 18), disconnected("c", 30)])
        return [item[:3] for item in await seen(one)]

    assert with_sinks(dsn, work, 2) == [(0, 12, "complete"), (12, 18, "backfilled"), (18, 30, "complete")]


def test_a_live_range_reaches_the_last_heartbeat(dsn: str) -> None:
    async def work(sink: PostgresSink) -> Any:
        await sink.write([connected("a", 0)])
        for at in (1, 2, 7):
            await sink.write([trade(at)])
        return await seen(sink)

    assert with_sinks(dsn, work) == [(0, 7, "complete", None)]


def test_a_store_closed_in_order_ends_its_live_ranges(dsn: str) -> None:
    async def write(sink: PostgresSink) -> None:
        await sink.write([connected("a", 0), trade(5)])

    async def again(sink: PostgresSink) -> Any:
        before = await seen(sink)
        await sink.write([connected("b", 60)])
        return before, await seen(sink)

    with_sinks(dsn, write)
    before, after = with_sinks(dsn, again)
    assert before == [(0, 5, "complete", "not running")]
    assert after == [*before, (5, 60, "gap", "not running"), (60, 60, "complete", None)]


def test_after_a_crash_coverage_ends_where_data_was_last_stored(dsn: str) -> None:
    async def crash(sink: PostgresSink) -> None:
        await sink.write([connected("a", 0)])
        await sink.write([trade(9)])
        # Nothing is left of the collector but what it stored.
        await execute(dsn, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                      "WHERE application_name = 'jrr' AND datname = current_database()")  # fmt: skip

    async def again(sink: PostgresSink) -> Any:
        before = await seen(sink)
        await sink.write([connected("b", 60)])
        return before, await seen(sink)

    with_sinks(dsn, crash)
    before, after = with_sinks(dsn, again)
    assert before == [(0, 9, "complete", None)]
    assert after == [*before, (9, 60, "gap", "crash"), (60, 60, "complete", None)]


@pytest.fixture(scope="module")
def store(home: Home) -> Iterator[tuple[asyncio.Runner, PostgresSink]]:
    with fresh_database(home.shared()) as dsn, asyncio.Runner() as runner:
        sink = PostgresSink(StorageConfig(dsn=dsn, compact=False))
        runner.run(sink.open())
        yield runner, sink
        runner.run(sink.close())


moments = st.integers(0, 30).map(lambda at: T0 + at * SECOND)
maybe = st.none() | moments
notes = st.one_of(
    *[
        st.builds(
            kind, st.just("sim"), st.just("A"), st.none(), moments, st.just("trade"), st.sampled_from("abc"),
            st.none() | st.just("reset"), st.none() | st.integers(1, 9), maybe, maybe,
            st.none() | st.tuples(st.integers(0, 3), st.integers(0, 3)),
        )
        for kind in STREAM_EVENTS
    ]
)  # fmt: skip
number = iter(range(10**9))


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.lists(notes, min_size=1, max_size=6), max_size=6))
def test_the_ranges_are_those_the_core_draws_of_the_same_events(
    store: tuple[asyncio.Runner, PostgresSink], batches: list[list[StreamEvent]]
) -> None:
    runner, sink = store
    symbol = f"S{next(number)}"
    line, known = Timeline("sim", "trade", symbol), set()
    for batch in batches:
        batch = [evolve(event, symbol=symbol) for event in batch]
        runner.run(sink.write(batch))
        for event in batch:
            if (event.type, event.key()) not in known:
                known.add((event.type, event.key()))
                line.apply(event)
    found = [item for item in runner.run(sink.coverage()) if item.symbol == symbol]
    expected = list(line.ranges)
    if line.live:  # and reaches to where its collector was last alive, which is that of all its streams
        assert found[-1].ts_to >= expected[-1].ts_to
        found[-1] = evolve(found[-1], ts_to=expected[-1].ts_to)
    assert [_plain(item) for item in found] == [_plain(item) for item in expected]


def _plain(item: Range) -> tuple[Any, ...]:
    return item.ts_from, item.ts_to, item.state, item.reason, item.missing
