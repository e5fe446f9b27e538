"""Rows of the row tables as events: the way back of `lines`.

Times arrive as microseconds since 2000 (the driver's raw form) with the
nanoseconds below in a column of their own, numbers as exact Decimals.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

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
from jrr_core.levels import EMPTY, Levels

from .lines import LETTERS
from .tables import Table

T = TypeVar("T")
# https://www.postgresql.org/docs/current/datatype-datetime.html: timestamps count from 2000-01-01.
_EPOCH_US = 946_684_800_000_000
_SIDES: dict[bool | None, Literal["buy", "sell"] | None] = {True: "buy", False: "sell", None: None}
Stream = Sequence[Any]
"""exchange, symbol, part."""


def columns_of(table: Table) -> str:
    """Return the columns of a row table over `t`, in the order `event_of` takes them."""
    return ", ".join([f"t.{name}" for name in ("stream", *[name for name in table.columns if name != "stream"])])


def raw_time(ns: int) -> tuple[int]:
    """Return int ns UTC as the driver's raw timestamptz, cut to microseconds."""
    return (ns // 1000 - _EPOCH_US,)


def ns_of(time: tuple[int] | None, below: int) -> int | None:
    """Return int ns UTC of a raw timestamptz and the nanoseconds below it."""
    return None if time is None else (time[0] + _EPOCH_US) * 1000 + below


def _sure(time: tuple[int], below: int) -> int:
    return (time[0] + _EPOCH_US) * 1000 + below


def levels_of(text: str) -> tuple[Levels, Levels]:
    """Return bids and asks of the short text that `lines.levels_text` makes."""
    for long, short in reversed(LETTERS):
        text = text.replace(short, long)
    bids, _, asks = text.partition("|")
    return _side(bids), _side(asks)


def _side(text: str) -> Levels:
    if not text:
        return EMPTY
    return Levels.from_json(('[["' + text[:-1].replace(",", '","').replace(";", '"],["') + '"]]').encode())


def event_of(table: Table) -> Callable[[Stream, Sequence[Any]], Any]:
    """Return what makes an event of a stream and a row selected by `columns_of`."""
    return _MAKERS[table.event]


def _trade(stream: Stream, row: Sequence[Any]) -> Trade:
    _, event, recv, number, count, recv_ns, event_ns, side, price, amount, kind, uid = row
    trade_id = uid if number is None else str(number)
    return Trade(
        stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), price, amount, _SIDES[side], trade_id,
        count, kind, stream[2],
    )  # fmt: skip


def _quote(stream: Stream, row: Sequence[Any]) -> Quote:
    _, recv, event, position, recv_ns, event_ns, dated, bid, bid_amount, ask, ask_amount = row
    return Quote(
        stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), bid, bid_amount, ask, ask_amount,
        None if dated else position,
    )  # fmt: skip


def _snapshot(stream: Stream, row: Sequence[Any]) -> BookSnapshot:
    _, recv, event, position, recv_ns, event_ns, dated, checksum_ok, levels = row
    bids, asks = levels_of(levels)
    return BookSnapshot(
        stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), bids, asks,
        None if stream[2] is None else int(stream[2]), None if dated else position, checksum_ok,
    )  # fmt: skip


def _delta(stream: Stream, row: Sequence[Any]) -> BookDelta:
    _, event, recv, sequence, first, previous, recv_ns, event_ns, levels = row
    bids, asks = levels_of(levels)
    return BookDelta(
        stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), bids, asks, first, sequence, previous
    )


def _candle(stream: Stream, row: Sequence[Any]) -> Candle:
    _, opened, open_ns, close, close_ns, event, event_ns, recv, recv_ns, *values = row
    return Candle(
        stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), stream[2] or "", _sure(opened, open_ns),
        ns_of(close, close_ns), *values,
    )  # fmt: skip


def _funding(stream: Stream, row: Sequence[Any]) -> FundingRate:
    _, event, event_ns, recv, recv_ns, due, due_ns, predicted, rate = row
    return FundingRate(
        stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), rate, ns_of(due, due_ns), predicted
    )


def _mark_price(stream: Stream, row: Sequence[Any]) -> MarkPrice:
    _, event, event_ns, recv, recv_ns, *prices = row
    return MarkPrice(stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), *prices)


def _open_interest(stream: Stream, row: Sequence[Any]) -> OpenInterest:
    _, event, event_ns, recv, recv_ns, *amounts = row
    return OpenInterest(stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), *amounts)


def _liquidation(stream: Stream, row: Sequence[Any]) -> Liquidation:
    _, event, event_ns, recv, recv_ns, price, amount, side, order_id = row
    return Liquidation(
        stream[0], stream[1], ns_of(event, event_ns), _sure(recv, recv_ns), price, amount, _SIDES[side], order_id
    )


_MAKERS: dict[type, Callable[[Stream, Sequence[Any]], Any]] = {
    Trade: _trade,
    Quote: _quote,
    BookSnapshot: _snapshot,
    BookDelta: _delta,
    Candle: _candle,
    FundingRate: _funding,
    MarkPrice: _mark_price,
    OpenInterest: _open_interest,
    Liquidation: _liquidation,
}
