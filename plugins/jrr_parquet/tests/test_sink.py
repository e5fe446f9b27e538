"""The sink: batches whole or not at all, also through a kill; errors named for who must act."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from jrr_parquet import ParquetSink, StorageConfig, jrr_sinks
from jrr_parquet.journal import file_of

from jrr_core.errors import ConfigError, SinkRejected, SinkUnavailable
from jrr_core.events import ALL_EVENTS, Backfilled, Candle, Connected, Gap, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import StreamKey, WriteResult
from jrr_core.testing.samples import samples

Run = Callable[..., Any]
T0 = 1_700_000_000_000_000_000


def test_the_plugin_offers_the_sink_by_name() -> None:
    (sink,) = jrr_sinks()
    assert (sink.name, sink.embedded, sink.Settings) == ("parquet", False, StorageConfig)
    assert set(ParquetSink(StorageConfig()).accepts) == {*ALL_EVENTS, Instrument}


def test_importing_the_plugin_does_not_import_pyarrow() -> None:
    code = (
        "import sys, jrr_parquet; jrr_parquet.ParquetSink(jrr_parquet.StorageConfig()); print('pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("wrong", [{"roll_s": 0}, {"file_bytes": 0}, {"keys_days": 0}, {"max_rows": 0}])
def test_a_setting_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        StorageConfig(**wrong)


def test_a_closed_store_has_everything_in_files(store: Run, folder: Path, trade: Run) -> None:
    store([trade(n) for n in range(3)], [trade(n, "../x") for n in range(3)])
    found = [str(path.relative_to(folder)) for path in folder.glob("trades/**/*.parquet")]
    stream = "trades/exchange=sim/channel=trade/symbol={}/date=2023-11-14/000000.parquet"
    assert sorted(found) == [stream.format("..%2Fx"), stream.format("BTCUSDT")]


@pytest.mark.parametrize(
    "change",
    [
        {"price": Decimal("NaN")},
        {"symbol": ""},
        {"symbol": "x" * 10_000},
        {"symbol": "__HIVE_DEFAULT_PARTITION__"},
        {"trade_id": "\ud800"},
        {"count": 2**63},
        {"ts_event": 2**70},
        {"side": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_row_that_no_file_can_hold_is_refused_with_its_whole_batch(
    use: Run, trade: Run, change: dict[str, Any]
) -> None:
    async def step(sink: ParquetSink) -> None:
        with pytest.raises(SinkRejected):
            await sink.write([trade(1), evolve(trade(2), **change)])
        assert await sink.write([trade(1)]) == WriteResult(1)
        assert [event async for event in sink.read(Trade)] == [trade(1)]

    use(step)


def test_equal_numbers_written_differently_are_one_key(store: Run) -> None:
    (event, *_) = samples(next(kind for kind in ALL_EVENTS if kind.type == "liquidation"))
    again = evolve(event, price=Decimal(f"{event.price}00"))
    assert store([event], [again]) == [WriteResult(1), WriteResult(0, 1)]


def test_an_open_candle_is_not_stored(store: Run) -> None:
    (candle, *_) = samples(Candle)
    assert store([evolve(candle, closed=False)], [candle]) == [WriteResult(0, 1), WriteResult(1)]


def test_a_changed_instrument_takes_the_place_of_the_old(use: Run) -> None:
    (item, *_) = samples(Instrument)

    async def step(sink: ParquetSink) -> list[Any]:
        assert await sink.write([item, item]) == WriteResult(1, 1)
        assert await sink.write([evolve(item, active=False)]) == WriteResult(1)
        return [found async for found in sink.read(Instrument)]

    assert use(step) == [evolve(item, active=False)]


def test_keys_are_forgotten_after_their_days(use: Run, trade: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def step(sink: ParquetSink) -> list[WriteResult]:
        written = []
        for day in (0, 2, 3):
            monkeypatch.setattr("time.time_ns", lambda day=day: T0 + day * 86_400 * 10**9)
            written.append(await sink.write([trade(1)]))
        return written

    assert use(step, keys_days=2) == [WriteResult(1), WriteResult(0, 1), WriteResult(1)]


def test_resume_points_are_the_highest_of_each_stream(use: Run, trade: Run) -> None:
    async def step(sink: ParquetSink) -> Any:
        await sink.write([trade(7), trade(5), trade(9, id_space="agg"), trade(1, trade_id="abc")])
        await sink.write([trade(6)])
        return await sink.resume_points()

    assert use(step) == {StreamKey("sim", "trade", "BTCUSDT"): 7, StreamKey("sim", "trade@agg", "BTCUSDT"): 9}


def test_coverage_is_drawn_from_stream_events_and_ends_with_the_store(use: Run, trade: Run) -> None:
    gap = Gap("sim", "BTCUSDT", T0 + 40, T0 + 40, "trade", "s1", "sequence", 2, T0 + 10, T0 + 20, (4, 5))
    told = [Connected("sim", "BTCUSDT", None, T0, "trade", "s1", ts_from=T0), trade(100), gap]

    async def step(sink: ParquetSink) -> None:
        assert await sink.write(told) == WriteResult(3)
        assert await sink.write(told) == WriteResult(0, 3)

    async def after(sink: ParquetSink) -> Any:
        assert [event async for event in sink.read(Gap)] == [gap]
        assert [event async for event in sink.read(Backfilled)] == []
        return [(item.state, item.reason, item.missing) for item in await sink.coverage()]

    use(step)
    assert use(after) == [("complete", None, None), ("gap", "sequence", 2), ("complete", "not running", None)]


def test_a_refused_batch_leaves_no_session_live(use: Run, trade: Run) -> None:
    connected = Connected("sim", "BTCUSDT", None, T0, "trade", "s1", ts_from=T0)
    (item, *_) = samples(Instrument)

    async def step(sink: ParquetSink) -> None:
        with pytest.raises(SinkRejected):
            await sink.write([connected, evolve(item, base="\ud800")])
        await sink.write([trade(5 * 10**9)])
        assert await sink.coverage() == []
        assert await sink.write([connected]) == WriteResult(1)

    use(step)


def test_counts_tell_what_is_stored_by_channel(use: Run, trade: Run) -> None:
    async def step(sink: ParquetSink) -> Any:
        await sink.write([trade(1), trade(2), trade(2), *samples(Candle)])
        return await sink.counts()

    assert use(step) == {("sim", "trade"): 2, ("example", "candle_1m"): 3, ("example", "candle_1d@+08:00"): 1}


def test_a_second_collector_is_refused(use: Run, folder: Path) -> None:
    async def step(sink: ParquetSink) -> None:
        other = ParquetSink(StorageConfig(path=str(folder)))
        with pytest.raises(ConfigError, match="another collector"):
            await other.open()
        await other.close()

    use(step)


def test_a_journal_of_another_program_is_refused(store: Run, folder: Path) -> None:
    store([])
    file_of(folder).write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigError, match="is not a journal of jrr"):
        store([])


def test_a_newer_layout_is_refused(store: Run, folder: Path) -> None:
    store([])
    with closing(sqlite3.connect(file_of(folder))) as journal:
        journal.execute("PRAGMA user_version = 2")
    with pytest.raises(ConfigError, match="newer jrr-parquet"):
        store([])


def test_a_store_that_does_not_exist_cannot_be_read(folder: Path) -> None:
    async def read() -> None:
        sink = ParquetSink(StorageConfig(path=str(folder)))
        with pytest.raises(ConfigError, match="does not exist"):
            await sink.coverage()
        with pytest.raises(ConfigError, match="does not exist"):
            [event async for event in sink.read(Trade)]

    asyncio.run(read())
    assert not folder.exists()


def test_a_journal_that_was_moved_takes_no_more(use: Run, folder: Path, trade: Run) -> None:
    async def step(sink: ParquetSink) -> None:
        file_of(folder).rename(folder / "elsewhere")
        with pytest.raises(SinkUnavailable, match="moved or deleted"):
            await sink.write([trade(1)])
        (folder / "elsewhere").rename(file_of(folder))
        assert await sink.write([trade(1)]) == WriteResult(1)

    use(step)


def test_files_that_cannot_be_completed_stop_the_store_until_they_can(use: Run, folder: Path, trade: Run) -> None:
    async def until(sink: ParquetSink, number: int, taken: bool) -> None:
        while True:
            try:
                await sink.write([trade(number)])
                if taken:
                    return
            except SinkUnavailable as error:
                if not taken:
                    assert "cannot be completed" in str(error)  # noqa: PT017 - the loop waits for it
                    return
            await asyncio.sleep(0.01)

    async def step(sink: ParquetSink) -> None:
        (folder / "trades").write_text("in the way")
        await until(sink, 1, taken=False)
        (folder / "trades").unlink()
        await until(sink, 2, taken=True)
        assert [event async for event in sink.read(Trade)] == [trade(1), trade(2)]

    use(step, roll_s=0.01)


_KILLED = """
import asyncio, sys
from decimal import Decimal
from jrr_core.events import Trade
from jrr_parquet import ParquetSink, StorageConfig

async def main():
    sink = ParquetSink(StorageConfig(path=sys.argv[1], roll_s=0.005))
    await sink.open()
    for batch in range(100_000):
        await sink.write([Trade("sim", f"S{n % 3}", 1, 2, Decimal(1), Decimal(1), None, str(batch * 30 + n))
                          for n in range(30)])
        print(batch, flush=True)

asyncio.run(main())
"""


def test_a_kill_leaves_whole_batches_each_event_once(use: Run, folder: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(folder)]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            told = [int(child.stdout.readline()) for _ in range(60)]
            os.kill(child.pid, signal.SIGKILL)
            told += [int(line) for line in child.stdout.read().splitlines()]

        async def stored(sink: ParquetSink) -> list[int]:
            return sorted([int(event.trade_id) async for event in sink.read(Trade)])

        found = use(stored)
        assert found == [*range(len(found))]
        assert len(found) % 30 == 0
        assert len(found) >= (told[-1] + 1) * 30
