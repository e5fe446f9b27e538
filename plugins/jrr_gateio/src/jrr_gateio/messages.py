"""One pure function per Gate payload: the result of a push in, events out.

Spot writes numbers as text. Futures write prices as text and sizes, signed on
trades, as text or as numbers, whichever the header asked for; both are read
digit for digit. Times are s, ms, or "ms.fraction". Every function raises
ParseError for a result that is not as its example shows.
"""

from decimal import Decimal
from typing import Annotated, Literal

from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Candle, FundingRate, MarkPrice, Message, OpenInterest, Quote, Trade
from jrr_core.exact import decimal, optional_decimal
from jrr_core.levels import Levels
from jrr_core.wire import Meta, Raw, Struct, decoder

from .products import Product

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MOST_INT = 2**63 - 1
# What the 64-bit integers of stores can hold; times are stored in ns.
Number = Annotated[int, Meta(ge=0, le=MOST_INT)]
Millis = Annotated[int, Meta(ge=0, le=MOST_INT // NS_PER_MS)]
Seconds = Annotated[int, Meta(ge=0, le=MOST_INT // NS_PER_S)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Error(Struct):
    """`{"code":2,"message":"unknown currency pair FOO_USDT"}`."""

    code: int | None = None
    message: str | None = None


class Push(Struct):
    """Any frame of Gate's.

    `{"time":1682689046,"time_ms":1682689046133,"channel":"spot.trades","event":"update","result":{..}}`, or an answer
    with `id`, `event` "subscribe" and `error` or `{"status":"success"}`
    """

    channel: str
    event: str | None = None
    time: Number | None = None
    time_ms: Millis | None = None
    id: int | None = None
    error: Error | None = None
    result: Raw = Raw()


push = decoder(Push)


def text_of(raw: Raw) -> str:
    """Return a number as it was written, with or without quotes; "" for null and for what was not sent."""
    try:
        text = bytes(raw).decode("ascii")
    except UnicodeDecodeError:
        raise ParseError("a number in letters outside ASCII") from None
    if text == "null":
        return ""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def moment(raw: Raw) -> int | None:
    """Return a time of ms, with or without a fraction, as ns; None where none was sent."""
    text = text_of(raw)
    if not text:
        return None
    ns = int(decimal(text) * NS_PER_MS)
    if not 0 <= ns <= MOST_INT:
        raise ParseError(f"not a time in ms: {text[:40]!r}")
    return ns


def one_or_many(raw: Raw) -> bytes:
    """Return a result as an array: spot sends one row, futures arrays, an old version arrays within arrays."""
    text = bytes(raw)
    if text[:2] == b"[[" and text[-2:] == b"]]":
        return text[1:-1]
    return text if text[:1] == b"[" else b"[" + text + b"]"


class _SpotTrade(Struct):
    id: Number
    side: Literal["buy", "sell"]
    currency_pair: Name
    amount: str
    price: str
    create_time_ms: Raw = Raw()


class _FuturesTrade(Struct):
    id: Number
    contract: Name
    size: Raw
    price: str
    create_time_ms: Raw = Raw()
    is_internal: bool = False


_spot_trades, _futures_trades = decoder(list[_SpotTrade]), decoder(list[_FuturesTrade])


def trades(product: Product, frame: Push, ts_recv: int) -> list[Trade]:
    """Read trades; of futures the sign of the size is the taker's side, and internal ones are takeovers and ADL.

    `{"id":5541729598,"create_time":1682689046,"create_time_ms":"1682689046123.0","side":"buy","currency_pair":"TLOS_BTC",
    "amount":"89.238","price":"0.00000644"}`, `[{"size":-22,"id":1696009,"create_time":1593561623,
    "create_time_ms":1593561623123,"price":"225.5","contract":"ETH_USDT"}]`
    """
    exchange = product.exchange
    if not product.futures:
        return [
            Trade(exchange, row.currency_pair, moment(row.create_time_ms), ts_recv, decimal(row.price),
                  decimal(row.amount), row.side, str(row.id))
            for row in _spot_trades(one_or_many(frame.result))
        ]  # fmt: skip
    events = []
    for row in _futures_trades(one_or_many(frame.result)):
        size = decimal(text_of(row.size))
        if not size:
            raise ParseError(f"trade {row.id} has no size, and so no side")
        events.append(
            Trade(exchange, row.contract, moment(row.create_time_ms), ts_recv, decimal(row.price), abs(size),
                  "buy" if size > 0 else "sell", str(row.id), kind="internal" if row.is_internal else None)
        )  # fmt: skip
    return events


class _Ticker(Struct):
    t: Millis
    u: Number
    s: Name
    b: Raw
    B: Raw
    a: Raw
    A: Raw


_book_ticker = decoder(_Ticker)


def quotes(product: Product, frame: Push, ts_recv: int) -> list[Quote]:
    """Read the best bid and ask; an empty price is a side without orders.

    `{"t":1682689046131,"u":517377894,"s":"ETC_ETH","b":"0.010326","B":"0.001","a":"0.010366","A":"10"}`
    """
    row = _book_ticker(frame.result)
    bid, ask = optional_decimal(text_of(row.b)), optional_decimal(text_of(row.a))
    bid_amount, ask_amount = optional_decimal(text_of(row.B)), optional_decimal(text_of(row.A))
    return [
        Quote(
            product.exchange, row.s, row.t * NS_PER_MS, ts_recv, bid, None if bid is None else bid_amount, ask,
            None if ask is None else ask_amount, row.u,
        )
    ]  # fmt: skip


class BookRow(Struct):
    """The result of `obu`: `full` is the whole book; a row without levels moves the number on.

    `{"t":1754006460600,"s":"ob.BTC_USDT.400","u":25847129996,"U":25847129970,"b":[["115576.7","0.050772"]],
    "a":[["115745.7","0"]]}`
    """

    t: Millis
    s: Name
    u: Number
    U: Number | None = None
    full: bool = False
    b: Raw = Raw()
    a: Raw = Raw()


book_row = decoder(BookRow)


class _PriceSize(Struct):
    p: str
    s: Raw


_price_sizes = decoder(list[_PriceSize])


def levels(raw: Raw) -> Levels:
    """Return one side of a book: rows of price and size, or objects of `p` and `s`; none where it was not sent."""
    text = bytes(raw)
    if text in (b"", b"null", b"[]"):
        return Levels()
    if text[:2] == b"[{":
        return Levels([(row.p, text_of(row.s)) for row in _price_sizes(raw)])
    return Levels.from_json(text)


class DiffRow(Struct):
    """The result of `order_book_update`: updates `U` to `u`, or the whole book (`full`).

    `{"t":1682689045398,"e":"depthUpdate","E":1682689045,"s":"BTC_USDT","U":13934528633,"u":13934528633,
    "b":[["29291.4","0.5124"]],"a":[]}`; futures write levels as `{"p":"77232.2","s":2100}`.
    """

    t: Millis
    s: Name
    U: Number
    u: Number
    full: bool = False
    b: Raw = Raw()
    a: Raw = Raw()


diff_row = decoder(DiffRow)


def diff(product: Product, row: DiffRow, ts_recv: int) -> BookDelta | BookSnapshot:
    """Return an update, or the whole book in its place; raises ParseError."""
    bids, asks = levels(row.b), levels(row.a)
    place = (product.exchange, row.s, row.t * NS_PER_MS, ts_recv)
    if row.full:
        return BookSnapshot(*place, bids, asks, None, row.u)
    if row.u < row.U:
        raise ParseError(f"updates {row.U} to the lower {row.u}")
    return BookDelta(*place, bids, asks, row.U, row.u, None)


class _Seed(Struct):
    """`{"id":123456,"current":1623898993123,"update":1623898993121,"asks":[["1.52","1.151"]],"bids":[]}`."""

    id: Number
    asks: Raw
    bids: Raw


_seed = decoder(_Seed)


def seed(product: Product, symbol: str, payload: str | bytes, ts_recv: int) -> BookSnapshot:
    """Read the snapshot that `order_book_update` begins with; its time is not that of its number, so there is none."""
    row = _seed(payload)
    return BookSnapshot(product.exchange, symbol, None, ts_recv, levels(row.bids), levels(row.asks), None, row.id)


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


def seconds(text: str) -> int:
    """Return a time in whole seconds as ns; raises ParseError for anything but digits."""
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise ParseError(f"not a time in s: {text[:40]!r}")
    return int(text) * NS_PER_S


class _FuturesTicker(Struct):
    """`{"contract":"BTC_USDT","mark_price":"77183.5","index_price":"77221.8","funding_rate":"0.000072",
    "funding_next_apply":1789459200,"total_size":"73648","t":1789456337802,...}`."""  # fmt: skip

    contract: Name
    mark_price: str | None = None
    index_price: str | None = None
    funding_rate: str | None = None
    funding_next_apply: Seconds | None = None
    total_size: Raw = Raw()
    t: Millis | None = None


_tickers = decoder(list[_FuturesTicker])


def tickers(product: Product, channels: frozenset[str], frame: Push, ts_recv: int) -> list[Message]:
    """Read mark price, funding and open interest, as far as they are in `channels` and were sent."""
    events: list[Message] = []
    for row in _tickers(one_or_many(frame.result)):
        ms = frame.time_ms if row.t is None else row.t
        place = (product.exchange, row.contract, None if ms is None else ms * NS_PER_MS, ts_recv)
        mark, index, rate, size = (
            optional_decimal(text)
            for text in (row.mark_price, row.index_price, row.funding_rate, text_of(row.total_size))
        )  # fmt: skip
        events += [event for event in _ticked(place, mark, index, rate, row.funding_next_apply, size)
                   if event.channel in channels]  # fmt: skip
    return events


def _ticked(
    place: tuple[str, str, int | None, int],
    mark: Decimal | None,
    index: Decimal | None,
    rate: Decimal | None,
    due_s: int | None,
    size: Decimal | None,
) -> list[Message]:
    events: list[Message] = []
    if mark is not None:
        events.append(MarkPrice(*place, mark, index))
    if rate is not None and due_s:
        events.append(FundingRate(*place, rate, due_s * NS_PER_S, predicted=True))
    if size is not None:
        events.append(OpenInterest(*place, size, None))
    return events


class _Settled(Struct):
    r: str
    t: Seconds


_settled = decoder(list[_Settled])


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


def settlements(product: Product, symbol: str, payload: str | bytes, ts_recv: int) -> list[FundingRate]:
    """Read rates that were paid: `[{"r":"0.000157","t":1543968000}]`."""
    return [
        FundingRate(product.exchange, symbol, row.t * NS_PER_S, ts_recv, decimal(row.r), row.t * NS_PER_S, False)
        for row in _settled(payload)
    ]  # fmt: skip
