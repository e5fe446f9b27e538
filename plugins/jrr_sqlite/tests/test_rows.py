"""Selections in SQL: the order of what is read, and that no other stream's rows are read for it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from jrr_sqlite.queries import reading
from jrr_sqlite.rows import read

from jrr_core.events import MARKET_EVENTS, BookDelta, Candle, Connected, Message, Trade
from jrr_core.instrument import Instrument
from jrr_core.levels import EMPTY
from jrr_core.sink import WriteResult
from jrr_core.store import EVERYTHING, Selection
from jrr_core.testing.samples import samples

Write = Callable[..., list[WriteResult]]
ONE = Decimal(1)


def trade(number: int, ts: int | None, symbol: str = "BTC", space: str | None = None) -> Trade:
    return Trade("x", symbol, ts, 1000 + number, ONE, ONE, "buy", str(number), id_space=space)


def ids(path: str, chosen: Selection) -> list[str]:
    with reading(path) as file:
        return [event.trade_id for event in read(file, Trade, chosen)]


@pytest.fixture
def trades(path: str, store: Write) -> str:
    """Return a file of trades whose ids are not in the order of their times, in two numberings and two symbols."""
    store([trade(1, 30), trade(2, 10), trade(3, 20), trade(4, 20, space="agg"), trade(5, None), trade(6, 15, "ETH")])
    return path


def test_one_symbol_is_read_in_order_of_time(trades: str) -> None:
    assert ids(trades, Selection("x", "BTC")) == ["2", "3", "4", "1", "5"]
    assert ids(trades, Selection("x", "BTC", limit=2)) == ["2", "3"]
    assert ids(trades, Selection("x", "BTC", limit=2, newest=True)) == ["1", "5"]
    assert ids(trades, Selection("x", "BTC", limit=99, newest=True)) == ["2", "3", "4", "1", "5"]
    assert ids(trades, Selection("x", "BTC", limit=0, newest=True)) == []


def test_times_choose_from_the_first_up_to_the_second(trades: str) -> None:
    assert ids(trades, Selection("x", "BTC", 20, 30)) == ["3", "4"]
    assert ids(trades, Selection(ts_from=1000)) == ["5"]
    assert ids(trades, Selection("x", "BTC", ts_to=30, limit=1, newest=True)) == ["4"]


def test_without_a_symbol_the_order_is_the_stores_own(trades: str) -> None:
    assert ids(trades, EVERYTHING) == ["1", "2", "3", "5", "4", "6"]
    assert ids(trades, Selection("x")) == ["1", "2", "3", "5", "4", "6"]
    assert ids(trades, Selection(limit=2)) == ["1", "2"]
    assert ids(trades, Selection(limit=2, newest=True)) == ["1", "5"]
    assert ids(trades, Selection("nowhere")) == ids(trades, Selection("x", "nothing")) == []


def test_the_newest_are_found_whatever_their_numbers(path: str, store: Write) -> None:
    store([trade(number, ts) for number, ts in enumerate([100, 90, 80, 70, 5, 6, 7])])
    assert ids(path, Selection("x", "BTC", limit=3, newest=True)) == ["2", "1", "0"]


def test_deltas_are_read_in_order_of_time_too(path: str, store: Write) -> None:
    store(
        [BookDelta("x", "BTC", ts, 1, EMPTY, EMPTY, None, sequence, None) for sequence, ts in ((9, 1), (3, 3), (4, 2))]
    )
    with reading(path) as file:
        found = list(read(file, BookDelta, Selection("x", "BTC")))
        newest = list(read(file, BookDelta, Selection("x", "BTC", limit=2, newest=True)))
    assert [delta.sequence for delta in found] == [9, 4, 3]
    assert [delta.sequence for delta in newest] == [4, 3]


def test_candles_are_chosen_by_interval_and_beginning(path: str, store: Write) -> None:
    def candle(interval: str, begin: int) -> Candle:
        return Candle("x", "BTC", 999, 999, interval, begin, None, ONE, ONE, ONE, ONE, ONE, None, None, True)

    store([candle("1m", 60), candle("1m", 0), candle("1h", 0)])
    with reading(path) as file:
        found = list(read(file, Candle, Selection("x", "BTC", ts_to=60, interval="1m")))
        both = list(read(file, Candle, Selection("x", "BTC", ts_to=60)))
    assert [(item.interval, item.open_time) for item in found] == [("1m", 0)]
    assert len(both) == 2


def test_instruments_are_chosen_by_exchange_and_symbol(path: str, store: Write, one_of_each: list[Any]) -> None:
    store(one_of_each)
    with reading(path) as file:
        found = [item.symbol for item in read(file, Instrument, Selection("sim", "BTC-P"))]
        assert found == ["BTC-P"]
        assert len(list(read(file, Instrument, Selection("sim", limit=1)))) == 1


@pytest.mark.parametrize("kind", [*MARKET_EVENTS, Connected], ids=lambda kind: kind.type)
@pytest.mark.parametrize(
    "chosen",
    [
        Selection("example", "BTC-USDT"),
        Selection("example", "BTC-USDT", 5, 9),
        Selection("example", "BTC-USDT", limit=20, newest=True),
    ],
)
def test_no_rows_of_other_streams_are_read(kind: type[Message], chosen: Selection, path: str, store: Write) -> None:
    events = samples(kind)
    store(events)
    chosen = evolve(chosen, exchange=events[0].exchange, symbol=events[0].symbol)
    with reading(path) as file:
        statements: list[str] = []
        file.set_trace_callback(statements.append)
        found = list(read(file, kind, chosen))
        file.set_trace_callback(None)
        plans = [row[3] for text in statements for row in file.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert found or chosen.ts_from is not None
    # `streams` (also `s`) has a row for each stream, and a subquery has been read already.
    scans = [
        step for step in plans if step.startswith("SCAN") and step.split()[1] not in ("s", "streams", "(subquery-1)")
    ]
    assert scans == []
    assert any("(stream=?" in step or "rowid=?" in step for step in plans), plans
