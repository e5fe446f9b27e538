"""The file says what its streams weigh: all of it is shared out, books by their levels; sizes known ahead are near."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.errors import ConfigError
from jrr_core.events import ALL_EVENTS, BookDelta, StreamEvent, Trade
from jrr_core.levels import Levels
from jrr_core.testing.samples import samples
from jrr_core.volume import Measurable, StreamVolume, family

from .conftest import ONE, T0, TWO

SECOND = 10**9
DEEP = Levels([(f"{61_837 + n}.63000000", f"0.{n:05}") for n in range(20)])


def volumes(path: str) -> list[StreamVolume]:
    sink = SqliteSink(StorageConfig(path=path))
    assert isinstance(sink, Measurable)
    return list(asyncio.run(sink.volume()))


def trade(number: int, symbol: str = "BTCUSDT") -> Trade:
    ts = T0 + number * SECOND
    return Trade("sim", symbol, ts, ts + 5_000_000, ONE, TWO, "buy", str(6_564_147_733 + number))


def delta(number: int, symbol: str, levels: Levels) -> BookDelta:
    ts = T0 + number * SECOND
    return BookDelta("sim", symbol, ts, ts + 5_000_000, levels, levels, number * 10, number * 10 + 9, number * 10 - 1)


def test_all_of_the_file_is_shared_out(store: Callable[..., Any], path: str) -> None:
    store([trade(n) for n in range(3000)], [trade(n, "ETHUSDT") for n in range(1000)])
    btc, eth = volumes(path)
    assert (btc.exchange, btc.channel, btc.symbol, btc.rows) == ("sim", "trade", "BTCUSDT", 3000)
    assert (eth.symbol, eth.rows) == ("ETHUSDT", 1000)
    assert (btc.ts_from, btc.ts_to) == (T0 + 5_000_000, T0 + 2999 * SECOND + 5_000_000)
    assert Path(path).stat().st_size * 0.99 < btc.bytes + eth.bytes <= Path(path).stat().st_size
    assert btc.bytes == pytest.approx(3 * eth.bytes, rel=0.01)


def test_a_deep_book_weighs_more(store: Callable[..., Any], path: str) -> None:
    flat = Levels([("61837.63000000", "1")])
    store([delta(n, "BTCUSDT", DEEP) for n in range(1, 1000)], [delta(n, "ETHUSDT", flat) for n in range(1, 1000)])
    btc, eth = volumes(path)
    assert btc.channel == eth.channel == "book"
    assert btc.bytes > 4 * eth.bytes


def test_the_sizes_known_ahead_are_those_of_a_file(store: Callable[..., Any], path: str) -> None:
    store(*[[trade(n) for n in range(start, start + 5000)] for start in range(0, 50_000, 5000)])
    (measured,) = volumes(path)
    assert measured.bytes / measured.rows == pytest.approx(SqliteSink.row_bytes["trade"].fresh, rel=0.15)


def test_every_channel_has_a_size(store: Callable[..., Any], path: str) -> None:
    store(*[samples(kind) for kind in ALL_EVENTS if not issubclass(kind, StreamEvent)])
    assert {family(volume.channel) for volume in volumes(path)} == set(SqliteSink.row_bytes)


def test_an_empty_store_has_no_volumes(store: Callable[..., Any], path: str) -> None:
    store([])
    assert volumes(path) == []


def test_a_missing_file_is_told(path: str) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        volumes(path)
