"""The layouts of tardis.dev, column by column."""

from decimal import Decimal
from typing import Any

import pytest

from jrr_core.book import BookState
from jrr_core.export.tardis import LAYOUTS, sample_layout, sample_line
from jrr_core.levels import Levels

D = Decimal
TS = 1_585_699_202_957_123_456
HEAD = {"exchange": "x", "symbol": "XBTUSD", "ts_event": TS, "ts_recv": TS + 132_857_000}
BEGIN = ["x", "XBTUSD", "1585699202957123", "1585699203089980"]


def lines(kind: str, **row: Any) -> list[list[str]]:
    layout = LAYOUTS[kind]
    found = [list(line) for line in layout.lines({**HEAD, **row})]
    assert all(len(line) == len(layout.columns) for line in found)
    return found


def test_trades() -> None:
    row = {"trade_id": "d202810a", "side": "buy", "price": D("6425.50"), "amount": D("12")}
    assert ",".join(LAYOUTS["trades"].columns) == "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    assert lines("trades", **row) == [[*BEGIN, "d202810a", "buy", "6425.50", "12"]]
    assert lines("trades", **{**row, "side": None})[0][5] == "unknown"


def test_without_a_time_of_the_exchange_that_of_arrival_stands_in() -> None:
    row = {"trade_id": "1", "side": "buy", "price": D(1), "amount": D(1), "ts_event": None}
    assert lines("trades", **row)[0][2:4] == [BEGIN[3], BEGIN[3]]


def test_quotes() -> None:
    assert ",".join(LAYOUTS["quotes"].columns) == (
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"
    )
    row = {"bid_price": D("6422.9"), "bid_amount": D(112), "ask_price": D("6423"), "ask_amount": None}
    assert lines("quotes", **row) == [[*BEGIN, "", "6423", "6422.9", "112"]]


def test_incremental_book() -> None:
    layout = LAYOUTS["book"]
    assert layout.name == "incremental_book_L2"
    assert ",".join(layout.columns) == "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
    bids, asks = Levels([("6425.0", "4"), ("6424.5", "0")]), Levels([("6426", "1.50")])
    assert lines("book", is_snapshot=False, bids=bids, asks=asks) == [
        [*BEGIN, "false", "bid", "6425.0", "4"],
        [*BEGIN, "false", "bid", "6424.5", "0"],
        [*BEGIN, "false", "ask", "6426", "1.50"],
    ]
    assert lines("book", is_snapshot=True, bids=bids, asks=Levels())[0][4] == "true"


def test_book_snapshots() -> None:
    assert ",".join(sample_layout(2)) == (
        "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,"
        "asks[1].price,asks[1].amount,bids[1].price,bids[1].amount"
    )
    state = BookState("x", "XBTUSD", TS, 7, ((D("6425"), D(4)),), ((D("6426"), D(1)), (D("6427"), D(2))), True, None)
    assert sample_line(state, 2) == [
        "x", "XBTUSD", BEGIN[2], BEGIN[2], "6426", "1", "6425", "4", "6427", "2", "", "",
    ]  # fmt: skip


def test_liquidations() -> None:
    row = {"order_id": None, "side": "sell", "price": D(1), "amount": D(2)}
    assert ",".join(LAYOUTS["liquidations"].columns) == "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    assert lines("liquidations", **row) == [[*BEGIN, "", "sell", "1", "2"]]


@pytest.mark.parametrize(
    ("kind", "row", "cells"),
    [
        (
            "funding",
            {"next_funding_time": TS, "rate": D("0.0001"), "predicted": False},
            ["1585699202957123", "0.0001", "", "", "", "", ""],
        ),
        (
            "funding",
            {"next_funding_time": None, "rate": D("-0.1"), "predicted": True},
            ["", "", "-0.1", "", "", "", ""],
        ),
        ("mark_prices", {"mark_price": D(5), "index_price": D(4)}, ["", "", "", "", "", "4", "5"]),
        ("open_interest", {"amount": D(9), "value": D(1)}, ["", "", "", "9", "", "", ""]),
    ],
)
def test_derivative_tickers_have_what_one_of_our_rows_knows(kind: str, row: dict[str, Any], cells: list[str]) -> None:
    layout = LAYOUTS[kind]
    assert layout.name == "derivative_ticker"
    assert ",".join(layout.columns) == (
        "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,"
        "open_interest,last_price,index_price,mark_price"
    )
    assert lines(kind, **row) == [[*BEGIN, *cells]]
