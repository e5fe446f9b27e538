"""Times and numbers as Kraken writes them."""

import pytest
from jrr_kraken.messages import moment, push, quote, read_tickers, read_trades, trade

from jrr_core.errors import ParseError


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-10-06T17:35:55.440295Z", 1_696_613_755_440_295_000),
        ("2023-10-04T16:25:00.000000000Z", 1_696_436_700 * 10**9),
        ("2024-02-29T23:59:59.123456789Z", 1_709_251_199_123_456_789),
    ],
)
def test_times_are_exact(text: str, ns: int) -> None:
    assert moment(text) == ns


@pytest.mark.parametrize(
    "text",
    ["", "2023-10-06", "2023-10-06T17:35:55", "2023-10-06 17:35:55Z", "2023-02-30T00:00:00Z", "1969-12-31T23:59:59Z",
     "2262-01-01T00:00:00Z", "2023-10-06T17:35:55.4402951234Z", "2023-10-06T25:00:00Z"],
)  # fmt: skip
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(ParseError):
        moment(text)


def test_a_price_keeps_its_zeros() -> None:
    (row,) = read_trades(
        b'[{"symbol":"X/Y","side":"buy","price":105944.20,"qty":0.00000056,"trade_id":7,'
        b'"timestamp":"2023-10-06T17:35:55.440295Z"}]'
    )
    event = trade(row, 5)
    assert (format(event.price, "f"), format(event.amount, "f"), event.trade_id) == ("105944.20", "0.00000056", "7")


@pytest.mark.parametrize("price", ['"1"', "true", "null", "1e999", "[1]"])
def test_what_is_no_number_is_a_parse_error(price: str) -> None:
    (row,) = read_tickers(f'[{{"symbol":"X/Y","bid":{price},"bid_qty":1,"ask":2,"ask_qty":1}}]'.encode())
    with pytest.raises(ParseError):
        quote(row, None, None, 5)


def test_unknown_fields_are_left_alone() -> None:
    assert push('{"channel":"heartbeat","new":{"x":1}}').channel == "heartbeat"
