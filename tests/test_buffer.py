"""The buffer between the bus and one reader: order, batches, and what is lost when it is full."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.buffer import Buffer
from jrr_core.counters import SinkCounters
from jrr_core.events import Connected, Gap, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import BatchPolicy
from tests.toy import trade


def make(capacity: int = 10, max_rows: int = 4, max_age_s: float = 0.0, keeps_gaps: bool = True) -> Buffer:
    return Buffer(BatchPolicy(max_rows, max_age_s), capacity, SinkCounters(), keeps_gaps, now_ns=lambda: 99)


async def drained(buffer: Buffer) -> list[Any]:
    buffer.close()
    found: list[Any] = []
    while batch := await buffer.take():
        found += batch
    return found


def test_a_batch_comes_as_soon_as_it_is_full() -> None:
    async def main() -> None:
        buffer = make(max_rows=3, max_age_s=60.0)
        taking = asyncio.ensure_future(buffer.take())
        for number in range(3):
            await asyncio.sleep(0)
            buffer.put(trade(number))
        async with asyncio.timeout(1):
            assert [event.trade_id for event in await taking] == ["0", "1", "2"]

    asyncio.run(main())


def test_a_small_batch_comes_when_its_oldest_event_is_of_age() -> None:
    async def main() -> None:
        buffer = make(max_age_s=0.05)
        buffer.put(trade(1))
        began = time.monotonic()
        assert len(await buffer.take()) == 1
        assert time.monotonic() - began > 0.04

    asyncio.run(main())


def test_age_counts_from_the_event_not_from_the_taking() -> None:
    async def main() -> None:
        buffer = make(max_age_s=0.05)
        buffer.put(trade(1))
        await asyncio.sleep(0.06)
        began = time.monotonic()
        await buffer.take()
        assert time.monotonic() - began < 0.03

    asyncio.run(main())


def test_with_a_pause_an_event_after_a_rest_comes_at_once() -> None:
    async def main() -> None:
        buffer = Buffer(BatchPolicy(100, 60.0, 0.02), 100, SinkCounters())
        for _ in range(2):
            buffer.put(trade(1))
            began = time.monotonic()
            async with asyncio.timeout(5):
                assert len(await buffer.take()) == 1
            assert time.monotonic() - began < 0.015
            await asyncio.sleep(0.03)

    asyncio.run(main())


def test_with_a_pause_events_of_a_busy_stream_share_a_batch() -> None:
    async def main() -> None:
        buffer = Buffer(BatchPolicy(100, 60.0, 0.05), 100, SinkCounters())
        buffer.put(trade(1))
        await buffer.take()
        buffer.put(trade(2))
        taking = asyncio.ensure_future(buffer.take())
        await asyncio.sleep(0.01)
        buffer.put(trade(3))
        async with asyncio.timeout(5):
            assert [event.trade_id for event in await taking] == ["2", "3"]

    asyncio.run(main())


def test_a_pause_never_makes_an_event_older_than_its_age() -> None:
    async def main() -> None:
        buffer = Buffer(BatchPolicy(100, 0.01, 60.0), 100, SinkCounters())
        buffer.put(trade(1))
        await buffer.take()
        buffer.put(trade(2))
        async with asyncio.timeout(5):
            assert len(await buffer.take()) == 1

    asyncio.run(main())


def test_a_buffer_smaller_than_a_batch_does_not_wait_for_more_than_it_can_hold() -> None:
    async def main() -> None:
        buffer = make(capacity=2, max_rows=100, max_age_s=60.0)
        taking = asyncio.ensure_future(buffer.take())
        await asyncio.sleep(0)
        buffer.put(trade(1))
        await asyncio.sleep(0)
        buffer.put(trade(2))
        async with asyncio.timeout(1):
            assert len(await taking) == 2

    asyncio.run(main())


def test_close_hands_out_what_waits_at_once_and_then_nothing() -> None:
    async def main() -> None:
        buffer = make(max_age_s=60.0)
        buffer.put(trade(1))
        taking = asyncio.ensure_future(buffer.take())
        await asyncio.sleep(0)
        buffer.close()
        async with asyncio.timeout(1):
            assert len(await taking) == 1
            assert await buffer.take() == []

    asyncio.run(main())


def test_close_wakes_a_reader_of_an_empty_buffer() -> None:
    async def main() -> None:
        buffer = make()
        taking = asyncio.ensure_future(buffer.take())
        await asyncio.sleep(0)
        buffer.close()
        async with asyncio.timeout(1):
            assert await taking == []

    asyncio.run(main())


def test_overflow_is_one_merged_gap_per_stream_with_exact_counts() -> None:
    async def main() -> None:
        buffer = make(capacity=3)
        for number in range(10):
            buffer.put(trade(number, "X" if number % 2 else "Y", ts_recv=1000 + number))
        found = await drained(buffer)
        assert [event.trade_id for event in found if isinstance(event, Trade)] == ["0", "1", "2"]
        gaps = {gap.symbol: gap for gap in found if isinstance(gap, Gap)}
        assert len(found) == 5
        assert (gaps["X"].count, gaps["X"].ts_from, gaps["X"].ts_to) == (4, 1003, 1009)
        assert (gaps["Y"].count, gaps["Y"].ts_from, gaps["Y"].ts_to) == (3, 1004, 1008)
        assert {(gap.what, gap.session, gap.reason) for gap in gaps.values()} == {("trade", "buffer", "buffer full")}

    asyncio.run(main())


def test_the_gap_comes_behind_what_was_kept_before_it() -> None:
    async def main() -> None:
        buffer = make(capacity=2, max_rows=2)
        for number in range(3):
            buffer.put(trade(number))
        assert [event.type for event in await buffer.take()] == ["trade", "trade"]
        buffer.put(trade(3))
        assert [event.type for event in await buffer.take()] == ["gap", "trade"]

    asyncio.run(main())


def test_one_outage_is_one_gap_though_single_batches_made_room_meanwhile() -> None:
    async def main() -> None:
        buffer = make(capacity=8, max_rows=2)
        number, found = 0, list[Any]()
        for _ in range(5):
            while len(buffer) < 8:
                buffer.put(trade(number, ts_recv=number + 1))
                number += 1
            buffer.put(trade(number, ts_recv=number + 1))
            number += 1
            found += await buffer.take()
        assert all(isinstance(event, Trade) for event in found)
        (gap,) = [event for event in await drained(buffer) if isinstance(event, Gap)]
        assert (gap.count, gap.ts_from, gap.ts_to) == (5, 9, number)

    asyncio.run(main())


def test_a_cut_takes_what_is_first_at_once_and_can_be_undone() -> None:
    async def main() -> None:
        buffer = make(max_age_s=60.0)
        for number in range(6):
            buffer.put(trade(number))
        first = buffer.cut(4)
        assert [event.trade_id for event in first] == ["0", "1", "2", "3"]
        assert [event.trade_id for event in buffer.cut(4)] == ["4", "5"]
        assert buffer.cut(4) == []
        buffer.put(trade(6))
        buffer.give_back(first)
        assert [event.trade_id for event in await drained(buffer)] == ["0", "1", "2", "3", "6"]

    asyncio.run(main())


def test_what_is_given_back_wakes_the_reader() -> None:
    async def main() -> None:
        buffer = make(max_rows=2)
        buffer.put(trade(1))
        buffer.put(trade(2))
        first = buffer.cut(2)
        taking = asyncio.ensure_future(buffer.take())
        await asyncio.sleep(0)
        buffer.give_back(first)
        async with asyncio.timeout(1):
            assert await taking == first

    asyncio.run(main())


@pytest.mark.parametrize(("capacity", "max_rows"), [(8, 4), (8, 2), (8, 1), (8, 100), (1, 1), (2, 1)])
def test_who_waits_for_a_quarter_is_woken_by_the_event_beyond_it(capacity: int, max_rows: int) -> None:
    async def main() -> None:
        buffer = make(capacity=capacity, max_rows=max_rows)
        for _ in range(2):
            waiting = asyncio.ensure_future(buffer.pressed(60.0))
            await asyncio.sleep(0)
            for number in range(max(capacity // 4, 1)):
                buffer.put(trade(number))
                await asyncio.sleep(0)
            assert not buffer.much
            assert not waiting.done()
            buffer.put(Connected("toy", "X", None, 5, "trade", "s1"))
            async with asyncio.timeout(1):
                await waiting
            assert buffer.much
            buffer.cut(100)
        began = time.monotonic()
        await buffer.pressed(0.01)
        assert time.monotonic() - began > 0.005

    asyncio.run(main())


def test_what_jrr_says_of_streams_is_kept_when_full() -> None:
    async def main() -> None:
        buffer = make(capacity=1)
        buffer.put(trade(1))
        buffer.put(Connected("toy", "X", None, 5, "trade", "s1"))
        assert [event.type for event in await drained(buffer)] == ["trade", "connected"]

    asyncio.run(main())


def test_an_instrument_can_overflow_too() -> None:
    async def main() -> None:
        buffer = make(capacity=1)
        listed = Instrument("toy", "X", "X", "USDT", None, "spot", None, None, None, None, "X-USDT")
        buffer.put(trade(1))
        buffer.put(listed)
        gap = (await drained(buffer))[-1]
        assert (gap.what, gap.symbol, gap.count, gap.ts_from) == ("instrument", "X", 1, 99)

    asyncio.run(main())


def test_a_reader_that_wants_no_gaps_gets_none_though_the_loss_is_counted() -> None:
    async def main() -> None:
        counters = SinkCounters()
        buffer = Buffer(BatchPolicy(4, 0.0), 1, counters, keeps_gaps=False)
        for number in range(3):
            buffer.put(trade(number))
        assert len(await drained(buffer)) == 1
        assert (counters.published, counters.dropped) == (3, 2)

    asyncio.run(main())


def test_a_cancelled_take_loses_nothing() -> None:
    async def main() -> None:
        buffer = make(max_age_s=60.0)
        buffer.put(trade(1))
        taking = asyncio.ensure_future(buffer.take())
        await asyncio.sleep(0.001)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        assert len(await drained(buffer)) == 1

    asyncio.run(main())


def test_room_waits_until_the_buffer_is_half_empty() -> None:
    async def main() -> None:
        buffer = make(capacity=4, max_rows=1)
        for number in range(4):
            buffer.put(trade(number))
        waiting = asyncio.ensure_future(buffer.room())
        await buffer.take()
        await asyncio.sleep(0.001)
        assert not waiting.done()
        await buffer.take()
        async with asyncio.timeout(1):
            await waiting

    asyncio.run(main())


def test_rest_is_cut_short_by_close() -> None:
    async def main() -> None:
        buffer = make()
        resting = asyncio.ensure_future(buffer.rest(60.0))
        await asyncio.sleep(0)
        buffer.close()
        async with asyncio.timeout(1):
            await resting
            await buffer.rest(60.0)

    asyncio.run(main())


def test_left_empties_the_buffer() -> None:
    buffer = make()
    buffer.put(trade(1))
    assert len(buffer.left()) == 1
    assert len(buffer) == 0


@given(
    steps=st.lists(st.one_of(st.integers(1, 12), st.just(0)), max_size=30),
    capacity=st.integers(1, 15),
    max_rows=st.integers(1, 15),
)
def test_order_is_kept_and_nothing_is_lost_but_what_is_counted(steps: list[int], capacity: int, max_rows: int) -> None:
    """A step of n puts n events of alternating streams, a step of 0 takes a batch."""

    async def main() -> None:
        counters = SinkCounters()
        buffer = Buffer(BatchPolicy(max_rows, 0.0), capacity, counters, now_ns=lambda: 99)
        put, found = 0, []
        for step in steps:
            for _ in range(step):
                buffer.put(trade(put, "XY"[put % 2], ts_recv=put + 1))
                put += 1
            if not step and len(buffer):
                batch = await buffer.take()
                assert 0 < len(batch) <= max_rows
                found += batch
        found += await drained(buffer)
        ids = [int(event.trade_id) for event in found if isinstance(event, Trade)]
        gaps = [event for event in found if isinstance(event, Gap)]
        assert ids == sorted(set(ids))
        assert len(ids) + counters.dropped == put
        assert sum(gap.count or 0 for gap in gaps) == counters.dropped
        assert counters.published == len(found) + counters.dropped
        lost = set(range(put)) - set(ids)
        for number in lost:
            assert any(
                gap.symbol == "XY"[number % 2] and (gap.ts_from or 0) <= number + 1 <= (gap.ts_to or 0) for gap in gaps
            )

    asyncio.run(main())
