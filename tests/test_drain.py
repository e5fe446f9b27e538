"""From a buffer to a sink: every event ends in one counter, whatever the sink does."""

import asyncio
import random
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.buffer import Buffer
from jrr_core.bus import Bus
from jrr_core.counters import SinkCounters
from jrr_core.drain import Drain, drain_from
from jrr_core.errors import ConfigError, PluginError, SinkUnavailable
from jrr_core.events import Candle, Gap, Trade
from jrr_core.sink import BatchPolicy, StreamKey, WriteResult
from tests.toy import MemorySink, balanced, trade, until


@define(eq=False)
class Stage:
    """A drain, its sink, and what the quarantine was given."""

    sink: MemorySink
    drain: Drain
    kept: list[tuple[str, str, str]] = field(factory=list)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.drain.buffer.put(trade(number))

    @property
    def counters(self) -> SinkCounters:
        return self.drain.counters

    def state(self) -> str:
        return self.drain.state

    def balanced(self) -> bool:
        return balanced(self.counters, self.drain.pending)


def stage(sink: MemorySink | None = None, capacity: int = 1000, max_rows: int = 100) -> Stage:
    sink = sink or MemorySink()
    counters, kept = SinkCounters(), list[tuple[str, str, str]]()
    buffer = Buffer(BatchPolicy(max_rows, 0.0), capacity, counters)
    drain = Drain(sink, buffer, counters, lambda *entry: kept.append(entry))
    return Stage(sink, drain, kept)


async def drained(at: Stage) -> None:
    at.drain.buffer.close()
    async with asyncio.timeout(5):
        await at.drain.run()


async def cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_what_is_put_is_written_in_order_and_repeats_are_counted_as_such() -> None:
    async def main() -> None:
        at = stage(max_rows=3)
        at.put(1, 2, 3, 2, 4)
        await drained(at)
        assert at.sink.ids() == ["1", "2", "3", "4"]
        assert (at.counters.written, at.counters.duplicate, at.counters.batches) == (4, 1, 2)
        assert at.balanced()
        assert at.drain.latency.total >= 5
        assert 0 <= at.drain.lag_s < 5

    asyncio.run(main())


def test_a_sink_that_is_away_gets_the_same_batch_again_and_nothing_is_lost() -> None:
    async def main() -> None:
        at = stage(MemorySink(away=True))
        at.sink.away = False
        assert await at.drain.try_open()
        at.sink.away = True
        at.put(1, 2)
        running = asyncio.ensure_future(at.drain.run())
        await until(lambda: len(at.sink.tries) >= 2)
        assert at.state() == "away"
        assert at.drain.pending == 2
        assert at.balanced()
        at.put(3)
        at.sink.away = False
        await until(lambda: len(at.sink.rows) == 3)
        assert all([row.trade_id for row in batch] == ["1", "2"] for batch in at.sink.tries[:-1])
        assert at.state() == "ok"
        assert at.counters.retries >= 2
        at.drain.buffer.close()
        await running
        assert at.balanced()

    asyncio.run(main())


def test_a_sink_away_at_the_start_is_opened_when_it_is_back() -> None:
    async def main() -> None:
        at = stage(MemorySink(away=True))
        assert not await at.drain.try_open()
        at.put(1)
        running = asyncio.ensure_future(at.drain.run())
        await asyncio.sleep(0.01)
        at.sink.away = False
        await until(lambda: at.sink.rows)
        assert at.sink.opened == 1
        at.drain.buffer.close()
        await running

    asyncio.run(main())


def test_a_stop_with_nothing_to_store_does_not_wait_for_a_sink_that_is_away() -> None:
    async def main() -> None:
        at = stage(MemorySink(away=True))
        running = asyncio.ensure_future(at.drain.run())
        await asyncio.sleep(0.01)
        at.drain.buffer.close()
        await asyncio.wait_for(running, 1.0)

    asyncio.run(main())


