"""Reading back: what a Selection chooses, in the promised order, from journal and files alike."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jrr_parquet import ParquetSink, StorageConfig

from jrr_core.errors import SinkUnavailable
from jrr_core.events import BookSnapshot, Candle, Connected, Trade
from jrr_core.instrument import Instrument
from jrr_core.store import EVERYTHING, Selection
from jrr_core.testing import samples as kit

Run = Callable[..., Any]
DAY = 86_400 * 10**9
TIMES = [kit.START - 1, kit.START, kit.START + 1, kit.START + DAY, kit.START + 2 * DAY]


async def found(sink: ParquetSink, kind: Any, chosen: Selection = EVERYTHING) -> list[Any]:
    return [event async for event in sink.read(kind, chosen)]


def expected(trades: Sequence[Trade], chosen: Selection) -> list[Trade]:
    def time(event: Trade) -> int:
        return event.ts_recv if event.ts_event is None else event.ts_event

    kept = [
        event
        for event in trades
        if chosen.symbol in (None, event.symbol)
        and (chosen.ts_from is None or time(event) >= chosen.ts_from)
        and (chosen.ts_to is None or time(event) < chosen.ts_to)
    ]
    kept.sort(key=lambda event: (time(event), int(event.trade_id)))
    if chosen.limit is None:
        return kept
    return kept[-chosen.limit :] if chosen.newest else kept[: chosen.limit]


_events = st.lists(st.tuples(st.sampled_from(TIMES), st.sampled_from(["A", "B"]), st.booleans()), max_size=12).map(
    lambda drawn: [
        kit.trade(number, ts_event=None if unknown else ts, ts_recv=ts, symbol=symbol)
        for number, (ts, symbol, unknown) in enumerate(drawn)
    ]
)
_limits = st.none() | st.integers(1, 12)
_edges = st.none() | st.sampled_from(TIMES)


@settings(max_examples=25)
@given(_events, st.integers(0, 12), _edges, _edges, _limits, st.booleans())
def test_a_selection_gives_what_it_chooses_in_order(
    trades: list[Trade], rolled: int, ts_from: int | None, ts_to: int | None, limit: int | None, newest: bool
) -> None:
    chosen = Selection(kit.EXCHANGE, "A", ts_from, ts_to, limit=limit, newest=newest)

    async def check(path: Path) -> None:
        config = StorageConfig(path=str(path))
        first, second = ParquetSink(config), ParquetSink(config)
        await first.open()
        await first.write(trades[:rolled])
        await first.close()  # these are in files now
        await second.open()
        await second.write(trades[rolled:])
        try:
            assert await found(second, Trade, chosen) == expected(trades, chosen)
        finally:
            await second.close()

    with TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder) / "market"))


def test_events_of_one_time_come_in_the_order_of_their_key(use: Run, trade: Run) -> None:
    ids = ["9", "10", "a", "b"]

    async def step(sink: ParquetSink) -> list[Any]:
        await sink.write([trade(1, trade_id=trade_id) for trade_id in reversed(ids)])
        return await found(sink, Trade, Selection("sim", "BTCUSDT"))

    assert [event.trade_id for event in use(step)] == ids


def test_candles_are_chosen_by_interval_and_times_by_their_opening(use: Run) -> None:
    candles = [event for event in kit.samples(Candle) if event.interval == "1m"]

    async def step(sink: ParquetSink) -> list[Any]:
        await sink.write(kit.samples(Candle))
        chosen = Selection(interval="1m", ts_from=kit.START + 1, ts_to=kit.START + 2 * kit.MINUTE)
        return await found(sink, Candle, chosen)

    assert use(step) == candles[1:2]


def test_partial_and_whole_books_of_a_symbol_come_in_one_order_of_time(use: Run) -> None:
    async def step(sink: ParquetSink) -> list[Any]:
        await sink.write([*reversed(kit.samples(BookSnapshot))])
        return await found(sink, BookSnapshot, Selection(kit.EXCHANGE, kit.SPOT))

    assert use(step) == kit.samples(BookSnapshot)


def test_instruments_and_stream_events_are_chosen_by_symbol(use: Run) -> None:
    swap = Selection(kit.EXCHANGE, kit.SWAP)

    async def step(sink: ParquetSink) -> list[Any]:
        await sink.write([*kit.samples(Instrument), *kit.samples(Connected)])
        return [*await found(sink, Instrument, swap), *await found(sink, Connected, swap)]

    assert use(step) == [kit.samples(Instrument)[1], kit.samples(Connected)[1]]


def test_newest_stream_events_are_the_last(use: Run) -> None:
    async def step(sink: ParquetSink) -> list[Any]:
        await sink.write(kit.samples(Connected))
        return await found(sink, Connected, Selection(limit=1, newest=True))

    times = [event.ts_recv if event.ts_event is None else event.ts_event for event in kit.samples(Connected)]
    assert [event.ts_event or event.ts_recv for event in use(step)] == [max(times)]


def test_a_damaged_file_is_named_as_unavailable(store: Run, folder: Path, trade: Run) -> None:
    store([trade(1)])
    (file,) = folder.glob("trades/**/*.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    sink = ParquetSink(StorageConfig(path=str(folder)))
    with pytest.raises(SinkUnavailable, match="cannot be read"):
        asyncio.run(found(sink, Trade))
