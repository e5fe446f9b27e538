"""Each payload gives its events exactly, and anything else a ParseError. Whole frames are in frames/*.jsonl."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_okx import messages

from jrr_core.errors import ParseError
from jrr_core.events import Message, Trade
from jrr_core.wire import encode

RECV = 1_786_540_436_100_000_000


def push(*rows: object) -> str:
    return encode({"arg": {"channel": "x", "instId": "BTC-USDT"}, "data": rows})


def trade_row(trade_id: int | str, count: int | str | None = None, **changes: object) -> dict[str, object]:
    row = {"tradeId": str(trade_id), "px": "63913.4", "sz": "34.95", "side": "sell", "ts": "1786540436090"}
    return {**row, **({} if count is None else {"count": str(count)}), **changes}


def test_trade_fields_are_exact() -> None:
    (trade,) = messages.trades("BTC-USDT", None, push(trade_row(645, 10, px="0.10", source="1")), RECV)
    assert trade == Trade(
        "okx", "BTC-USDT", 1_786_540_436_090_000_000, RECV, Decimal("0.10"), Decimal("34.95"), "sell", "645", 10, "rpi"
    )
    assert str(trade.price) == "0.10"


def test_empty_texts_are_none() -> None:
    (trade,) = messages.trades("BTC-USDT", None, push(trade_row(1, side="", ts="", count="", source="")), RECV)
    assert (trade.side, trade.ts_event, trade.count, trade.kind) == (None, None, 1, None)


def test_a_liquidation_without_side_takes_it_from_the_position() -> None:
    order = {"bkPx": "1", "sz": "2", "side": "", "ts": "1786540436090"}
    details = [{**order, "posSide": side} for side in ("long", "short", "net", "")]
    rows = [{"instId": "A-B-SWAP", "details": details}]
    assert [event.side for event in messages.liquidations(None, push(*rows), RECV)] == ["sell", "buy", None, None]


def test_liquidations_of_other_symbols_are_left_out() -> None:
    row = {"instId": "A-B-SWAP", "details": [{"bkPx": "1", "sz": "2", "side": "buy", "ts": "1786540436090"}]}
    assert messages.liquidations({"C-D-SWAP"}, push(row), RECV) == []
    assert len(messages.liquidations({"A-B-SWAP"}, push(row, row), RECV)) == 2


def test_funding_may_still_change_unless_fixed_a_period_ahead() -> None:
    rows = [
        {"fundingRate": "0.0001", "fundingTime": "", "method": method}
        for method in ("current_period", "next_period", "")
    ]
    events = messages.funding_rates("BTC-USDT-SWAP", push(*rows), RECV)
    assert [event.predicted for event in events] == [True, False, True]
    assert events[0].next_funding_time is None


Reader = Callable[[str], Sequence[Message]]
READERS: dict[str, Reader] = {
    "trades": lambda text: messages.trades("X", None, text, RECV),
    "quotes": lambda text: messages.quotes("X", text, RECV),
    "top books": lambda text: messages.top_books("X", text, RECV),
    "candles": lambda text: messages.candles("X", "1m", text, RECV),
    "funding": lambda text: messages.funding_rates("X", text, RECV),
    "mark": lambda text: messages.mark_prices("X", text, RECV),
    "interest": lambda text: messages.open_interests("X", text, RECV),
    "liquidations": lambda text: messages.liquidations(None, text, RECV),
}


@pytest.mark.parametrize("name", READERS)
def test_no_rows_are_no_events(name: str) -> None:
    assert list(READERS[name](push())) == []


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("row", ["text", 1, None, [], ["1"], {"ts": 5}, {"ts": "x", "px": "1"}])
def test_rows_of_another_form_are_refused_or_empty(name: str, row: object) -> None:
    with suppress(ParseError):
        assert list(READERS[name](push(row))) == []


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("trades", trade_row(1, px="")),
        ("trades", trade_row(1, px="NaN")),
        ("trades", trade_row(1, side="hold")),
        ("trades", trade_row(1, count="-1")),
        ("trades", trade_row(1, ts="17865404360901234567")),
        ("quotes", {"bids": [["1"]], "asks": []}),
        ("quotes", {"bids": [], "asks": [], "seqId": -1}),
        ("quotes", {"bids": [], "asks": [], "seqId": 2**64}),
        ("top books", {"bids": [["1", ""]], "asks": []}),
        ("candles", ["1786540440000", "1", "1", "1", "1", "1", "1", "1", "2"]),
        ("candles", ["", "1", "1", "1", "1", "1", "1", "1", "1"]),
        ("candles", ["1786540440000", "", "1", "1", "1", "1", "1", "1", "1"]),
        ("mark", {"markPx": "1,5", "ts": "1"}),
        ("interest", {"oi": "1", "oiUsd": "?", "ts": "1"}),
        ("liquidations", {"instId": "X", "details": [{"bkPx": "1", "sz": "2", "side": "?"}]}),
    ],
)
def test_wrong_values_are_refused(name: str, row: object) -> None:
    with pytest.raises(ParseError):
        READERS[name](push(row))


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "1.0", "٣", "9" * 19, "1" * 5000])
def test_only_plain_digits_are_whole_numbers(text: str) -> None:
    with pytest.raises(ParseError):
        messages.whole(text)


@given(st.integers(0, 2**63 - 1))
def test_whole_numbers_survive(number: int) -> None:
    assert messages.whole(str(number)) == number


def test_times_fit_a_store() -> None:
    assert messages.moment("9223372036854") == 9_223_372_036_854_000_000
    with pytest.raises(ParseError):
        messages.moment("9223372036855")


def test_trades_of_one_push_are_all_read() -> None:
    events = messages.trades("X", "fill", push(trade_row(12), trade_row(10), trade_row(11)), RECV)
    assert [(event.trade_id, event.id_space) for event in events] == [("12", "fill"), ("10", "fill"), ("11", "fill")]


@pytest.mark.parametrize(("trade_id", "count"), [(0, 1), (9, 10), (645, 10)])
def test_fills_before_the_first_id_are_the_most_there_can_be(trade_id: int, count: int) -> None:
    (trade,) = messages.trades("X", None, push(trade_row(trade_id, count)), RECV)
    assert trade.count == count


@pytest.mark.parametrize("row", [trade_row("x1"), trade_row(""), trade_row(5, 7), trade_row(5, 0)])
def test_trades_that_cannot_be_are_refused(row: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        messages.trades("X", None, push(row), RECV)
