"""The layouts of tardis.dev's downloadable CSV files: columns, order, microseconds, words.

Source: its documentation, "Downloadable CSV files", "Data types"; docs/exporting.md
has the columns and what differs from its own files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from attrs import define

from ..book import BookState
from ..exact import plain
from .kind import Row

Cells = Sequence[str]
_HEAD = ("exchange", "symbol", "timestamp", "local_timestamp")


@define(frozen=True)
class Layout:
    """A kind of file: its name there, its columns, and the lines that a row of ours makes."""

    name: str
    columns: Sequence[str]
    lines: Callable[[Row], Iterator[Cells]]


def _head(row: Row) -> tuple[str, ...]:
    # Where the exchange gave no time, that of arrival stands in.
    event = row["ts_recv"] if row["ts_event"] is None else row["ts_event"]
    return row["exchange"], row["symbol"], str(event // 1000), str(row["ts_recv"] // 1000)


def _text(number: Any) -> str:
    return "" if number is None else plain(number) if isinstance(number, Decimal) else str(number)


def _trade(row: Row) -> Iterator[Cells]:
    yield *_head(row), row["trade_id"], row["side"] or "unknown", _text(row["price"]), _text(row["amount"])


def _quote(row: Row) -> Iterator[Cells]:
    yield *_head(row), *[_text(row[name]) for name in ("ask_amount", "ask_price", "bid_price", "bid_amount")]


def _change(row: Row) -> Iterator[Cells]:
    head, whole = _head(row), "true" if row["is_snapshot"] else "false"
    for side, levels in (("bid", row["bids"]), ("ask", row["asks"])):
        for price, amount in levels:
            yield *head, whole, side, price, amount


def _liquidation(row: Row) -> Iterator[Cells]:
    yield *_head(row), row["order_id"] or "", row["side"] or "unknown", _text(row["price"]), _text(row["amount"])


def _ticker(**names: str) -> Callable[[Row], Iterator[Cells]]:
    """Return the lines of a derivative ticker of which a row of ours knows `names`: theirs by ours."""

    def lines(row: Row) -> Iterator[Cells]:
        known = {theirs: row[ours] for theirs, ours in names.items()}
        if "funding_timestamp" in known and known["funding_timestamp"] is not None:
            known["funding_timestamp"] //= 1000
        if row.get("predicted"):
            known["predicted_funding_rate"] = known.pop("funding_rate", None)
        yield *_head(row), *[_text(known.get(name)) for name in _TICKER]

    return lines


_TICKER = ("funding_timestamp", "funding_rate", "predicted_funding_rate", "open_interest", "last_price", "index_price",
           "mark_price")  # fmt: skip
LAYOUTS: Mapping[str, Layout] = {
    "trades": Layout("trades", (*_HEAD, "id", "side", "price", "amount"), _trade),
    "quotes": Layout("quotes", (*_HEAD, "ask_amount", "ask_price", "bid_price", "bid_amount"), _quote),
    "book": Layout("incremental_book_L2", (*_HEAD, "is_snapshot", "side", "price", "amount"), _change),
    "liquidations": Layout("liquidations", (*_HEAD, "id", "side", "price", "amount"), _liquidation),
    "funding": Layout("derivative_ticker", (*_HEAD, *_TICKER),
                      _ticker(funding_timestamp="next_funding_time", funding_rate="rate")),
    "mark_prices": Layout("derivative_ticker", (*_HEAD, *_TICKER),
                          _ticker(index_price="index_price", mark_price="mark_price")),
    "open_interest": Layout("derivative_ticker", (*_HEAD, *_TICKER), _ticker(open_interest="amount")),
}  # fmt: skip
"""The layout of each kind that has one."""


def sample_layout(depth: int) -> Sequence[str]:
    """Return the columns of a book's best `depth` levels: book_snapshot_<depth>."""
    levels = [f"{side}[{level}].{what}" for level in range(depth) for side in ("asks", "bids")
              for what in ("price", "amount")]  # fmt: skip
    return (*_HEAD, *levels)


def sample_line(state: BookState, depth: int) -> Cells:
    """Return the line of a book at a moment; levels it does not have are empty."""
    ts = str(state.ts // 1000)
    cells: list[str] = [state.exchange, state.symbol, ts, ts]
    for level in range(depth):
        for side in (state.asks, state.bids):
            price, amount = side[level] if level < len(side) else (None, None)
            cells += [_text(price), _text(amount)]
    return cells
