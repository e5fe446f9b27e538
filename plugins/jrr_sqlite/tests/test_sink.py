"""The sink: batches whole or not at all, counted exactly, errors named for who must act."""

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
from jrr_sqlite import SqliteSink, StorageConfig, jrr_sinks

from jrr_core.errors import ConfigError, SinkRejected, SinkUnavailable
from jrr_core.events import ALL_EVENTS, Candle, Connected, Disconnected, Gap, Message, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import StreamKey, WriteResult

Store = Callable[..., list[WriteResult]]
D = Decimal
T0 = 1_700_000_000_000_000_000
SECOND = 10**9


def trade(number: int, symbol: str = "BTCUSDT", **more: Any) -> Trade:
    return Trade("sim", symbol, T0 + number, T0 + number + 5, D("1.5"), D("2"), "buy", str(number), **more)


def candle(volume: str, closed: bool, seen: int) -> Candle:
    one = D(1)
    return Candle("sim", "BTCUSDT", None, seen, "1m", T0, T0 + 60, one, one, one, one, D(volume), None, None, closed)


def query(path: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def run(path: str, *steps: Callable[[SqliteSink], Any], **settings: Any) -> None:
    """Open a sink, await each step with it, close it."""

    async def main() -> None:
        sink = SqliteSink(StorageConfig(path=path, **settings))
        await sink.open()
        try:
            for step in steps:
                await step(sink)
        finally:
            await sink.close()

    asyncio.run(main())


def test_the_plugin_offers_the_sink_by_name() -> None:
    (sink,) = jrr_sinks()
    assert (sink.name, sink.embedded, sink.Settings) == ("sqlite", True, StorageConfig)
    assert set(SqliteSink(StorageConfig()).accepts) == {*ALL_EVENTS, Instrument}


def test_settings_become_the_batch_policy() -> None:
    batch = SqliteSink(StorageConfig(max_rows=7, max_age_s=0.5)).batch
    assert (batch.max_rows, batch.max_age_s) == (7, 0.5)


@pytest.mark.parametrize(
    "wrong", [{"max_rows": 0}, {"max_age_s": 0}, {"candles": "some"}, {"synchronous": "2"}, {"busy_timeout_s": -1}]
)
def test_a_setting_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        StorageConfig(**wrong)


def test_every_event_is_stored_once(store: Store, one_of_each: list[Any]) -> None:
    all_of_it = len(one_of_each)
    assert store(one_of_each, one_of_each) == [WriteResult(all_of_it), WriteResult(0, all_of_it)]
    assert store(one_of_each + one_of_each) == [WriteResult(0, 2 * all_of_it)]


def test_duplicates_are_counted_within_one_batch_of_many_statements(store: Store) -> None:
    batch = [trade(n // 2) for n in range(3001)]
    assert store(batch) == [WriteResult(1501, 1500)]


def test_an_open_candle_is_kept_only_if_asked_for(path: str, store: Store) -> None:
    batch = [candle("1", False, 1), candle("2", True, 2)]
    assert store(batch[:1], batch) == [WriteResult(0, 1), WriteResult(1, 1)]
    assert query(path, "SELECT volume, closed FROM candles") == [("2", 1)]


def test_a_closed_candle_replaces_an_open_one_and_is_final(path: str, store: Store) -> None:
    first, second, closed = candle("1", False, 1), candle("2", False, 2), candle("3", True, 3)
    later = candle("4", True, 4)
    batches = [[first], [second], [first], [closed], [closed], [second], [later]]
    assert [r.written for r in store(*batches, candles="all")] == [1, 1, 0, 1, 0, 0, 0]
    assert query(path, "SELECT volume, closed, ts_recv FROM candles") == [("3", 1, 3)]


def test_an_instrument_is_updated_when_it_changed(path: str, store: Store) -> None:
    item = Instrument("sim", "BTCUSDT", "BTC", "USDT", None, "spot", D("0.10"), None, None, None, "BTC-USDT")
    changed = evolve(item, tick_size=D("0.01"))
    assert [r.written for r in store([item], [item], [changed], [changed])] == [1, 0, 1, 0]
    assert query(path, "SELECT tick_size FROM instruments") == [("0.01",)]


def but(event: Any, **wrong: Any) -> Any:
    return evolve(event, **wrong)


BAD: dict[str, Any] = {
    "price is text": but(trade(2), price="1.5"),
    "price is a float": but(trade(2), price=1.5),
    "price is missing": but(trade(2), price=None),
    "integer too large": but(trade(2), ts_event=0, ts_recv=2**64),
    "count is text": but(trade(2), count="many"),
    "side is unknown": but(trade(2), side="up"),
    "id is a number": but(trade(2), trade_id=2),
    "symbol is missing": but(trade(2), symbol=None),
    "not text that can be encoded": but(trade(2), symbol="\ud800"),
    "time is text": but(candle("1", True, 1), open_time="now"),
    "a class not known": Message("sim", "BTCUSDT", None, 1),
    "not an event": "trade",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_refused_with_its_whole_batch_and_nothing_else(bad: Any, path: str, store: Store) -> None:
    with pytest.raises(SinkRejected, match=r"market\.db refuses a row"):
        store([trade(1, "NEW"), bad])
    assert query(path, "SELECT count(*) FROM trades") == [(0,)]
    assert query(path, "SELECT count(*) FROM streams") == [(0,)]
    assert store([trade(1, "NEW")]) == [WriteResult(1)]


def test_writing_goes_on_after_a_refused_batch(path: str) -> None:
    async def refused(sink: SqliteSink) -> None:
        start = Connected("sim", "NEW", None, T0, "trade", "s", ts_from=T0)
        with pytest.raises(SinkRejected):
            await sink.write([start, trade(1, "NEW"), "bad"])
        assert await sink.write([start, trade(1, "NEW")]) == WriteResult(2)

    run(path, refused)
    assert query(path, "SELECT symbol, count(*) FROM trades") == [("NEW", 1)]
    assert len(query(path, "SELECT * FROM coverage")) == 1


def test_a_locked_file_is_unavailable_for_the_moment(path: str, store: Store) -> None:
    store([])

    async def locked(sink: SqliteSink) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(SinkUnavailable, match=r"market\.db: database is locked"):
                await sink.write([trade(1)])
        assert await sink.write([trade(1)]) == WriteResult(1)

    run(path, locked, busy_timeout_s=0.05)


def test_a_full_disk_is_unavailable_and_costs_nothing(path: str) -> None:
    async def full(sink: SqliteSink) -> None:
        connection = sink._writer._connection
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(SinkUnavailable, match="full"):
            await sink.write([trade(n) for n in range(5000)])
        connection.execute("PRAGMA max_page_count = 1000000")
        assert await sink.write([trade(n) for n in range(5000)]) == WriteResult(5000)

    run(path, full)


def test_a_file_that_is_taken_away_is_missed_until_it_is_back(path: str, store: Store) -> None:
    async def taken(sink: SqliteSink) -> None:
        await sink.write([trade(1)])
        away = Path(path).rename(f"{path}.away")
        with pytest.raises(SinkUnavailable, match="was moved or deleted while being written; put it back"):
            await sink.write([trade(2)])
        away.rename(path)
        await sink.write([trade(2)])

    run(path, taken)
    assert query(path, "SELECT trade_id FROM trades ORDER BY 1") == [("1",), ("2",)]


def test_a_sink_that_is_not_open_is_unavailable(path: str) -> None:
    async def main() -> None:
        sink = SqliteSink(StorageConfig(path=path))
        with pytest.raises(SinkUnavailable, match="not open"):
            await sink.write([trade(1)])
        await sink.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("missing/market.db", "the directory .*missing does not exist; make it"),
        (".", "is a directory; set sinks.sqlite.path"),
        ("/proc/market.db", r"/proc/market\.db cannot be opened .*writable"),
        ("/dev/null/market.db", "does not exist"),
    ],
)
def test_a_path_that_cannot_be_used_says_what_to_do(where: str, says: str, tmp_path: Path) -> None:
    async def main() -> None:
        sink = SqliteSink(StorageConfig(path=str(tmp_path / where)))
        with pytest.raises(ConfigError, match=says):
            await sink.open()
        await sink.close()

    asyncio.run(main())


def test_a_second_writer_is_refused_by_name_of_the_file(path: str) -> None:
    async def second(sink: SqliteSink) -> None:
        other = SqliteSink(StorageConfig(path=path))
        with pytest.raises(ConfigError, match=r"market\.db is being written by another collector; stop that one"):
            await other.open()
        await other.close()
        assert await sink.write([trade(1)]) == WriteResult(1)

    run(path, second)
    run(path)


def test_an_open_that_was_cancelled_may_come_again(path: str) -> None:
    async def main() -> None:
        sink = SqliteSink(StorageConfig(path=path))
        opening = asyncio.ensure_future(sink.open())
        await asyncio.sleep(0)
        opening.cancel()
        await sink.open()
        assert await sink.write([trade(1)]) == WriteResult(1, 0)
        await sink.close()

    asyncio.run(main())
    assert query(path, "SELECT count(*) FROM trades") == [(1,)]


def test_a_cancelled_write_is_whole_and_the_next_one_safe(path: str) -> None:
    batches = [[trade(1000 * n + i) for i in range(1000)] for n in range(20)]

    async def cancelled(sink: SqliteSink) -> None:
        for n, batch in enumerate(batches):
            task = asyncio.create_task(sink.write(batch))
            await asyncio.sleep(0.0005 * (n % 5))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        stored = {row[0] // 1000 for row in query(path, "SELECT CAST(trade_id AS INTEGER) FROM trades")}
        for n, batch in enumerate(batches):
            result = await sink.write(batch)
            assert result in (WriteResult(1000), WriteResult(0, 1000))
            assert n not in stored or result.duplicate == 1000

    run(path, cancelled)
    assert query(path, "SELECT count(*) FROM trades") == [(20_000,)]


def test_coverage_follows_the_stream_events(path: str, store: Store) -> None:
    start = Connected("sim", "BTCUSDT", None, T0, "trade", "a", ts_from=T0)
    hole = Gap("sim", "BTCUSDT", None, T0 + 5, "trade", "a", "sequence", 3, T0 + 2, T0 + 4)
    end = Disconnected("sim", "BTCUSDT", None, T0 + 9, "trade", "a", "closed", ts_to=T0 + 8)
    again = Connected("sim", "BTCUSDT", None, T0 + 20, "trade", "b", ts_from=T0 + 20)
    assert store([start, trade(1), hole, end], [end, again]) == [WriteResult(4), WriteResult(1, 1)]
    assert query(path, f"SELECT ts_from - {T0}, ts_to - {T0}, state, reason, missing FROM coverage") == [
        (0, 2, "complete", None, None),
        (2, 4, "gap", "sequence", 3),
        (4, 8, "complete", "closed", None),
        (8, 20, "gap", "closed", None),
        (20, 20, "complete", "not running", None),
    ]
    assert query(path, "SELECT DISTINCT exchange, channel, symbol FROM coverage") == [("sim", "trade", "BTCUSDT")]


def test_many_streams_connect_in_one_batch_among_known_ones(path: str, store: Store) -> None:
    events = [Connected("sim", f"S{n}", None, T0, "trade", "a", ts_from=T0) for n in range(300)]
    assert store(events[:10] + events[:10], events) == [WriteResult(10, 10), WriteResult(290, 10)]
    assert query(path, "SELECT count(*) FROM coverage") == [(300,)]


def test_live_ranges_reach_to_what_was_stored_last_once_a_second(path: str) -> None:
    start = Connected("sim", "BTCUSDT", None, T0, "trade", "a", ts_from=T0)
    reached: list[int] = []

    async def beats(sink: SqliteSink) -> None:
        for at in (0, 2 * SECOND, 2 * SECOND + 5, 4 * SECOND):
            await sink.write([start, trade(at)])
            reached.append(query(path, "SELECT ts_to FROM coverage")[0][0] - T0)

    run(path, beats)
    assert reached == [0, 2 * SECOND + 5, 2 * SECOND + 5, 4 * SECOND + 5]
    assert query(path, "SELECT ts_to, reason FROM coverage") == [(T0 + 4 * SECOND + 5, "not running")]


def test_resume_points_name_the_end_of_each_stream(path: str, store: Store, one_of_each: list[Any]) -> None:
    store([trade(7), trade(12), trade(9), trade(40, id_space="agg"), *one_of_each, trade(3, "text")])
    store([evolve(trade(1, "text"), trade_id="x")])

    async def ask(sink: SqliteSink) -> None:
        assert await sink.resume_points() == {
            StreamKey("sim", "trade", "BTCUSDT"): 5_000_000_001,
            StreamKey("sim", "trade@agg", "BTCUSDT"): 40,
            StreamKey("sim", "trade", "text"): 3,
            StreamKey("sim", "quote", "BTCUSDT"): 77,
            StreamKey("sim", "book", "BTCUSDT"): 14,
            StreamKey("sim", "candle_1m", "BTCUSDT"): T0,
            StreamKey("sim", "candle_1s", "BTCUSDT"): T0,
            StreamKey("sim", "funding", "BTCUSDT"): T0 + 9,
        }

    run(path, ask)


WRITER = """
import asyncio, sys
from decimal import Decimal
from jrr_core.events import Connected, Trade
from jrr_sqlite import SqliteSink, StorageConfig
async def main():
    sink = SqliteSink(StorageConfig(path=sys.argv[1]))
    await sink.open()
    await sink.write([Connected("sim", "BTCUSDT", None, 1, "trade", "s", ts_from=1)])
    one = Decimal(1)
    for batch in range(10**6):
        at = (batch + 1) * 10**9
        await sink.write([Trade("sim", "BTCUSDT", at, at, one, one, "buy", str(batch * 1000 + n)) for n in range(1000)])
        print(batch, flush=True)
asyncio.run(main())
"""


def test_a_killed_writer_leaves_whole_batches_and_the_end_of_its_coverage(path: str, store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(4)]
        os.kill(writer.pid, signal.SIGKILL)
    assert said[-1] == "3\n"
    again = Connected("sim", "BTCUSDT", None, 10**13, "trade", "s2", ts_from=10**13)
    assert store([again]) == [WriteResult(1)]
    ((number, last),) = query(path, "SELECT count(*), max(CAST(trade_id AS INTEGER)) FROM trades")
    assert number % 1000 == 0
    assert last + 1 == number >= 4000
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    ranges = query(path, "SELECT ts_from, ts_to, state, reason FROM coverage")
    assert ranges[0] == (1, number // 1000 * SECOND, "complete", None)
    assert ranges[1] == (number // 1000 * SECOND, 10**13, "gap", "crash")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 100, 255, 256, 257, 700])
def test_batches_of_any_size_are_counted_exactly(size: int, path: str, store: Store) -> None:
    batch: list[Any] = [trade(n) for n in range(size)]
    batch += [evolve(candle("1", True, 1), open_time=n) for n in range(size)]
    assert store(batch, batch) == [WriteResult(2 * size), WriteResult(0, 2 * size)]
    assert query(path, "SELECT count(*) FROM trades") == [(size,)]
