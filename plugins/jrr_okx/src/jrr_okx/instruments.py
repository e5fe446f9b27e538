"""Reads OKX's list of instruments: spot, swap and futures.

Derivatives have no baseCcy and quoteCcy; their uly or instFamily names both.
Instruments announced but not yet traded have empty ticks and lots: they are
kept, with None for what is not known.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from jrr_core.errors import ParseError
from jrr_core.exact import optional_decimal
from jrr_core.frame import Frame
from jrr_core.instrument import Instrument, Kind
from jrr_core.wire import Struct, decoder

from .messages import moment
from .products import EXCHANGE

_KINDS: dict[str, Kind] = {"SPOT": "spot", "SWAP": "perpetual", "FUTURES": "future"}
_NS_PER_S = 1_000_000_000


class _Row(Struct, rename="camel"):
    inst_type: str | None = None
    inst_id: str | None = None
    uly: str | None = None
    inst_family: str | None = None
    base_ccy: str | None = None
    quote_ccy: str | None = None
    settle_ccy: str | None = None
    ct_val: str | None = None
    ct_mult: str | None = None
    ct_val_ccy: str | None = None
    tick_sz: str | None = None
    lot_sz: str | None = None
    exp_time: str | None = None
    state: str | None = None


class _Answer(Struct):
    """`{"code":"0","msg":"","data":[...]}`; any other code is an error, for example 50011, too many requests."""

    code: str
    msg: str | None = None
    data: list[_Row] = []  # noqa: RUF012 - a Struct copies its defaults


_answer = decoder(_Answer)


def read_instruments(frame: Frame) -> Sequence[Instrument]:
    """Return the instruments of a reply of /api/v5/public/instruments; raises ParseError when it is not one.

    Types other than SPOT, SWAP and FUTURES are left out, and rows without a name.
    """
    answer = _answer(frame.payload)
    if answer.code != "0":
        raise ParseError(f"OKX refused to list instruments: {answer.code} {answer.msg or ''}".rstrip())
    return [
        _instrument(row, row.inst_id, _KINDS[row.inst_type])
        for row in answer.data
        if row.inst_type in _KINDS and row.inst_id
    ]


def _instrument(row: _Row, symbol: str, kind: Kind) -> Instrument:
    base, quote = _pair(row)
    expiry = moment(row.exp_time)
    return Instrument(
        exchange=EXCHANGE,
        symbol=symbol,
        base=base,
        quote=quote,
        settle=row.settle_ccy or None,
        kind=kind,
        tick_size=optional_decimal(row.tick_sz),
        lot_size=optional_decimal(row.lot_sz),
        contract_size=None if kind == "spot" else _contract_size(row),
        contract_currency=None if kind == "spot" else row.ct_val_ccy or None,
        canonical=_canonical(symbol, kind, base, quote, expiry),
        expiry=expiry,
        status=row.state or "",
        active=row.state == "live",
    )


def _pair(row: _Row) -> tuple[str, str]:
    """Return base and quote, of derivatives from the underlying; "" where nothing tells them."""
    if row.base_ccy and row.quote_ccy:
        return row.base_ccy, row.quote_ccy
    for name in (row.uly, row.inst_family, row.inst_id):
        base, dash, rest = (name or "").partition("-")
        if dash and base and rest:
            return base, rest.partition("-")[0].partition("_")[0]
    return "", ""


def _contract_size(row: _Row) -> Decimal | None:
    """Return what one contract is worth in ctValCcy: ctVal times ctMult, a multiplier not sent being one."""
    value, multiplier = optional_decimal(row.ct_val), optional_decimal(row.ct_mult)
    if value is None:
        return None
    return value if multiplier is None else value * multiplier


def _canonical(symbol: str, kind: Kind, base: str, quote: str, expiry: int | None) -> str:
    """Return the name shared by all exchanges, or OKX's own where its form says that the contract is special.

    `BTC-USD_UM_XPERP-310404` is no ordinary future of BTC-USD and must not
    be found under the name of one.
    """
    if not base:
        return symbol
    if kind == "spot":
        return f"{base}-{quote}"
    if symbol == f"{base}-{quote}-SWAP":
        return f"{base}-{quote}-PERP"
    if expiry is not None and kind == "future":
        dated = f"{base}-{quote}-{datetime.fromtimestamp(expiry // _NS_PER_S, UTC):%y%m%d}"
        if symbol == dated:
            return dated
    return symbol
