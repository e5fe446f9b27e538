"""Events as the lines COPY takes: tab between columns, `\\N` for NULL, in the order of the table's columns.

Digits are those the exchange wrote. Whatever is not of an event's type raises
TypeError, ValueError, AttributeError or LookupError here, before the server
sees it. `streams` gives a stream's number by (exchange, symbol, part).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from jrr_core.events import (
    BookDelta,
    BookSnapshot,
    Candle,
    FundingRate,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Trade,
)
from jrr_core.levels import Levels

Streams = Mapping[tuple[str, str, str | None], int]
"""The number of a stream by (exchange, symbol, part)."""

_decimal = Decimal.__str__
_NULL = "\\N"
_SIDES = {"buy": "t", "sell": "f", None: _NULL}
_FLAGS = {True: "t", False: "f", None: _NULL}


_MICRO = [f"{micro:03d}+00" for micro in range(1000)]


@lru_cache(1024)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}."


@lru_cache(4096)
def _milli(ms: int) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}{rest:03d}"


def stamp(ns: int) -> str:
    """Return the timestamptz text of int ns UTC, cut to microseconds.

    Raises ValueError, OverflowError or OSError outside the calendar's years 1 to 9999.
    """
    # Events of a busy stream share their millisecond: most of the text is made once for many.
    return _milli(ns // 1_000_000) + _MICRO[ns // 1000 % 1000]


def _moment(ns: int | None) -> str:
    """Return a time and the nanoseconds below it as two columns."""
    return f"{_NULL}\t0" if ns is None else f"{stamp(ns)}\t{ns % 1000}"


def _number(number: Decimal | None) -> str:
    return _NULL if number is None else _decimal(number)


def _integer(number: int | None) -> str:
    return _NULL if number is None else f"{number:d}"


def _text(text: str | None) -> str:
    """Return free text as COPY takes it."""
    if text is None:
        return _NULL
    if "\\" in text or not text.isprintable():
        for char, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(char, escaped)
    return text


def levels_text(bids: Levels, asks: Levels) -> str:
    """Return both sides of a book as the short text kept in `levels`: `price,amount;...|price,amount;...`.

    Runs of zeros and removed levels, which are most of the text, are one letter; `levels_json` of the
    schema undoes it. Digits stay as the exchange wrote them.
    """
    # Of compact JSON without quotes and opening brackets, a row ends at its closing one.
    rows = _rows(bids) + b"|" + _rows(asks)
    text = rows.translate(None, b'"[').replace(b"],", b";").decode("ascii")
    # All that is abbreviated has three zeros: small books often have none.
    if "000" in text:
        for long, short in LETTERS:
            text = text.replace(long, short)
    return text


LETTERS = ((",0.00000000;", "o"), (",0.000;", "n"), ("000000,", "z"), ("000;", "x"), ("000", "y"))
"""What `levels` abbreviates, in this order; no letter occurs in a number but `e` and `E`."""


def _rows(levels: Levels) -> bytes:
    """Return `["61837.63","3.788"],` for each level."""
    json = levels.json()
    return b"" if json == "[]" else json[1:-1].encode("ascii") + b","


def trade(e: Trade, streams: Streams) -> str:
    """Return a trade's line; an id that is no 63-bit number is kept as text."""
    recv, ts, trade_id = e.ts_recv, e.ts_event, e.trade_id
    if trade_id.isdigit() and trade_id.isascii() and len(trade_id) < 19 and (trade_id[0] != "0" or trade_id == "0"):
        number, text = trade_id, _NULL
    else:
        number, text = _NULL, _text(trade_id)
    event, below = (_NULL, 0) if ts is None else (stamp(ts), ts % 1000)
    return (
        f"{event}\t{stamp(recv)}\t{number}\t{streams[e.exchange, e.symbol, e.id_space]}\t{e.count:d}\t{recv % 1000}\t"
        f"{below}\t{_SIDES[e.side]}\t{_decimal(e.price)}\t{_decimal(e.amount)}\t{_text(e.kind)}\t{text}\n"
    )


