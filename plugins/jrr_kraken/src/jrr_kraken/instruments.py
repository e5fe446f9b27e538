"""Reads Kraken's list of pairs, and turns names of the socket into those of REST and back.

The socket writes BTC/USD where REST writes XBT, and DOGE where it writes XDG.
"""

from collections.abc import Sequence
from decimal import Decimal

from jrr_core.errors import ParseError
from jrr_core.exact import optional_decimal
from jrr_core.frame import Frame
from jrr_core.instrument import Instrument
from jrr_core.wire import Struct, decoder

from .products import EXCHANGE

# Docs, "Symbology": the two currencies that REST and the first socket wrote by other names.
_SOCKET_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_REST_NAMES = {socket: rest for rest, socket in _SOCKET_NAMES.items()}
_MOST_DECIMALS = 30


def rest_pair(symbol: str) -> str:
    """Return the `pair` that REST takes for a symbol of the socket: BTC/USD is XBTUSD."""
    return "".join([_REST_NAMES.get(name, name) for name in symbol.split("/")])


class _Pair(Struct):
    """`{"altname":"XBTUSD","wsname":"XBT/USD","pair_decimals":1,"lot_decimals":8,"tick_size":"0.1","status":"online"}`."""

    wsname: str | None = None
    lot_decimals: int | None = None
    tick_size: str | None = None
    status: str | None = None


class _Answer(Struct):
    """`{"error":[],"result":{"XXBTZUSD":{...}}}`; an error comes with HTTP 200."""

    error: list[str]
    result: dict[str, _Pair] | None = None


_answer = decoder(_Answer)


def read_instruments(frame: Frame) -> Sequence[Instrument]:
    """Return the pairs of a reply of /0/public/AssetPairs; raises ParseError when it is not one.

    Pairs that the socket does not have (no wsname) are left out.
    """
    answer = _answer(frame.payload)
    if answer.error or answer.result is None:
        raise ParseError(f"Kraken refused to list its pairs: {', '.join(answer.error)[:200]}")
    return [_instrument(row, row.wsname) for row in answer.result.values() if row.wsname and row.wsname.count("/") == 1]


def _instrument(row: _Pair, wsname: str) -> Instrument:
    base, quote = (_SOCKET_NAMES.get(name, name) for name in wsname.split("/"))
    decimals = row.lot_decimals
    if decimals is not None and not 0 <= decimals <= _MOST_DECIMALS:
        raise ParseError(f"{wsname} cannot have {decimals} decimals")
    return Instrument(
        exchange=EXCHANGE,
        symbol=f"{base}/{quote}",
        base=base,
        quote=quote,
        settle=None,
        kind="spot",
        tick_size=optional_decimal(row.tick_size),
        lot_size=None if decimals is None else Decimal(1).scaleb(-decimals),
        contract_size=None,
        contract_currency=None,
        canonical=f"{base}-{quote}",
        status=row.status or "",
        active=row.status == "online",
    )