def test_a_refused_row_is_found_and_quarantined_and_the_rest_is_stored_in_order() -> None:
    async def main() -> None:
        at = stage(MemorySink(refuses=lambda row: row.trade_id in ("3", "7")))
        at.put(*range(10))
        await drained(at)
        assert at.sink.ids() == [str(n) for n in range(10) if n not in (3, 7)]
        assert at.counters.quarantined == 2
        assert [(origin, reason) for origin, reason, _ in at.kept] == [("memory", "a row is refused")] * 2
        assert "trade_id='3'" in at.kept[0][2]
        assert at.balanced()
        assert at.drain.pending == 0

    asyncio.run(main())


@given(
    bad=st.sets(st.integers(0, 24)),
    count=st.integers(1, 25),
    stop_after=st.integers(0, 40),
)
def test_the_account_holds_when_a_halving_is_cancelled_anywhere(bad: set[int], count: int, stop_after: int) -> None:
    class Slow(MemorySink):
        async def write(self, batch: Sequence[Any]) -> WriteResult:
            await asyncio.sleep(0)
            result = await super().write(batch)
            await asyncio.sleep(0)
            return result

    async def main() -> None:
        at = stage(Slow(refuses=lambda row: int(row.trade_id) in bad))
        at.put(*range(count))
        running = asyncio.ensure_future(at.drain.run())
        for _ in range(stop_after):
            await asyncio.sleep(0)
            assert at.balanced()
        await cancelled(running)
        assert at.balanced()
        await at.drain.give_up()
        assert at.drain.pending == 0
        assert at.balanced()
        done = at.counters.written + at.counters.quarantined
        assert done + at.counters.dropped == count

    asyncio.run(main())


@pytest.mark.parametrize("mistake", [ZeroDivisionError("oops"), asyncio.CancelledError(), OSError(5, "I/O error")])
def test_what_a_sink_must_not_raise_quarantines_the_rows_and_the_drain_goes_on(mistake: BaseException) -> None:
    async def main() -> None:
        at = stage()
        await at.drain.try_open()
        at.sink.raises = mistake
        at.put(1, 2)
        running = asyncio.ensure_future(at.drain.run())
        await until(lambda: at.counters.quarantined == 2)
        at.sink.raises = None
        at.put(3)
        await until(lambda: at.sink.ids() == ["3"])
        at.drain.buffer.close()
        await running
        assert at.balanced()
        assert all(reason for _, reason, _ in at.kept)

    asyncio.run(main())


@pytest.mark.parametrize("result", [None, WriteResult(7), WriteResult(0, 9), WriteResult(-1, 3), 2])
def test_a_sink_that_miscounts_cannot_unbalance_the_account(result: Any) -> None:
    class Miscounting(MemorySink):
        async def write(self, batch: Sequence[Any]) -> WriteResult:
            await super().write(batch)
            kept: WriteResult = result
            return kept

    async def main() -> None:
        at = stage(Miscounting())
        at.put(1, 2)
        await drained(at)
        assert at.balanced()
        assert at.counters.written >= 0

    asyncio.run(main())


def test_an_overflow_while_the_sink_is_away_reaches_the_store_as_one_gap() -> None:
    async def main() -> None:
        at = stage(capacity=5, max_rows=5)
        await at.drain.try_open()
        at.sink.away = True
        at.put(*range(5))
        running = asyncio.ensure_future(at.drain.run())
        await until(lambda: at.sink.tries)
        at.put(*range(5, 30))
        at.sink.away = False
        await until(lambda: any(isinstance(row, Gap) for row in at.sink.rows))
        at.drain.buffer.close()
        await running
        gaps = [row for row in at.sink.rows if isinstance(row, Gap)]
        trades = [row for row in at.sink.rows if isinstance(row, Trade)]
        assert [gap.count for gap in gaps] == [20]
        assert len(trades) == 10
        assert at.counters.dropped == 20
        assert at.balanced()

    asyncio.run(main())


@pytest.mark.parametrize(("mistake", "told"), [(ConfigError("wrong"), ConfigError), (KeyError("dsn"), PluginError)])
def test_a_sink_that_cannot_be_opened_says_who_must_act(mistake: Exception, told: type[Exception]) -> None:
    class Broken(MemorySink):
        async def open(self) -> None:
            raise mistake

    async def main() -> None:
        with pytest.raises(told):
            await stage(Broken()).drain.try_open()

    asyncio.run(main())


