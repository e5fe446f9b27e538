"""Payloads to events, one table row per rule of the fact sheet."""

from decimal import Decimal

import pytest
from jrr_binance import messages

from jrr_core.errors import ParseError
from jrr_core.events import Candle, FundingRate, Liquidation, MarkPrice, OpenInterest, Quote, Trade
from jrr_core.levels import Levels

X, AT = "binance", 5


def trade(**changes: object) -> messages.TradeRow:
    fields: dict[str, object] = {"s": "BTCUSDT", "t": 7, "p": "100.10", "q": "0.5", "T": 1786183200055, "m": True}
    return messages.TradeRow(**(fields | changes))  # type: ignore[arg-type]  # a table of fields


def test_trade_is_a_sale_where_the_buyer_was_the_maker() -> None:
    assert messages.trade(trade(), X, AT) == Trade(
        X, "BTCUSDT", 1786183200055000000, AT, Decimal("100.10"), Decimal("0.5"), "sell", "7"
    )
    bought = messages.trade(trade(m=False), X, AT)
    assert bought is not None
    assert bought.side == "buy"


@pytest.mark.parametrize(
    ("mark", "kind"),
    [("", None), ("MARKET", None), ("INSURANCE_FUND", "insurance_fund"), ("ADL", "adl"), ("RPI", "rpi")],
)
def test_trade_kind_is_the_exchanges_mark(mark: str, kind: str | None) -> None:
    event = messages.trade(trade(X=mark), X, AT)
    assert event is not None
    assert event.kind == kind


@pytest.mark.parametrize("changes", [{"X": "NA", "p": "0", "q": "0"}, {"p": "0"}, {"q": "0.000"}, {"p": "-1"}])
def test_used_up_trade_ids_are_no_trades(changes: dict[str, object]) -> None:
    assert messages.trade(trade(**changes), X, AT) is None


def test_block_trade_has_an_id_space_of_its_own() -> None:
    event = messages.block_trade(messages.BlockTradeRow("BNBBTC", 582, "0.052", "5838", 1772506983321, True), X, AT)
    assert event is not None
    assert (event.kind, event.id_space) == ("block", "block")


def test_aggregate_trade_counts_the_ids_inside() -> None:
    row = messages.AggTradeRow(
        s="BTCUSDT", a=9, p="83091.70", q="0.022", f=8153634393, l=8153634394, T=1791382992338, m=False
    )
    assert messages.agg_trade(row, X, AT) == Trade(
        X, "BTCUSDT", 1791382992338000000, AT, Decimal("83091.70"), Decimal("0.022"), "buy", "9", 2, None, "agg"
    )


@pytest.mark.parametrize(
    ("given", "ns"),
    [(0, 0), (1786183200055, 1786183200055000000), (1786183200055123, 1786183200055123000)],
)
def test_times_come_in_milliseconds_or_microseconds(given: int, ns: int) -> None:
    assert messages.ns(given) == ns


@pytest.mark.parametrize("given", [9_200_000_000_000, 10**14, 9_200_000_000_000_000, 2**63 - 1])
def test_numbers_that_are_no_times_are_refused(given: int) -> None:
    with pytest.raises(ParseError, match="not a time"):
        messages.ns(given)


def test_quote_without_time_has_none() -> None:
    row = messages.QuoteRow(s="BTCUSDT", u=4, b="63704.00", B="4.7", a="63704.01", A="11.3")
    assert messages.quote(row, X, AT) == Quote(
        X, "BTCUSDT", None, AT, Decimal("63704.00"), Decimal("4.7"), Decimal("63704.01"), Decimal("11.3"), 4
    )


def test_quote_of_an_empty_side_is_none_not_zero() -> None:
    row = messages.QuoteRow(s="NEWUSDT", u=4, b="0.00000000", B="0.00000000", a="0.1", A="3")
    event = messages.quote(row, X, AT)
    assert (event.bid_price, event.bid_amount) == (None, None)
    assert (event.ask_price, event.ask_amount) == (Decimal("0.1"), Decimal(3))