def quote(e: Quote, streams: Streams) -> str:
    """Return a quote's line."""
    recv, event = e.ts_recv, e.ts_event
    ts, below = (_NULL, 0) if event is None else (stamp(event), event % 1000)
    return (
        f"{stamp(recv)}\t{ts}\t{e.key()[0]:d}\t{streams[e.exchange, e.symbol, None]}\t{recv % 1000}\t{below}\t"
        f"{_FLAGS[e.sequence is None]}\t{_number(e.bid_price)}\t{_number(e.bid_amount)}\t{_number(e.ask_price)}\t"
        f"{_number(e.ask_amount)}\n"
    )


def snapshot(e: BookSnapshot, streams: Streams) -> str:
    """Return a book snapshot's line."""
    recv, event = e.ts_recv, e.ts_event
    ts, below = (_NULL, 0) if event is None else (stamp(event), event % 1000)
    part = None if e.depth is None else f"{e.depth:d}"
    return (
        f"{stamp(recv)}\t{ts}\t{e.key()[1]:d}\t{streams[e.exchange, e.symbol, part]}\t{recv % 1000}\t{below}\t"
        f"{_FLAGS[e.sequence is None]}\t{_FLAGS[e.checksum_ok]}\t{levels_text(e.bids, e.asks)}\n"
    )


def delta(e: BookDelta, streams: Streams) -> str:
    """Return a book delta's line."""
    recv, event = e.ts_recv, e.ts_event
    ts, below = (_NULL, 0) if event is None else (stamp(event), event % 1000)
    return (
        f"{ts}\t{stamp(recv)}\t{e.sequence:d}\t{_integer(e.first_sequence)}\t{_integer(e.previous_sequence)}\t"
        f"{streams[e.exchange, e.symbol, None]}\t{recv % 1000}\t{below}\t{levels_text(e.bids, e.asks)}\n"
    )


def candle(e: Candle, streams: Streams) -> str:
    """Return a candle's line."""
    prices = "\t".join([_decimal(e.open), _decimal(e.high), _decimal(e.low), _decimal(e.close), _decimal(e.volume)])
    return (
        f"{streams[e.exchange, e.symbol, e.interval]}\t{_moment(e.open_time)}\t{_moment(e.close_time)}\t"
        f"{_moment(e.ts_event)}\t{_moment(e.ts_recv)}\t{prices}\t{_number(e.quote_volume)}\t{_integer(e.trade_count)}\t"
        f"{_FLAGS[e.closed]}\n"
    )


def funding(e: FundingRate, streams: Streams) -> str:
    """Return a funding rate's line."""
    return (
        f"{streams[e.exchange, e.symbol, None]}\t{_moment(e.ts_event)}\t{_moment(e.ts_recv)}\t"
        f"{_moment(e.next_funding_time)}\t{_FLAGS[e.predicted]}\t{_decimal(e.rate)}\n"
    )


def mark_price(e: MarkPrice, streams: Streams) -> str:
    """Return a mark price's line."""
    stream = streams[e.exchange, e.symbol, None]
    times = f"{_moment(e.ts_event)}\t{_moment(e.ts_recv)}"
    return f"{stream}\t{times}\t{_decimal(e.mark_price)}\t{_number(e.index_price)}\n"


def open_interest(e: OpenInterest, streams: Streams) -> str:
    """Return an open interest's line."""
    stream = streams[e.exchange, e.symbol, None]
    return f"{stream}\t{_moment(e.ts_event)}\t{_moment(e.ts_recv)}\t{_decimal(e.amount)}\t{_number(e.value)}\n"


def liquidation(e: Liquidation, streams: Streams) -> str:
    """Return a liquidation's line."""
    return (
        f"{streams[e.exchange, e.symbol, None]}\t{_moment(e.ts_event)}\t{_moment(e.ts_recv)}\t{_decimal(e.price)}\t"
        f"{_decimal(e.amount)}\t{_SIDES[e.side]}\t{_text(e.order_id)}\n"
    )