def test_a_drain_without_a_spool_hands_on_resume_points_too_before_it_writes() -> None:
    class Resumable(MemorySink):
        async def resume_points(self) -> dict[StreamKey, int]:
            assert self.rows == []
            return {StreamKey("toy", "trade", "X"): 7}

    async def main() -> None:
        at, points = stage(Resumable()), list[Any]()
        at.drain.resumed = points.append
        at.put(1)
        await drained(at)
        assert points == [{StreamKey("toy", "trade", "X"): 7}]
        assert at.sink.ids() == ["1"]
        assert (at.drain.spooling, at.drain.spool_bytes) == (False, 0)

    asyncio.run(main())


def test_a_sink_without_resume_points_is_asked_for_none() -> None:
    async def main() -> None:
        at, points = stage(), list[Any]()
        at.drain.resumed = points.append
        at.put(1)
        await drained(at)
        assert (points, at.sink.ids()) == ([], ["1"])

    asyncio.run(main())


def test_a_stop_does_not_wait_for_resume_points_of_a_sink_that_is_away() -> None:
    class Gone(MemorySink):
        async def resume_points(self) -> dict[StreamKey, int]:
            raise SinkUnavailable("not now")

    async def main() -> None:
        at, points = stage(Gone()), list[Any]()
        at.drain.resumed = points.append
        running = asyncio.ensure_future(at.drain.run())
        await until(lambda: at.state() == "away")
        at.put(1)
        at.drain.buffer.close()
        await asyncio.wait_for(running, 2.0)
        assert (points, at.sink.ids()) == ([], ["1"])

    asyncio.run(main())


def test_a_failing_or_hanging_close_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.drain._CLOSE_S", 0.05)

    class Failing(MemorySink):
        async def close(self) -> None:
            raise OSError("disk gone")

    class Hanging(MemorySink):
        async def close(self) -> None:
            await asyncio.sleep(60)

    async def main() -> None:
        began = time.monotonic()
        for sink in (Failing(), Hanging()):
            at = stage(sink)
            await at.drain.close()
            assert at.drain.state == "closed"
        assert time.monotonic() - began < 1

    asyncio.run(main())


def test_the_account_holds_at_every_moment_of_a_bad_day() -> None:
    async def main() -> None:
        draw = random.Random(3)
        at = stage(MemorySink(refuses=lambda row: row.type == "trade" and int(row.trade_id) % 11 == 0), capacity=40)
        await at.drain.try_open()
        running = asyncio.ensure_future(at.drain.run())
        for number in range(1000):
            at.put(number)
            if number % 10 == 0:
                at.sink.delay_s = draw.choice([0.0, 0.0, 0.001])
                await asyncio.sleep(0)
                assert at.balanced()
        at.drain.buffer.close()
        await asyncio.wait_for(running, 5)
        assert at.balanced()
        assert at.drain.pending == 0
        gaps = [row for row in at.sink.rows if isinstance(row, Gap)]
        assert sum(gap.count or 0 for gap in gaps) == at.counters.dropped

    asyncio.run(main())


@define
class ClosedOnly(MemorySink):
    """A sink that wants no open candles."""

    open_candles: bool = False


def candle(minute: int, closed: bool) -> Candle:
    one = Decimal(1)
    return Candle("toy", "X", None, 1, "1m", minute, None, one, one, one, one, one, None, None, closed)


@pytest.mark.parametrize(("sink", "minutes"), [(MemorySink(), [1, 1, 2]), (ClosedOnly(), [1])])
def test_open_candles_go_to_sinks_that_want_them(sink: MemorySink, minutes: list[int]) -> None:
    bus = Bus()
    drain = drain_from(bus, sink, 10, lambda *entry: None)
    bus.publish([candle(1, False), candle(1, True), candle(2, False), trade(1)])
    taken = drain.buffer.left()
    assert [event.open_time for event in taken if isinstance(event, Candle)] == minutes
    assert len(taken) == drain.counters.published == len(minutes) + 1
