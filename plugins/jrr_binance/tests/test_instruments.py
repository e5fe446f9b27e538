"""exchangeInfo rows of the three products as Instruments."""

from decimal import Decimal
from typing import Any

import pytest
from jrr_binance.instruments import instruments
from jrr_binance.products import COINM, SPOT, USDM, Product

from jrr_core.errors import ParseError
from jrr_core.frame import Frame
from jrr_core.instrument import Instrument
from jrr_core.wire import encode

FILTERS = [
    {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
    {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
    {"filterType": "MAX_NUM_ORDERS", "limit": 200},
]


def read(product: Product, **changes: Any) -> Instrument:
    row = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING", "filters": FILTERS}
    (found,) = instruments(product, Frame(product.exchange, encode({"symbols": [row | changes]}), 0))
    return found


def test_spot_symbol() -> None:
    assert read(SPOT) == Instrument(
        "binance", "BTCUSDT", "BTC", "USDT", None, "spot", Decimal("0.10"), Decimal("0.001"), None, None, "BTC-USDT",
        None, "TRADING", True,
    )  # fmt: skip


def test_linear_perpetual_has_no_contract_size_and_never_expires() -> None:
    found = read(USDM, contractType="PERPETUAL", deliveryDate=4133404800000, marginAsset="USDT")
    assert (found.kind, found.canonical, found.settle) == ("perpetual", "BTC-USDT-PERP", "USDT")
    assert (found.contract_size, found.contract_currency, found.expiry) == (None, None, None)


def test_inverse_contract_is_worth_its_size_in_dollars() -> None:
    found = read(COINM, symbol="BTCUSD_PERP", quoteAsset="USD", contractType="PERPETUAL", contractSize=100,
                 deliveryDate=4133404800000, marginAsset="BTC", status=None, contractStatus="TRADING")  # fmt: skip
    assert (found.canonical, found.settle, found.active) == ("BTC-USD-PERP", "BTC", True)
    assert (found.contract_size, found.contract_currency) == (Decimal(100), "USD")


@pytest.mark.parametrize("kind", ["CURRENT_QUARTER", "NEXT_QUARTER", "CURRENT_QUARTER DELIVERING", ""])
def test_dated_contract_is_named_by_its_day(kind: str) -> None:
    found = read(USDM, symbol="BTCUSDT_261225", contractType=kind, deliveryDate=1798185600000)
    assert (found.kind, found.canonical, found.expiry) == ("future", "BTC-USDT-261225", 1798185600000000000)


@pytest.mark.parametrize("kind", ["TRADIFI_PERPETUAL", "", None])
def test_undated_contract_is_a_perpetual(kind: str | None) -> None:
    found = read(USDM, symbol="XAUUSDT", baseAsset="XAU", contractType=kind, deliveryDate=4133404800000)
    assert (found.kind, found.canonical) == ("perpetual", "XAU-USDT-PERP")


@pytest.mark.parametrize("status", ["SETTLING", "CLOSE", "PENDING_TRADING", "BREAK", "CANCEL_ONLY", ""])
def test_only_trading_is_active(status: str) -> None:
    found = read(USDM, status=status, contractType="")
    assert (found.status, found.active) == (status, False)


def test_non_ascii_symbol() -> None:
    assert read(SPOT, symbol="币安人生USDT", baseAsset="币安人生").canonical == "币安人生-USDT"


def test_missing_or_switched_off_filters_are_none() -> None:
    assert read(SPOT, filters=[]).tick_size is None
    assert read(SPOT, filters=[{"filterType": "PRICE_FILTER", "tickSize": "0.00000000"}]).tick_size is None


def test_bad_row_is_named() -> None:
    with pytest.raises(ParseError, match=r"BTCUSDT.*status"):
        read(SPOT, status=5)


@pytest.mark.parametrize("nothing", ["", None])
def test_what_a_listed_symbol_lacks_is_none(nothing: str | None) -> None:
    empty = dict.fromkeys(("baseAsset", "quoteAsset", "status", "contractType", "marginAsset"), nothing)
    found = read(COINM, **empty, deliveryDate=None, filters=None, contractSize=None)
    assert (found.canonical, found.base, found.settle, found.tick_size) == ("BTCUSDT", "", None, None)
    assert not found.active


def test_refusal_says_what_the_exchange_said() -> None:
    frame = Frame("binance", b'{"code":0,"msg":"Service unavailable from a restricted location"}', 0, status=451)
    with pytest.raises(ParseError, match="HTTP 451: 0 Service unavailable"):
        instruments(SPOT, frame)
