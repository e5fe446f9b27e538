"""Reads Gate's lists of instruments: spot pairs, and perpetual contracts settled in USDT."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from jrr_core.exact import optional_decimal
from jrr_core.frame import Frame
from jrr_core.instrument import Instrument
from jrr_core.wire import Meta, Raw, Struct, decoder

from .frames import Name, text_of
from .products import Product

Decimals = Annotated[int, Meta(ge=0, le=30)]


class _Pair(Struct):
    """`{"id":"ETH_USDT","base":"ETH","quote":"USDT","precision":2,"amount_precision":4,"trade_status":"tradable"}`."""

    id: Name
    base: str
    quote: str
    precision: Decimals | None = None
    amount_precision: Decimals | None = None
    trade_status: str | None = None


class _Contract(Struct):
    """`{"name":"BTC_USDT","order_price_round":"0.1","quanto_multiplier":"0.0001","in_delisting":false}`."""

    name: Name
    order_price_round: str | None = None
    quanto_multiplier: str | None = None
    order_size_min: Raw = Raw()
    in_delisting: bool = False


_pairs, _contracts = decoder(list[_Pair]), decoder(list[_Contract])


def read_instruments(product: Product, frame: Frame) -> Sequence[Instrument]:
    """Return the instruments of a reply; raises ParseError when it is not one."""
    if product.futures:
        return [_perpetual(product, row) for row in _contracts(frame.payload)]
    return [_spot(product, row) for row in _pairs(frame.payload)]


def _spot(product: Product, row: _Pair) -> Instrument:
    return Instrument(
        exchange=product.exchange,
        symbol=row.id,
        base=row.base,
        quote=row.quote,
        settle=None,
        kind="spot",
        tick_size=_step(row.precision),
        lot_size=_step(row.amount_precision),
        contract_size=None,
        contract_currency=None,
        canonical=f"{row.base}-{row.quote}",
        status=row.trade_status or "",
        active=row.trade_status == "tradable",
    )


def _perpetual(product: Product, row: _Contract) -> Instrument:
    base, _, quote = row.name.rpartition("_")
    return Instrument(
        exchange=product.exchange,
        symbol=row.name,
        base=base,
        quote=quote,
        settle="USDT",
        kind="perpetual",
        tick_size=optional_decimal(row.order_price_round),
        lot_size=optional_decimal(text_of(row.order_size_min)),
        contract_size=optional_decimal(row.quanto_multiplier),
        contract_currency=base,
        canonical=f"{base}-{quote}-PERP",
        status="delisting" if row.in_delisting else "trading",
        active=not row.in_delisting,
    )


def _step(decimals: int | None) -> Decimal | None:
    return None if decimals is None else Decimal(1).scaleb(-decimals)
