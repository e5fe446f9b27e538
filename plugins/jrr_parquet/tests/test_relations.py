"""Rows: every event comes back from its row, and what no column can hold is refused when the row is made."""

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from jrr_parquet.relations import BY_EVENT, RELATIONS

from jrr_core.events import MARKET_EVENTS, Candle, Trade
from jrr_core.testing.samples import samples, trade

TRADES = BY_EVENT[Trade]


def test_every_market_event_has_a_relation() -> None:
    assert {*BY_EVENT} == {*MARKET_EVENTS}


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_an_event_comes_back_from_its_row(relation: Any) -> None:
    for event in samples(relation.event):
        row = relation.row(event)
        assert all(value is None or type(value) in (int, str, bool) for value in row)
        assert relation.made(event.exchange, event.symbol, row) == event


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=30))
def test_a_number_comes_back_digit_for_digit(number: Decimal) -> None:
    row = TRADES.row(trade(1, price=number))
    found = TRADES.made("example", "A", row).price
    assert found == number
    assert str(format(found, "f")) == format(number, "f")


@pytest.mark.parametrize(
    "change",
    [{"price": Decimal("Infinity")}, {"count": -(2**63) - 1}, {"count": True}, {"kind": "\udfff"}, {"trade_id": 7}],
    ids=str,
)
def test_a_value_that_fits_no_column_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, AttributeError)):
        TRADES.row(evolve(trade(1), **change))


def test_the_time_of_an_event_is_the_exchanges_or_else_ours_and_of_a_candle_its_opening() -> None:
    event = trade(1)
    assert TRADES.time_of(event) == event.ts_event
    assert TRADES.time_of(evolve(event, ts_event=None)) == event.ts_recv
    (candle, *_) = samples(Candle)
    assert BY_EVENT[Candle].time_of(candle) == candle.open_time
