"""What each product lists: exchangeInfo into Instruments."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from jrr_core.errors import ParseError
from jrr_core.exact import optional_decimal
from jrr_core.frame import Frame
from jrr_core.instrument import Instrument, Kind
from jrr_core.wire import Raw, Struct, decoder

from . import messages
from .messages import Name
from .products import Product

# Perpetuals carry this as delivery date: 2100-12-25, which means never.
_NEVER_MS = 4133404800000
_dated = re.compile(r".+_([0-9]{6})").fullmatch


class _Filter(Struct):
    filterType: str = ""  # noqa: N815 - Binance's name
    tickSize: str | None = None  # noqa: N815
    stepSize: str | None = None  # noqa: N815


class _Symbol(Struct):
    symbol: Name
    baseAsset: str | None = None  # noqa: N815
    quoteAsset: str | None = None  # noqa: N815
    status: str | None = None
    contractStatus: str | None = None  # noqa: N815
    contractType: str | None = None  # noqa: N815
    contractSize: int | None = None  # noqa: N815
    marginAsset: str | None = None  # noqa: N815
    deliveryDate: int | None = None  # noqa: N815
    filters: list[_Filter] | None = None


class _Listing(Struct):
    symbols: list[Raw]


_read_listing = decoder(_Listing)
_read_symbol = decoder(_Symbol)
_read_name = decoder(dict[str, Raw])


def instruments(product: Product, frame: Frame) -> Sequence[Instrument]:
    """Read an exchangeInfo answer; raises ParseError naming the first symbol that cannot be read.

    `{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
    "filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01"},{"filterType":"LOT_SIZE","stepSize":"0.00001"}]}]}`;
    futures add contractType, deliveryDate and marginAsset; COIN-M has contractStatus in place of status, and
    contractSize. A symbol without base or quote has its own name as canonical name.
    """
    if frame.status != 200:
        raise ParseError(f"no instrument list: HTTP {frame.status}: {messages.problem(frame.payload)}")
    return [_read(product, raw) for raw in _read_listing(frame.payload).symbols]


def _read(product: Product, raw: Raw) -> Instrument:
    try:
        return _instrument(product, _read_symbol(raw))
    except ParseError as error:
        raise ParseError(f"instrument {_name_of(raw)}: {error}") from None


def _instrument(product: Product, row: _Symbol) -> Instrument:
    status = row.status or row.contractStatus or ""
    kind, ending = _kind(product, row)
    size, filters = row.contractSize, row.filters or []
    base, quote = row.baseAsset or "", row.quoteAsset or ""
    expires = kind != "spot" and row.deliveryDate is not None and 0 < row.deliveryDate < _NEVER_MS
    return Instrument(
        exchange=product.exchange,
        symbol=row.symbol,
        base=base,
        quote=quote,
        settle=row.marginAsset or None,
        kind=kind,
        tick_size=_positive([f.tickSize for f in filters if f.filterType == "PRICE_FILTER"]),
        lot_size=_positive([f.stepSize for f in filters if f.filterType == "LOT_SIZE"]),
        contract_size=None if size is None else Decimal(size),
        contract_currency=None if size is None else quote or None,
        canonical=f"{base}-{quote}{ending}" if base and quote else row.symbol,
        expiry=messages.ns(row.deliveryDate) if expires and row.deliveryDate else None,
        status=status,
        active=status == "TRADING",
    )


def _kind(product: Product, row: _Symbol) -> tuple[Kind, str]:
    """Return the kind and what the canonical name ends with.

    Contract types come and go (`""` once delisted, "CURRENT_QUARTER
    DELIVERING"); the date in the symbol stays.
    """
    if product.st is None:
        return "spot", ""
    dated = _dated(row.symbol)
    if dated is not None:
        return "future", f"-{dated[1]}"
    never = not row.deliveryDate or row.deliveryDate >= _NEVER_MS
    if not row.contractType or "PERPETUAL" in row.contractType or never:
        return "perpetual", "-PERP"
    day = datetime.fromtimestamp(messages.ns(row.deliveryDate or 0) / 1e9, UTC)
    return "future", f"-{day:%y%m%d}"


def _positive(texts: list[str | None]) -> Decimal | None:
    """Return the first number; 0, which switches the exchange's filter off, is None."""
    number = optional_decimal(texts[0]) if texts else None
    return number or None


def _name_of(raw: Raw) -> str:
    try:
        return bytes(_read_name(raw)["symbol"]).decode("utf-8", "replace")[:80]
    except (ParseError, KeyError):
        return bytes(raw)[:80].decode("utf-8", "replace")