def test_delta_prefers_the_engines_time_and_keeps_the_link() -> None:
    row = messages.read_depth(
        b'{"E":1791382994616,"T":1791382994613,"s":"BTCUSDT","U":3,"u":5,"pu":2,"b":[["1.10","0"]],"a":[]}'
    )
    event = messages.delta(row, X, AT)
    assert event.ts_event == 1791382994613000000
    assert (event.first_sequence, event.sequence, event.previous_sequence) == (3, 5, 2)
    assert (event.bids, event.asks) == (Levels([("1.10", "0")]), Levels())


def test_delta_that_ends_before_it_begins_is_refused() -> None:
    row = messages.read_depth(b'{"E":1,"s":"BTCUSDT","U":6,"u":5,"b":[],"a":[]}')
    with pytest.raises(ParseError, match="from id 6 to the lower 5"):
        messages.delta(row, X, AT)


def test_candle_writes_an_offset_behind_its_interval() -> None:
    raw = (
        b'{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000, "T":1672515839999, "s":"BNBBTC","i":"1d",'
        b'"f":-1,"L":-1,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":0,"x":true,"q":"","B":"1"}}'
    )
    event = messages.candle(messages.read_candle(raw), X, AT, "+08:00")
    low, open_, close, high = [Decimal(text) for text in ("0.0015", "0.0010", "0.0020", "0.0025")]
    assert event == Candle(
        X, "BNBBTC", 1672515782136000000, AT, "1d@+08:00", 1672515780000000000, 1672515839999000000,
        open_, high, low, close, Decimal(1000), None, 0, True,
    )  # fmt: skip


MARK = '{"E":1791382993000,"s":"BTCUSDT","p":"83084.30","i":"%s","r":"%s","T":%d}'


def test_mark_price_and_funding_come_from_one_row() -> None:
    row = messages.read_mark(MARK % ("83123.6", "0.00000078", 1791388800000))
    when = 1791382993000000000
    assert messages.mark_price(row, X, AT) == MarkPrice(X, "BTCUSDT", when, AT, Decimal("83084.30"), Decimal("83123.6"))
    assert messages.funding(row, X, AT) == FundingRate(
        X, "BTCUSDT", when, AT, Decimal("0.00000078"), 1791388800000000000, True
    )


@pytest.mark.parametrize(("rate", "settles"), [("", 0), ("0.00000000", 0), ("", 1791388800000)])
def test_contracts_without_funding_give_none(rate: str, settles: int) -> None:
    row = messages.read_mark(MARK % ("", rate, settles))
    assert messages.funding(row, X, AT) is None
    mark = messages.mark_price(row, X, AT)
    assert mark is not None
    assert mark.index_price is None


def test_zero_is_a_funding_rate() -> None:
    event = messages.funding(messages.read_mark(MARK % ("1", "0.00000000", 1791388800002)), X, AT)
    assert event is not None
    assert event.rate == 0


def test_liquidation_is_at_its_fill_and_on_the_orders_side() -> None:
    raw = (
        '{"e":"forceOrder","E":1786172557615,"o":{"s":"STGUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"6",'
        '"p":"0.1336000","ap":"%s","X":"FILLED","l":"1","z":"%s","T":1786172556607,"ps":"STGUSDT","st":1}}'
    )
    when = 1786172556607000000
    filled = messages.liquidation(messages.read_liquidation(raw % ("0.1355000", "5")), X, AT)
    assert filled == Liquidation(X, "STGUSDT", when, AT, Decimal("0.1355000"), Decimal(5), "sell", None)
    unfilled = messages.liquidation(messages.read_liquidation(raw % ("0", "")), X, AT)
    assert unfilled == Liquidation(X, "STGUSDT", when, AT, Decimal("0.1336000"), Decimal(6), "sell", None)


def test_open_interest_has_no_value_of_its_own() -> None:
    row = messages.read_open_interest(b'{"symbol":"BTCUSDT","openInterest":"95744.938","time":1791382984119}')
    assert messages.open_interest(row, X, AT) == OpenInterest(
        X, "BTCUSDT", 1791382984119000000, AT, Decimal("95744.938"), None
    )


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b'{"code":-1121,"msg":"Invalid symbol."}', "-1121 Invalid symbol."),
        (b"<html>blocked</html>", "<html>blocked</html>"),
        (b"\xff", "\ufffd"),
    ],
)
def test_a_rest_error_says_what_the_exchange_said(payload: bytes, text: str) -> None:
    assert messages.problem(payload) == text
