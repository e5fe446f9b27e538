"""Tickers: a snapshot, then what changed; a field that is not sent keeps its value."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from jrr_bybit.messages import push
from jrr_bybit.products import INVERSE, LINEAR, Product
from jrr_bybit.tickers import TickerStream

from jrr_core.errors import ParseError
from jrr_core.events import FundingRate, MarkPrice, Message, OpenInterest
from jrr_core.wire import encode

ALL = ("mark_price", "funding", "open_interest")
WHOLE = {
    "markPrice": "100.0", "indexPrice": "100.5", "openInterest": "7", "openInterestValue": "700",
    "fundingRate": "0.0001", "nextFundingTime": "1673280000000",
}  # fmt: skip


def ticker(kind: str, symbol: str = "X", **fields: str) -> str:
    return encode({"topic": "tickers.X", "type": kind, "ts": 1673272861686, "data": {"symbol": symbol, **fields}})


def told(*frames: str, channels: Sequence[str] = ALL, product: Product = LINEAR) -> list[Message]:
    stream = TickerStream(product, "X", channels)
    return [event for text in frames for event in stream.receive(push(text), 5)]


def test_a_snapshot_tells_all_and_a_delta_what_it_brings() -> None:
    *_, last = told(ticker("snapshot", **WHOLE), ticker("delta", lastPrice="1"), ticker("delta", indexPrice="101"))
    assert len(told(ticker("snapshot", **WHOLE))) == 3
    assert last == MarkPrice("bybit-linear", "X", 1673272861686 * 10**6, 5, Decimal("100.0"), Decimal("101"))


def test_only_what_was_asked_for_is_told() -> None:
    (rate,) = told(ticker("snapshot", **WHOLE), channels=("funding",))
    assert isinstance(rate, FundingRate)
    assert (rate.rate, rate.next_funding_time, rate.predicted) == (Decimal("0.0001"), 1673280000000 * 10**6, True)


def test_a_new_time_of_settlement_is_told_with_the_rate_known() -> None:
    *_, rate = told(ticker("snapshot", **WHOLE), ticker("delta", nextFundingTime="1673308800000"))
    assert isinstance(rate, FundingRate)
    assert (rate.rate, rate.next_funding_time) == (Decimal("0.0001"), 1673308800000 * 10**6)


def test_a_snapshot_forgets_what_it_does_not_hold() -> None:
    events = told(ticker("snapshot", **WHOLE), ticker("snapshot", markPrice="90"), ticker("delta", markPrice="91"))
    assert [event.index_price for event in events if isinstance(event, MarkPrice)] == [Decimal("100.5"), None, None]


def test_values_in_coins_are_no_values_in_the_quote() -> None:
    (interest,) = told(ticker("snapshot", **WHOLE), channels=("open_interest",), product=INVERSE)
    assert isinstance(interest, OpenInterest)
    assert (interest.amount, interest.value) == (Decimal("7"), None)


def test_a_dated_contract_has_no_funding() -> None:
    events = told(ticker("snapshot", **{**WHOLE, "fundingRate": "", "nextFundingTime": "0"}))
    assert [event.type for event in events] == ["mark_price", "open_interest"]


@pytest.mark.parametrize("bad", [ticker("delta", "Y"), ticker("delta", markPrice="x"), ticker("new", **WHOLE)])
def test_a_bad_frame_leaves_no_trace(bad: str) -> None:
    stream = TickerStream(LINEAR, "X", ALL)
    stream.receive(push(ticker("snapshot", **WHOLE)), 5)
    with pytest.raises(ParseError):
        stream.receive(push(bad), 5)
    (mark,) = stream.receive(push(ticker("delta", markPrice="102")), 5)
    assert isinstance(mark, MarkPrice)
    assert (mark.mark_price, mark.index_price) == (Decimal("102"), Decimal("100.5"))
