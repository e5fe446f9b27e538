"""Candles from stored trades: those of one symbol and one numbering, between times, the first or the newest."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.candles import resampled
from jrr_core.errors import ConfigError
from jrr_core.events import Candle, Trade
from jrr_core.sink import WriteResult
from jrr_core.store import EVERYTHING, Selection

Write = Callable[..., list[WriteResult]]
S = 10**9


def trade(second: int, number: int | None = None, symbol: str = "BTC", space: str | None = None) -> Trade:
    ts, id_ = second * S, str(second if number is None else number)
    return Trade("x", symbol, ts, ts + 1, Decimal(second), Decimal("0.10"), "buy", id_, id_space=space)


def candles(path: str, chosen: Selection = EVERYTHING, interval: str = "1m", symbol: str = "BTC") -> list[Candle]:
    async def take() -> list[Candle]:
        return [c async for c in SqliteSink(StorageConfig(path=path)).resample("x", symbol, interval, chosen)]

    return asyncio.run(take())


# Thin at first, then dense, with a hole of hours: the newest few lie far apart.
SECONDS = [5, 61, 62, 40_000, 40_001, 40_061, 40_500]


@pytest.fixture
def filled(path: str, store: Write) -> str:
    others = [trade(30, symbol="ETH"), trade(7, space="agg")]
    store([*[trade(second) for second in reversed(SECONDS)], *others])
    return path


def test_they_are_those_of_the_plain_trades_of_the_symbol(filled: str) -> None:
    found = candles(filled)
    assert found == list(resampled([trade(second) for second in SECONDS], "1m"))
    counts = {candle.open_time // S: candle.trade_count for candle in found}
    assert counts == {0: 1, 60: 2, 39_960: 2, 40_020: 1, 40_500: 1}
    assert str(found[1].volume) == "0.20"


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1, 2, 3, 5, 9])
@pytest.mark.parametrize(("start", "end"), [(None, None), (60, None), (59, 40_030), (None, 40_020), (41_000, None)])
def test_limits_and_times_choose_whole_candles(
    filled: str, start: int | None, end: int | None, limit: int | None, newest: bool
) -> None:
    everything = candles(filled)
    between = [
        candle for candle in everything
        if (start is None or candle.open_time >= start * S) and (end is None or candle.open_time < end * S)
    ]  # fmt: skip
    expected = between[:limit]
    if newest and limit is not None:
        expected = between[max(len(between) - limit, 0) :]
    ts_from, ts_to = [None if second is None else second * S for second in (start, end)]
    assert candles(filled, Selection(ts_from=ts_from, ts_to=ts_to, limit=limit, newest=newest)) == expected


def test_months_are_looked_back_for_too(filled: str) -> None:
    assert [candle.open_time for candle in candles(filled, Selection(limit=3, newest=True), "1M")] == [0]


def test_another_numbering_is_taken_where_there_are_no_plain_ids(path: str, store: Write) -> None:
    store([trade(1, space="fill"), trade(2, space="agg")])
    assert [candle.open for candle in candles(path)] == [2]


def test_no_trades_make_no_candles_and_no_interval_is_an_error(filled: str) -> None:
    assert candles(filled, symbol="XRP") == []
    assert candles(filled, Selection(limit=2, newest=True), symbol="XRP") == []
    with pytest.raises(ConfigError, match="'1x' is not an interval"):
        candles(filled, interval="1x")
