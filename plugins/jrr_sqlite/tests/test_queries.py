"""Reading back: what was written, by the sink's own reading methods, without opening it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.errors import ConfigError, SinkUnavailable
from jrr_core.events import ALL_EVENTS, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import StreamKey, WriteResult
from jrr_core.store import QueryStore, Range, Store

T0 = 1_700_000_000_000_000_000
ONE = Decimal("1.50")

Write = Callable[..., list[WriteResult]]
T = TypeVar("T")


def reader(path: str) -> SqliteSink:
    return SqliteSink(StorageConfig(path=path))


def told(answer: Awaitable[T]) -> T:
    async def wait() -> T:
        return await answer

    return asyncio.run(wait())


def listed(found: AsyncIterator[T]) -> list[T]:
    async def take() -> list[T]:
        return [event async for event in found]

    return asyncio.run(take())


@pytest.mark.parametrize("kind", [*ALL_EVENTS, Instrument], ids=lambda kind: kind.type)
def test_events_read_back_equal(kind: type, path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    found: list[Any] = listed(reader(path).read(kind))
    assert sorted(found, key=repr) == sorted([e for e in one_of_each if type(e) is kind], key=repr)
    assert {type(event) for event in found} == {kind}


def test_the_digits_read_back_too(path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    assert {str(trade.amount) for trade in listed(reader(path).read(Trade))} == {"0.00020000"}


def test_counts_are_by_exchange_and_channel(path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    counts = told(reader(path).counts())
    assert counts == {
        ("sim", "trade"): 2,
        ("sim", "quote"): 2,
        ("sim", "book"): 3,
        ("sim", "book_snapshot_5"): 1,
        ("sim", "candle_1m"): 1,
        ("sim", "candle_1s"): 1,
        ("sim", "funding"): 2,
        ("sim", "mark_price"): 2,
        ("sim", "open_interest"): 1,
        ("sim", "liquidation"): 2,
    }
    market = [event for event in one_of_each if hasattr(event, "ts_recv") and not hasattr(event, "what")]
    for event in market:
        assert counts[event.exchange, event.channel]


def test_coverage_reads_as_ranges(path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    ranges = told(reader(path).coverage())
    assert [(r.state, r.missing) for r in ranges] == [("complete", None), ("backfilled", 0), ("complete", None)]
    assert all(isinstance(r, Range) for r in ranges)


def test_last_is_the_time_of_each_streams_last_event(path: str, store: Write, one_of_each: list[Any]) -> None:
    store([*one_of_each, Trade("sim", "ETHUSDT", None, T0 + 70, ONE, ONE, None, "x")])
    last = told(reader(path).last())
    assert {key.channel for key in last} == {channel for _, channel in told(reader(path).counts())}
    assert last[StreamKey("sim", "trade", "ETHUSDT")] == T0 + 70
    assert last[StreamKey("sim", "trade", "BTCUSDT")] == last[StreamKey("sim", "book", "BTCUSDT")] == T0


def test_the_sink_is_a_store_that_can_be_asked() -> None:
    assert isinstance(reader("x.db"), Store)
    assert isinstance(reader("x.db"), QueryStore)


def test_reading_what_is_not_there_makes_nothing(path: str) -> None:
    def readings() -> list[Callable[[], Any]]:
        at = reader(path)
        return [
            lambda: listed(at.read(Trade)),
            lambda: listed(at.resample("sim", "BTCUSDT", "1m")),
            lambda: told(at.book_at("sim", "BTCUSDT", T0)),
            *[lambda ask=ask: told(ask()) for ask in (at.coverage, at.counts, at.last)],
        ]

    def refuse(words: str) -> None:
        for read in readings():
            with pytest.raises(ConfigError, match=words):
                read()

    refuse(r"there is no file .*market\.db")
    assert not Path(path).exists()
    Path(path).touch()
    refuse("is empty")
    Path(path).write_bytes(b"x" * 5000)
    refuse("not a usable")


def test_a_file_that_fails_while_it_is_read_is_unavailable(path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP VIEW coverage")
    with pytest.raises(SinkUnavailable, match=r"market\.db: no such table"):
        told(reader(path).coverage())


def test_odd_file_names_work(tmp_path: Path) -> None:
    sink = reader(str(tmp_path / "a b?c#%20;é.db"))

    async def make() -> None:
        await sink.open()
        await sink.close()

    asyncio.run(make())
    assert told(sink.counts()) == {}
