"""Instruments are read whole: pairs from the underlying, contract sizes, distinct canonical names, gaps as None."""

from decimal import Decimal

import pytest
from jrr_okx.instruments import read_instruments

from jrr_core.errors import ParseError
from jrr_core.frame import Frame
from jrr_core.instrument import Instrument, Instruments
from jrr_core.wire import encode

SWAP = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "instFamily": "BTC-USDT", "baseCcy": "",
    "quoteCcy": "", "settleCcy": "USDT", "ctVal": "0.01", "ctMult": "1", "ctValCcy": "BTC", "ctType": "linear",
    "tickSz": "0.1", "lotSz": "0.01", "minSz": "0.01", "listTime": "1611916828000", "expTime": "", "state": "live",
    "ruleType": "normal", "instIdCode": 1001, "upcChg": [],
}  # fmt: skip
FUTURE = {**SWAP, "instType": "FUTURES", "instId": "BTC-USDT-261225", "expTime": "1798185600000"}
XPERP = {
    **FUTURE, "instId": "BTC-USD_UM_XPERP-310404", "uly": "BTC-USD", "instFamily": "BTC-USD_UM_XPERP",
    "expTime": "1933056000000", "ruleType": "xperp",
}  # fmt: skip
SPOT = {
    **SWAP, "instType": "SPOT", "instId": "BTC-USDT", "uly": "", "instFamily": "", "baseCcy": "BTC", "quoteCcy": "USDT",
    "settleCcy": "", "ctVal": "", "ctMult": "", "ctValCcy": "", "lotSz": "0.00000001",
}  # fmt: skip


def read(*rows: dict[str, object]) -> list[Instrument]:
    return list(read_instruments(Frame("okx", encode({"code": "0", "msg": "", "data": rows}), 0)))


def test_spot_is_in_its_own_currencies() -> None:
    (item,) = read(SPOT)
    assert (item.base, item.quote, item.kind, item.canonical) == ("BTC", "USDT", "spot", "BTC-USDT")
    assert (item.settle, item.contract_size, item.contract_currency, item.expiry) == (None, None, None, None)
    assert item.lot_size == Decimal("0.00000001")


def test_linear_swap_is_worth_coins() -> None:
    (item,) = read(SWAP)
    assert (item.base, item.quote, item.settle, item.canonical) == ("BTC", "USDT", "USDT", "BTC-USDT-PERP")
    assert (item.kind, item.contract_size, item.contract_currency) == ("perpetual", Decimal("0.01"), "BTC")
    assert item.active


def test_inverse_swap_is_worth_dollars_times_its_multiplier() -> None:
    (item,) = read({
        **SWAP, "instId": "BTC-USD-SWAP", "uly": "BTC-USD", "instFamily": "", "ctVal": "100", "ctMult": "2",
        "ctValCcy": "USD", "settleCcy": "BTC",
    })  # fmt: skip
    assert (item.quote, item.settle, item.canonical) == ("USD", "BTC", "BTC-USD-PERP")
    assert (item.contract_size, item.contract_currency) == (Decimal(200), "USD")


def test_future_is_named_by_its_day() -> None:
    (item,) = read(FUTURE)
    assert (item.kind, item.canonical, item.expiry) == ("future", "BTC-USDT-261225", 1_798_185_600_000_000_000)


def test_special_contracts_keep_a_name_of_their_own() -> None:
    ordinary = {
        **FUTURE,
        "instId": "BTC-USD-310404",
        "uly": "BTC-USD",
        "instFamily": "BTC-USD",
        "expTime": "1933056000000",
    }
    items = read(XPERP, ordinary)
    assert [item.canonical for item in items] == ["BTC-USD_UM_XPERP-310404", "BTC-USD-310404"]
    assert (items[0].base, items[0].quote) == ("BTC", "USD")
    assert Instruments("okx", items).resolve("BTC-USD-310404") == ("BTC-USD-310404",)


def test_announced_instruments_have_none_for_what_is_not_known() -> None:
    (item,) = read({**SWAP, "tickSz": "", "lotSz": "", "ctVal": "", "ctMult": None, "state": "preopen"})
    assert (item.tick_size, item.lot_size, item.contract_size, item.active) == (None, None, None, False)
    assert item.status == "preopen"


def test_rows_of_empty_text_and_nulls_are_read_too() -> None:
    for nothing in ("", None):
        (item,) = read({**dict.fromkeys(SWAP, nothing), "instType": "SWAP", "instId": "NEW"})
        assert (item.symbol, item.canonical, item.base, item.active) == ("NEW", "NEW", "", False)
        assert read(dict.fromkeys(SWAP, nothing)) == []


def test_options_and_unknown_types_are_left_out() -> None:
    assert read({**SWAP, "instType": "OPTION"}, {**SWAP, "instType": "EVENTS"}) == []


@pytest.mark.parametrize(
    "payload",
    [
        '{"code":"50011","msg":"Too Many Requests","data":[]}',
        '{"code":"0","data":[{"instType":"SWAP","instId":"A-B-SWAP","ctVal":"much"}]}',
        '{"data":[]}',
        "<html>",
        b"\xff\xfe",
    ],
)
def test_other_answers_are_refused(payload: str | bytes) -> None:
    with pytest.raises(ParseError):
        read_instruments(Frame("okx", payload, 0))
