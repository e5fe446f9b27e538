"""Reads Bybit's lists of instruments: spot, linear and inverse."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from jrr_core.errors import ParseError
from jrr_core.exact import optional_decimal
from jrr_core.frame import Frame
from jrr_core.instrument import Instrument, Kind
from jrr_core.wire import Struct, decoder

from .messages import Name, millis
from .products import Product

_NS_PER_S = 1_000_000_000


class _Prices(Struct, rename="camel"):
    tick_size: str | None = None


class _Lots(Struct, rename="camel"):
    base_precision: str | None = None
    qty_step: str | None = None


class _Row(Struct, rename="camel"):
    symbol: Name
    base_coin: str
    quote_coin: str
    settle_coin: str | None = None
    contract_type: str | None = None
    delivery_time: str | None = None
    status: str | None = None
    price_filter: _Prices | None = None
    lot_size_filter: _Lots | None = None


class _Result(Struct, rename="camel"):
    list: list[_Row]
    next_page_cursor: str | None = None


class _Answer(Struct, rename="camel"):
    """`{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[...],"nextPageCursor":""},"time":..}`."""

    ret_code: int
    ret_msg: str = ""
    result: _Result | None = None


_answer = decoder(_Answer)


def read_instruments(product: Product, frame: Frame) -> Sequence[Instrument]:
    """Return the instruments of a reply of /v5/market/instruments-info; raises ParseError when it is not one."""
    return [_instrument(product, row) for row in _result(frame).list]


def next_page(frame: Frame) -> str:
    """Return the cursor of the page behind this one, "" where it is the last; raises ParseError."""
    return _result(frame).next_page_cursor or ""


def _result(frame: Frame) -> _Result:
    answer = _answer(frame.payload)
    if answer.ret_code != 0 or answer.result is None:
        raise ParseError(f"Bybit refused to list instruments: {answer.ret_code} {answer.ret_msg}".rstrip())
    return answer.result


def _instrument(product: Product, row: _Row) -> Instrument:
    expiry = millis(row.delivery_time) if row.delivery_time else 0
    lots = row.lot_size_filter or _Lots()
    inverse = product.category == "inverse"
    return Instrument(
        exchange=product.exchange,
        symbol=row.symbol,
        base=row.base_coin,
        quote=row.quote_coin,
        settle=(row.settle_coin or None) if product.derivative else None,
        kind=_kind(product, expiry),
        tick_size=optional_decimal(row.price_filter.tick_size if row.price_filter else None),
        lot_size=optional_decimal(lots.qty_step if product.derivative else lots.base_precision),
        # Inverse amounts are contracts of one dollar, linear ones are in the base coin.
        contract_size=Decimal(1) if inverse else None,
        contract_currency=row.quote_coin if inverse else None,
        canonical=_canonical(product, row, expiry),
        expiry=expiry or None,
        status=row.status or "",
        active=row.status == "Trading",
    )


def _kind(product: Product, expiry: int) -> Kind:
    if not product.derivative:
        return "spot"
    return "future" if expiry else "perpetual"


def _canonical(product: Product, row: _Row, expiry: int) -> str:
    pair = f"{row.base_coin}-{row.quote_coin}"
    if not product.derivative:
        return pair
    return f"{pair}-{datetime.fromtimestamp(expiry // _NS_PER_S, UTC):%y%m%d}" if expiry else f"{pair}-PERP"
