"""What Gate's candles mean, as they are pushed and as REST lists them."""

from jrr_core.errors import ParseError
from jrr_core.events import Candle
from jrr_core.exact import decimal
from jrr_core.wire import Raw, Struct, decoder

from .frames import NS_PER_MS, Push, one_or_many, seconds, text_of
from .products import Product


class CandleRow(Struct):
    """A candle as pushed, and of futures as listed.

    `{"t":"1606292580","v":"2362.32035","c":"19128.1","h":"19128.1","l":"19128.1","o":"19128.1","n":"1m_BTC_USDT",
    "a":"0.1235","w":false}`: on spot `v` is in the quote currency and `a` in the base, on futures `v` is contracts.
    """

    t: Raw
    o: Raw
    h: Raw
    l: Raw  # noqa: E741 - Gate's name
    c: Raw
    v: Raw
    n: str = ""
    a: Raw = Raw()
    w: bool = False


_candles = decoder(list[CandleRow])


def candles(product: Product, symbol: str, interval: str, frame: Push, ts_recv: int) -> list[Candle]:
    """Read candles; only `w` closes one, and it may stay out: core then fetches it."""
    time = frame.time_ms * NS_PER_MS if frame.time_ms is not None else None
    rows = _candles(one_or_many(frame.result))
    if any(row.n != f"{interval}_{symbol}" for row in rows):
        raise ParseError(f"not the candles of {interval}_{symbol}: {rows[0].n[:60]!r}")
    return [candle(product, symbol, interval, row, row.w, time, ts_recv) for row in rows]


def candle(
    product: Product, symbol: str, interval: str, row: CandleRow, closed: bool, ts_event: int | None, ts_recv: int
) -> Candle:
    """Return what a row means; raises ParseError for one without the volume that is stored."""
    volume = row.v if product.futures else row.a
    if not text_of(volume):
        raise ParseError("a candle without its base volume (Gate did not send it before 2022)")
    return Candle(
        product.exchange, symbol, ts_event, ts_recv, interval, seconds(text_of(row.t)), None, decimal(text_of(row.o)),
        decimal(text_of(row.h)), decimal(text_of(row.l)), decimal(text_of(row.c)), decimal(text_of(volume)),
        None if product.futures else decimal(text_of(row.v)), None, closed,
    )  # fmt: skip


def past_candles(product: Product, symbol: str, interval: str, payload: str | bytes, ts_recv: int) -> list[Candle]:
    """Read listed candles, oldest first; the newest counts as open unless it says that it is closed.

    Spot: `[["1539852480","971519.677","0.0021724","0.0021922","0.0021724","0.0021737","447.1","true"]]`: time, quote
    volume, close, high, low, open, base volume, closed. Futures: rows as they are pushed.
    """
    if product.futures:
        rows = sorted(_candles(payload), key=lambda row: seconds(text_of(row.t)))
        return [candle(product, symbol, interval, row, row is not rows[-1], None, ts_recv) for row in rows]
    listed = sorted(_listed(payload), key=lambda row: seconds(row[0]))
    return [
        Candle(
            product.exchange, symbol, None, ts_recv, interval, seconds(row[0]), None, decimal(row[5]), decimal(row[3]),
            decimal(row[4]), decimal(row[2]), decimal(row[6]), decimal(row[1]), None,
            row is not listed[-1] or row[7:] == ["true"],
        )
        for row in listed
    ]  # fmt: skip


_rows = decoder(list[list[str]])


def _listed(payload: str | bytes) -> list[list[str]]:
    rows = _rows(payload)
    if any(len(row) < 7 for row in rows):
        raise ParseError("a candle of fewer than seven columns")
    return rows
