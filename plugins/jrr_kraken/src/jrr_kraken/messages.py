"""One pure function per Kraken payload: the data of a push in, events out.

Prices and amounts are JSON numbers whose digits count (the checksum is made
of them), so they are taken as the text on the wire. Times are RFC 3339. Every
function raises ParseError for data that is not as its example shows.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from jrr_core.errors import ParseError
from jrr_core.events import Candle, Quote, Trade
from jrr_core.exact import decimal
from jrr_core.levels import Levels
from jrr_core.wire import Meta, Raw, Struct, decoder

from .products import EXCHANGE

NS_PER_S = 1_000_000_000
# What the 64-bit integers of stores can hold.
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Checksum = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
_time = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z").fullmatch
_FIRST_YEAR, _LAST_YEAR = 1970, 2261


def moment(text: str) -> int:
    """Return a time such as 2023-10-06T17:35:55.440295Z as int ns; raises ParseError for any other text."""
    found = _time(text)
    if found is None or not _FIRST_YEAR <= int(text[:4]) <= _LAST_YEAR:
        raise ParseError(f"not a time such as 2023-10-06T17:35:55.440295Z: {text[:60]!r}")
    try:
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        raise ParseError(f"no such time: {text!r}") from None
    return int(whole.timestamp()) * NS_PER_S + int((found[2] or "0").ljust(9, "0"))


def number_text(raw: Raw) -> str:
    """Return a JSON number as it was written; what is none fails where it is read as a number."""
    try:
        return bytes(raw).decode("ascii")
    except UnicodeDecodeError:
        raise ParseError("a number in letters outside ASCII") from None


class Push(Struct):
    """Any frame of Kraken's: a push has `channel`, an answer `method`.

    `{"channel":"trade","type":"update","data":[...]}` or
    `{"method":"subscribe","req_id":2,"result":{..},"success":true,"time_in":"..","time_out":".."}`
    """

    channel: str | None = None
    type: str | None = None
    data: Raw = Raw()
    method: str | None = None
    success: bool | None = None
    req_id: int | None = None
    result: Raw = Raw()
    symbol: str | None = None
    error: str | None = None


push = decoder(Push, ("time_in", "time_out"))


class TradeRow(Struct):
    """A row of `trade`."""

    symbol: Name
    side: Literal["buy", "sell"]
    price: Raw
    qty: Raw
    trade_id: Number
    timestamp: str


read_trades = decoder(list[TradeRow], ("ord_type",))


def trade(row: TradeRow, ts_recv: int) -> Trade:
    """Return a trade; `side` is the taker's.

    `{"symbol":"BTC/USD","side":"buy","price":105944.2,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,
    "timestamp":"2023-10-06T17:35:55.440295Z"}`
    """
    price, amount = decimal(number_text(row.price)), decimal(number_text(row.qty))
    return Trade(EXCHANGE, row.symbol, moment(row.timestamp), ts_recv, price, amount, row.side, str(row.trade_id))


class TickerRow(Struct):
    """A row of `ticker`, as far as a quote is made of it."""

    symbol: Name
    bid: Raw
    bid_qty: Raw
    ask: Raw
    ask_qty: Raw
    timestamp: str | None = None


read_tickers = decoder(list[TickerRow], ("change", "change_pct", "high", "last", "low", "volume", "vwap", "timestamp"))


def quote(row: TickerRow, sequence: int | None, ts_event: int | None, ts_recv: int) -> Quote:
    """Return the best bid and ask.

    `{"symbol":"BTC/USD","bid":105944.2,"bid_qty":2.5,"ask":105944.3,"ask_qty":3.2,"last":105899.4,...,
    "timestamp":"2023-10-06T17:35:55.440295Z"}`
    """
    bid, bid_amount, ask, ask_amount = (
        decimal(number_text(raw)) for raw in (row.bid, row.bid_qty, row.ask, row.ask_qty)
    )
    return Quote(EXCHANGE, row.symbol, ts_event, ts_recv, bid, bid_amount, ask, ask_amount, sequence)


class _Level(Struct):
    price: Raw
    qty: Raw


class BookRow(Struct):
    """A row of `book`; the checksum is that of the book with this change.

    `{"symbol":"BTC/USD","bids":[{"price":105944.2,"qty":0.25}],"asks":[],"checksum":2114181697,
    "timestamp":"2023-10-06T17:35:55.440295Z"}`; snapshots bear a time since 2025.
    """

    symbol: Name
    bids: list[_Level]
    asks: list[_Level]
    checksum: Checksum
    timestamp: str | None = None


read_books = decoder(list[BookRow], ())


def levels(rows: Sequence[_Level]) -> Levels:
    """Return price levels with the digits they were written in; raises ParseError if one is not a number."""
    return Levels([(number_text(row.price), number_text(row.qty)) for row in rows])


class CandleRow(Struct):
    """A row of `ohlc`."""

    symbol: Name
    interval: Annotated[int, Meta(ge=1, le=1440)]
    interval_begin: str
    open: Raw
    high: Raw
    low: Raw
    close: Raw
    volume: Raw
    trades: Number


read_candles = decoder(list[CandleRow], ("vwap", "timestamp"))


def candle(row: CandleRow, interval: str, ts_recv: int) -> Candle:
    """Return a candle, still open: nothing in a row says that it is closed.

    `{"symbol":"BTC/USD","interval":1,"interval_begin":"2023-10-04T16:25:00.000000000Z","open":106038.2,"high":106044.3,
    "low":106038.1,"close":106040.1,"volume":30927.68066226,"vwap":106039.6,"trades":12}`
    """
    opened = moment(row.interval_begin)
    if opened % (row.interval * 60 * NS_PER_S):
        raise ParseError(f"no candle of {row.interval} minutes begins at {row.interval_begin}")
    numbers = (decimal(number_text(raw)) for raw in (row.open, row.high, row.low, row.close, row.volume))
    open_, high, low, close, volume = numbers
    return Candle(
        EXCHANGE, row.symbol, None, ts_recv, interval, opened, None, open_, high, low, close, volume,
        None, row.trades, False,
    )  # fmt: skip
