"""Reading back: what was written, by the sink's own reading methods, without opening it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.errors import ConfigError
from jrr_core.events import ALL_EVENTS, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import WriteResult
from jrr_core.store import Range, Store

Write = Callable[..., list[WriteResult]]


def reader(path: str) -> SqliteSink:
    return SqliteSink(StorageConfig(path=path))


@pytest.mark.parametrize("kind", [*ALL_EVENTS, Instrument], ids=lambda kind: kind.type)
def test_events_read_back_equal(kind: type, path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    found: list[Any] = list(reader(path).read(kind))
    assert sorted(found, key=repr) == sorted([e for e in one_of_each if type(e) is kind], key=repr)
    assert {type(event) for event in found} == {kind}


def test_the_digits_read_back_too(path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    assert {str(trade.amount) for trade in reader(path).read(Trade)} == {"0.00020000"}


def test_counts_are_by_exchange_and_channel(path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    counts = reader(path).counts()
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
    ranges = reader(path).coverage()
    assert [(r.state, r.missing) for r in ranges] == [("complete", None), ("backfilled", 0), ("complete", None)]
    assert all(isinstance(r, Range) for r in ranges)


def test_the_sink_is_a_store() -> None:
    assert isinstance(reader("x.db"), Store)


def test_reading_what_is_not_there_makes_nothing(path: str) -> None:
    for read in (lambda: reader(path).read(Trade), reader(path).coverage, reader(path).counts):
        with pytest.raises(ConfigError, match=r"there is no file .*market\.db"):
            read()
    assert not Path(path).exists()
    Path(path).touch()
    with pytest.raises(ConfigError, match="is empty"):
        reader(path).counts()
    Path(path).write_bytes(b"x" * 5000)
    with pytest.raises(ConfigError, match="not a usable"):
        reader(path).counts()


def test_odd_file_names_work(tmp_path: Path) -> None:
    sink = reader(str(tmp_path / "a b?c#%20;é.db"))

    async def make() -> None:
        await sink.open()
        await sink.close()

    asyncio.run(make())
    assert sink.counts() == {}
