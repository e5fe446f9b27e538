"""Each table: identity by KEY, exact numbers, a view with the promised columns."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from jrr_sqlite.tables import TABLES, Table

from jrr_core.events import MARKET_EVENTS, FundingRate, Liquidation, MarkPrice, Trade
from jrr_core.levels import Levels
from jrr_core.sink import WriteResult

Store = Callable[..., list[WriteResult]]
AT = ("sim", "BTCUSDT", 1_700_000_000_000_000_000, 1_700_000_000_000_000_009)
D = Decimal

PROMISED = {
    "trades": "exchange symbol ts_event ts_recv trade_id price amount side count kind id_space",
    "quotes": "exchange symbol ts_event ts_recv bid_price bid_amount ask_price ask_amount sequence",
    "book_snapshots": "exchange symbol ts_event ts_recv depth sequence bids asks checksum_ok",
    "book_deltas": "exchange symbol ts_event ts_recv first_sequence sequence previous_sequence bids asks",
    "candles": "exchange symbol ts_event ts_recv interval open_time close_time open high low close volume "
    "quote_volume trade_count closed",
    "funding_rates": "exchange symbol ts_event ts_recv rate next_funding_time predicted",
    "mark_prices": "exchange symbol ts_event ts_recv mark_price index_price",
    "open_interest": "exchange symbol ts_event ts_recv amount value",
    "liquidations": "exchange symbol ts_event ts_recv price amount side order_id",
    "instruments": "exchange symbol base quote settle kind tick_size lot_size contract_size contract_currency "
    "canonical expiry status active",
    "coverage": "exchange channel symbol ts_from ts_to state reason missing",
    "schema_version": "version",
}


def select(path: str, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_every_market_event_has_a_table() -> None:
    assert {table.event for table in TABLES} == set(MARKET_EVENTS)


@pytest.mark.parametrize("name", PROMISED)
def test_relations_have_the_promised_columns(name: str, path: str, store: Store) -> None:
    store([])
    columns = {row[1] for row in select(path, f"PRAGMA table_info({name})")}
    assert columns >= set(PROMISED[name].split())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.view)
def test_the_same_event_again_is_a_duplicate(table: Table, store: Store, one_of_each: list[Any]) -> None:
    events = [event for event in one_of_each if type(event) is table.event]
    later = [evolve(event, ts_recv=event.ts_recv + 1) for event in events if event.ts_event is not None]
    assert store(events, events + later) == [WriteResult(len(events)), WriteResult(0, len(events) + len(later))]


def test_numbers_are_kept_digit_for_digit(path: str, store: Store) -> None:
    texts = ["61837.63000000", "0.00000012", "-1.5000", "1000000000000000000000.000000000000000001", "0", "0.000", "10"]
    store([Trade(*AT, D(text), D(text), "buy", str(n)) for n, text in enumerate(texts)])
    rows = select(path, "SELECT price, amount, typeof(price) FROM trades ORDER BY CAST(trade_id AS INTEGER)")
    assert rows == [(text, text, "text") for text in texts]


def test_an_exponent_is_written_out(path: str, store: Store) -> None:
    store([Trade(*AT, D("1E+3"), D("1E-10"), None, "1")])
    assert select(path, "SELECT price, amount, side FROM trades") == [("1000", "0.0000000001", None)]


def test_levels_read_as_the_json_they_came_as(path: str, store: Store, one_of_each: list[Any]) -> None:
    store(one_of_each)
    assert select(path, "SELECT bids, asks FROM book_deltas ORDER BY sequence") == [
        ('[["61837.63000000","3.788"],["61837","0"]]', '[["61838.00","1e-3"]]'),
        ("[]", '[["61838.00","1e-3"]]'),
    ]
    assert select(path, "SELECT json_extract(bids, '$[0][1]') FROM book_snapshots WHERE depth = 5") == [("3.788",)]
    assert Levels.from_json(b"[]").json() == "[]"


def test_trade_ids_are_text_whatever_their_form(path: str, store: Store) -> None:
    ids = ["1", "01", "", "-1", "1_0", "a-7", "9" * 18, "9" * 30, "١"]
    assert store([Trade(*AT, D(1), D(1), "buy", number) for number in ids]) == [WriteResult(len(ids))]
    assert {row[0] for row in select(path, "SELECT trade_id FROM trades")} == set(ids)


def test_trades_of_different_numberings_are_different(store: Store) -> None:
    trades = [Trade(*AT, D(1), D(1), "buy", "7", id_space=space) for space in (None, "agg", "block")]
    assert store(trades, trades) == [WriteResult(3), WriteResult(0, 3)]


def test_a_missing_key_field_is_a_value_of_its_own(store: Store) -> None:
    timeless = ("sim", "BTCUSDT", None, 5)
    events: list[Any] = [
        MarkPrice(*timeless, D(1), None),
        FundingRate(*timeless, D(1), None, False),
        FundingRate(*timeless, D(1), None, True),
        FundingRate(*timeless, D(1), 0, True),
        Liquidation(*timeless, D(1), D(1), None, None),
    ]
    assert store(events, events) == [WriteResult(5), WriteResult(0, 5)]


def test_equal_numbers_are_the_same_key_however_written(path: str, store: Store) -> None:
    first = Liquidation(*AT, D("10.50"), D("100"), "sell", None)
    again = Liquidation(*AT, D("10.5"), D("1E+2"), "sell", None)
    assert first.key() == again.key()
    assert store([first, again]) == [WriteResult(1, 1)]
    assert select(path, "SELECT price, amount FROM liquidations") == [("10.50", "100")]
