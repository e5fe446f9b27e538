"""From a buffer to a sink by way of the disk: nothing is lost, nothing changes places, the account holds."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jrr_core.buffer import Buffer
from jrr_core.counters import SinkCounters
from jrr_core.drain import Drain
from jrr_core.errors import ConfigError, SinkUnavailable
from jrr_core.events import Gap, Trade
from jrr_core.sink import BatchPolicy, StreamKey, WriteResult
from jrr_core.spool import Spool, SpoolSettings, files
from tests.toy import MemorySink, balanced, trade, until

ROOT = Path(__file__).resolve().parents[1]


class Stage:
    """A drain with a spool, its sink, and what the quarantine was given."""

    def __init__(
        self, folder: Path, sink: MemorySink | None = None, capacity: int = 1000, max_rows: int = 100, **spool: Any
    ) -> None:
        self.sink = sink or MemorySink()
        self.counters = SinkCounters()
        self.kept: list[tuple[str, str, str]] = []
        self.sink.batch = BatchPolicy(max_rows, 0.0)
        self.buffer = Buffer(self.sink.batch, capacity, self.counters)
        self.spool = Spool(folder / "spool" / "memory", SpoolSettings(**spool))
        self.drain = Drain(self.sink, self.buffer, self.counters, lambda *entry: self.kept.append(entry), self.spool)
        self.running: asyncio.Task[None] | None = None

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.buffer.put(trade(number))

    async def start(self) -> None:
        await self.drain.try_open()
        self.running = asyncio.ensure_future(self.drain.run())

    async def finish(self) -> None:
        """Stop as a run does that has all the time it needs."""
        assert self.running is not None
        self.buffer.close()
        async with asyncio.timeout(20):
            await self.running
        await self.drain.close()
        assert self.balanced()

    async def cut_short(self) -> None:
        """Stop as a run does that has no time left."""
        assert self.running is not None
        self.buffer.close()
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.drain.give_up()
        assert self.balanced()
        await self.drain.close()

    def balanced(self) -> bool:
        return balanced(self.counters, self.drain.pending)

    def on_disk(self) -> int:
        return self.counters.spooled


def ids(sink: MemorySink) -> list[int]:
    return [int(number) for number in sink.ids()]


def test_while_the_sink_is_away_events_are_on_disk_soon_and_follow_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        at = Stage(tmp_path)
        await at.start()
        at.put(*range(10))
        await until(lambda: len(at.sink.rows) == 10)
        at.sink.away = True
        at.put(*range(10, 20))
        await until(lambda: at.on_disk() == 10)
        at.put(*range(20, 500))
        await until(lambda: at.on_disk() == 490)
        assert at.drain.pending == 0
        assert at.balanced()
        at.sink.away = False
        await until(lambda: len(at.sink.rows) == 500)
        await until(lambda: not at.drain.spooling)
        at.put(500)
        await until(lambda: len(at.sink.rows) == 501)
        assert ids(at.sink) == list(range(501))
        assert (at.counters.written, at.counters.duplicate, at.on_disk()) == (501, 0, 0)
        await at.finish()
        assert not (tmp_path / "spool").exists()

    asyncio.run(main())


def test_events_of_a_sink_away_are_on_disk_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True))
        await at.start()
        await until(lambda: at.drain.state == "away")
        for number in range(5):
            at.put(number)
            await until(lambda number=number: at.on_disk() == number + 1, within_s=0.5)  # type: ignore[misc]
        at.sink.away = False
        await at.finish()

    asyncio.run(main())


def test_a_sink_that_is_too_slow_has_its_batch_and_what_waits_put_on_disk(tmp_path: Path) -> None:
    async def main() -> None:
        at = Stage(tmp_path, MemorySink(delay_s=0.3), capacity=2000, max_rows=100)
        await at.start()
        at.put(*range(100))
        await until(lambda: at.sink.tries)
        for start in range(100, 1500, 50):
            at.put(*range(start, start + 50))
            await asyncio.sleep(0.001)
            assert at.balanced()
        await until(lambda: at.on_disk() > 1000)
        at.sink.delay_s = 0
        await at.finish()
        assert ids(at.sink) == list(range(1500))
        assert at.counters.dropped == at.counters.duplicate == 0

    asyncio.run(main())


def test_a_write_that_hangs_has_its_batch_put_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.drain._SLOW_S", 0.05)

    async def main() -> None:
        at = Stage(tmp_path, MemorySink(delay_s=60))
        await at.start()
        at.put(1, 2, 3)
        await until(lambda: at.on_disk() == 3)
        await at.cut_short()
        assert at.on_disk() == 3

    asyncio.run(main())


def test_what_a_stop_leaves_is_stored_first_by_the_next_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        at = Stage(tmp_path)
        await at.start()
        at.sink.away = True
        at.put(*range(50))
        await until(lambda: at.sink.tries)
        at.put(*range(50, 80))
        await at.cut_short()
        assert (at.on_disk(), at.counters.dropped) == (80, 0)
        assert "memory: 80 events not stored are in the spool" in caplog.text
        assert "jrr spool drain" in caplog.text

        again = Stage(tmp_path)
        await again.start()
        assert again.counters.published == 80
        again.put(*range(80, 90))
        await again.finish()
        assert ids(again.sink) == list(range(90))
        assert (again.counters.published, again.counters.written, again.on_disk()) == (90, 90, 0)

    asyncio.run(main())


def test_a_stop_before_the_sink_was_ever_there_leaves_all_in_the_spool(tmp_path: Path) -> None:
    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True))
        await at.start()
        at.put(*range(5))
        await at.cut_short()
        assert at.on_disk() == 5

    asyncio.run(main())


def test_refused_rows_that_come_from_disk_are_quarantined_and_the_rest_is_stored(tmp_path: Path) -> None:
    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True, refuses=lambda row: row.trade_id in ("3", "150")))
        await at.start()
        at.put(*range(200))
        await until(lambda: at.on_disk() == 200)
        at.sink.away = False
        await at.finish()
        assert ids(at.sink) == [n for n in range(200) if n not in (3, 150)]
        assert (at.counters.quarantined, len(at.kept)) == (2, 2)

    asyncio.run(main())


def test_what_cannot_be_packed_is_quarantined(tmp_path: Path) -> None:
    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True))
        await at.start()
        odd = trade(2)
        odd.kind = object()  # type: ignore[assignment]  # that is the point
        at.put(1)
        at.buffer.put(odd)
        at.put(3)
        await until(lambda: at.on_disk() == 3)
        at.sink.away = False
        await at.finish()
        assert ids(at.sink) == [1, 3]
        assert at.counters.quarantined == 1
        assert "trade_id='2'" in at.kept[0][2]

    asyncio.run(main())


def test_a_full_spool_ends_in_one_gap_for_the_whole_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jrr_core.spooler._RETRY_S", 0.02)

    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True), capacity=3000, max_rows=5000, max_bytes=2**20)
        await at.start()
        put = 0
        while at.counters.dropped < 2000:
            at.put(*range(put, put + 100))
            put += 100
            await asyncio.sleep(0.001)
            assert at.balanced()
        assert at.spool.size <= 2**20
        at.sink.away = False
        await until(lambda: any(isinstance(row, Gap) for row in at.sink.rows))
        await at.finish()
        (gap,) = [row for row in at.sink.rows if isinstance(row, Gap)]
        assert gap.count == at.counters.dropped == put - at.counters.written + 1
        assert ids(at.sink) == sorted(set(ids(at.sink)))

    asyncio.run(main())
    assert caplog.text.count("cannot spool to") == 1
    assert "it holds spool.max_bytes" in caplog.text


def test_a_folder_that_cannot_be_made_is_told_and_events_wait_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jrr_core.spooler._RETRY_S", 0.02)
    (tmp_path / "spool").write_text("in the way")

    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True))
        await at.start()
        at.put(*range(10))
        await asyncio.sleep(0.1)
        assert at.drain.pending == 10
        (tmp_path / "spool").unlink()
        await until(lambda: at.on_disk() == 10 and "takes events again" in caplog.text)
        at.sink.away = False
        await at.finish()
        assert ids(at.sink) == list(range(10))

    asyncio.run(main())
    assert caplog.text.count("cannot spool to") == 1
    assert "takes events again" in caplog.text


def test_without_disk_a_sink_that_is_back_gets_what_waited_in_memory(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")

    async def main() -> None:
        at = Stage(tmp_path)
        await at.start()
        at.put(1)
        await until(lambda: at.sink.rows)
        at.sink.away = True
        at.put(*range(2, 400))
        await until(lambda: at.drain.state == "away")
        await asyncio.sleep(0.1)
        at.sink.away = False
        await at.finish()
        assert ids(at.sink) == list(range(1, 400))

    asyncio.run(main())


class Failing(Spool):
    """A spool whose disk takes nothing while `broken`."""

    broken = False

    def append(self, payloads: Sequence[tuple[bytes, int]]) -> Any:
        if self.broken:
            raise OSError(5, "Input/output error")
        return super().append(payloads)


def test_a_disk_that_fails_meanwhile_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.spooler._RETRY_S", 0.01)

    async def main() -> None:
        at = Stage(tmp_path, capacity=5000)
        failing = Failing(at.spool.folder, at.spool.settings)
        at.drain = Drain(at.sink, at.buffer, at.counters, lambda *entry: at.kept.append(entry), failing)
        await at.start()
        draw = random.Random(5)
        for number in range(0, 4000, 20):
            at.put(*range(number, number + 20))
            failing.broken, at.sink.away = draw.random() < 0.5, draw.random() < 0.5
            await asyncio.sleep(0.003)
            assert at.balanced()
        failing.broken = at.sink.away = False
        await at.finish()
        assert ids(at.sink) == list(range(4000))
        assert at.counters.dropped == 0

    asyncio.run(main())


class Moody(MemorySink):
    """Is away, slow, or takes a batch without saying so, as `draw` will have it."""

    draw = random.Random(0)

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        mood = self.draw.random()
        if mood < 0.3:
            raise SinkUnavailable("not now")
        if mood < 0.5:
            await asyncio.sleep(0.002)
        result = await super().write(batch)
        if mood > 0.9:
            raise SinkUnavailable("the answer got lost")
        return result


@settings(max_examples=settings().max_examples // 10)
@given(
    seed=st.integers(0, 2**32),
    bursts=st.lists(st.tuples(st.integers(1, 120), st.sampled_from([0.0, 0.001, 0.02])), min_size=1, max_size=25),
    bad=st.sets(st.integers(0, 300), max_size=5),
    restart=st.booleans(),
)
def test_the_order_is_the_order_published_whatever_the_sink_does(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    bursts: list[tuple[int, float]],
    bad: set[int],
    restart: bool,
) -> None:
    async def main() -> None:
        folder = tmp_path_factory.mktemp("order")
        sink = Moody(refuses=lambda row: isinstance(row, Trade) and int(row.trade_id) in bad)
        sink.draw = random.Random(seed)
        at, put = Stage(folder, sink, capacity=400, max_rows=50), 0
        await at.start()
        for count, pause_s in bursts:
            at.put(*range(put, put + count))
            put += count
            await asyncio.sleep(pause_s)
            assert at.balanced()
        dropped = at.counters.dropped
        if restart:
            await at.cut_short()
            at = Stage(folder, sink, max_rows=50)
            await at.start()
        await at.finish()
        stored = ids(sink)
        assert stored == sorted(stored)
        if not dropped:
            assert stored == [n for n in range(put) if n not in bad]
        assert at.on_disk() == 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jrr_core.drain._RETRY_CAP_S", 0.01)
        asyncio.run(main())


class Resumable(MemorySink):
    """Says where streams ended, after `failures` were raised."""

    failures: Sequence[Exception] = ()
    seen: int = -1

    async def resume_points(self) -> Mapping[StreamKey, int]:
        if self.failures:
            self.failures, first = self.failures[1:], self.failures[0]
            raise first
        self.seen = len(self.rows)
        return {StreamKey("toy", "trade", "X"): max(ids(self), default=0)}


@pytest.mark.parametrize("failures", [(), (SinkUnavailable("not now"),)])
def test_resume_points_are_those_behind_the_spool_and_before_this_run(
    tmp_path: Path, failures: Sequence[Exception]
) -> None:
    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True))
        await at.start()
        at.put(*range(250))
        await at.cut_short()
        sink = Resumable(away=True)
        sink.failures = failures
        again, points = Stage(tmp_path, sink), list[Mapping[StreamKey, int]]()
        again.drain.resumed = points.append
        await again.start()
        again.put(*range(250, 260))
        await until(lambda: again.on_disk() == 260)
        sink.away = False
        await until(lambda: len(sink.rows) == 260)
        await again.finish()
        assert points == [{StreamKey("toy", "trade", "X"): 249}]
        assert sink.seen == 250
        assert ids(sink) == list(range(260))

    asyncio.run(main())


def test_a_sink_that_fails_to_say_where_it_ended_stores_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        sink = Resumable()
        sink.failures = (ZeroDivisionError("its mistake"),)
        at, points = Stage(tmp_path, sink), list[Mapping[StreamKey, int]]()
        at.drain.resumed = points.append
        await at.start()
        at.put(1)
        await at.finish()
        assert points == []
        assert ids(sink) == [1]

    asyncio.run(main())
    assert "cannot tell where its streams ended" in caplog.text


def test_damage_is_counted_and_told_and_the_rest_is_stored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        at = Stage(tmp_path, MemorySink(away=True))
        await at.start()
        for start in range(0, 300, 100):
            at.put(*range(start, start + 100))
            await until(lambda start=start: at.on_disk() == start + 100)  # type: ignore[misc]
        await at.cut_short()
        ((_, file),) = files(at.spool.folder)
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(data)
        again = Stage(tmp_path)
        await again.start()
        await again.finish()
        lost = again.counters.dropped
        assert lost == 100
        assert len(ids(again.sink)) == 200
        assert f"{file} from byte" in caplog.text
        assert f"{lost} events are lost" in caplog.text

    asyncio.run(main())


def test_two_runs_cannot_share_a_spool(tmp_path: Path) -> None:
    async def main() -> None:
        first = Stage(tmp_path)
        await first.start()
        with pytest.raises(ConfigError, match=r"is using the spool .*memory .*--set spool.path"):
            await Stage(tmp_path).drain.try_open()
        await first.finish()
        second = Stage(tmp_path)
        await second.start()
        await second.finish()

    asyncio.run(main())


_CHILD = """
import asyncio, sys
from pathlib import Path
from tests.test_spooler import Stage
from tests.toy import MemorySink

async def main():
    at = Stage(Path(sys.argv[1]), MemorySink(away=True))
    await at.start()
    number = 0
    while True:
        at.put(*range(number, number + 50))
        number += 50
        await asyncio.sleep(0.01)
        print(number, at.on_disk(), flush=True)

asyncio.run(main())
"""


def test_a_killed_run_loses_what_was_not_on_disk_yet_and_no_more(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdout is not None
    with child, child.stdout:
        for line in child.stdout:
            published, on_disk = map(int, line.split())
            if on_disk > 1000:
                break
        child.send_signal(signal.SIGKILL)

    async def main() -> None:
        at = Stage(tmp_path)
        await at.start()
        await at.finish()
        found = ids(at.sink)
        assert found == list(range(len(found)))
        assert len(found) >= on_disk
        assert published - on_disk <= 1500

    asyncio.run(main())
