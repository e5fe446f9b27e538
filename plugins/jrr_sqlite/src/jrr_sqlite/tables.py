"""How each event lies in the file: its table, its key, the view that gives it back.

A row is small because what repeats is kept once: exchange, symbol and the
part of the KEY that names a sub-stream (interval, depth, id space) are one
number (`streams`), `ts_recv` is kept as its distance from `ts_event`, runs of
zeros in numbers as one letter. The views undo all of it. Numbers never pass
through a float.

A key column that may be None holds '' for it, because SQL takes two NULLs for
different.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from attrs import define

from jrr_core.events import (
    BookDelta,
    BookSnapshot,
    Candle,
    FundingRate,
    Liquidation,
    MarkPrice,
    Message,
    OpenInterest,
    Quote,
    Trade,
)
from jrr_core.exact import plain

Streams = Mapping[tuple[str, str, str | None], int]
"""The number of a stream by (exchange, symbol, part)."""
Row = tuple[int | str | None, ...]

_ZIP = "replace(replace({0}, '000000', 'z'), '000', 'y')"
_UNZIP = "replace(replace({0}, 'y', '000'), 'z', '000000')"
_ZIP_LEVELS = _ZIP.format("""replace(replace(trim(?, '[]"'), '"],["', ';'), '","', ',')""")
_UNZIP_LEVELS = (
    "CASE {0} WHEN '' THEN '[]' ELSE '[[\"' || replace(replace("
    + _UNZIP
    + """, ',', '","'), ';', '"],["') || '"]]' END"""
)
_RECEIVED = "ifnull(nullif({0}.ts_event, ''), 0) + {0}.lag"
EVENT_TIME = "ifnull(nullif(t.ts_event, ''), t.lag)"


@define(frozen=True)
class Kind:
    """A way to keep a value: the column's type, the expression that stores it, the one that reads it."""

    column: str
    put: str
    get: str


_INTEGER = "INTEGER CHECK (typeof({0}) IN ('integer', 'null'))"
KINDS = {
    "int": Kind(_INTEGER, "?", "{0}"),
    "int!": Kind("INTEGER NOT NULL CHECK (typeof({0}) = 'integer')", "?", "{0}"),
    "key": Kind("NOT NULL CHECK (typeof({0}) = 'integer' OR {0} = '')", "?", "nullif({0}, '')"),
    "id": Kind("NOT NULL", "?", "CAST({0} AS TEXT)"),
    "text": Kind("TEXT", "?", "{0}"),
    "number": Kind("TEXT", _ZIP.format("?"), _UNZIP),
    "number!": Kind("TEXT NOT NULL", _ZIP.format("?"), _UNZIP),
    "exact!": Kind("TEXT NOT NULL", "?", "{0}"),
    "levels!": Kind("TEXT NOT NULL", _ZIP_LEVELS, _UNZIP_LEVELS),
    "side": Kind("INTEGER NOT NULL", "?", "CASE {0} WHEN 1 THEN 'buy' WHEN 0 THEN 'sell' END"),
}
"""The kinds of column by name; `!` means never NULL."""


@define(frozen=True)
class Table:
    """One event class in the file.

    `columns` are name and kind in the order of `row`; `computed` are the
    view's expressions for fields that are no column; `key` follows `stream`;
    `channel` is the expression for the channel as in a subscription.
    `clustered` rows lie in key order (small rows); others lie in order of
    arrival beside a unique index.
    `replace` says when a row takes the place of the one with its key.
    `time` is the expression for what a selection's times are compared with.
    """

    event: type[Message]
    view: str
    channel: str
    key: tuple[str, ...]
    columns: Mapping[str, str]
    row: Callable[[Any, Streams], Row]
    computed: Mapping[str, str] = {}
    clustered: bool = True
    replace: str | None = None
    time: str = EVENT_TIME

    @property
    def name(self) -> str:
        """The table behind the view."""
        return f"stored_{self.view}"

    def create(self) -> list[str]:
        """Return the statements that make the table and its index."""
        columns = [f"{name} {KINDS[kind].column.format(name)}" for name, kind in self.columns.items()]
        key = ", ".join(["stream", *self.key])
        if self.clustered:
            return [f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({key})) WITHOUT ROWID"]
        return [
            f"CREATE TABLE {self.name} (id INTEGER PRIMARY KEY, {', '.join(columns)})",
            f"CREATE UNIQUE INDEX {self.name}_key ON {self.name} ({key})",
        ]

    @property
    def shown(self) -> Mapping[str, str]:
        """The expression for each of the event's fields, in their order; `t` is the table, `s` its stream."""
        shown = {"exchange": "s.exchange", "symbol": "s.symbol", "ts_event": "", "ts_recv": _RECEIVED.format("t")}
        shown |= dict.fromkeys(self.event.fields(), "")
        for name, kind in self.columns.items():
            if name in shown:
                shown[name] = KINDS[kind].get.format(f"t.{name}")
        return {**shown, **self.computed}

    @property
    def source(self) -> str:
        """What `shown` is read from where rows are chosen by `t`; CROSS keeps the planner from beginning with `s`."""
        return f"{self.name} t CROSS JOIN streams s ON s.id = t.stream"

    def create_view(self) -> str:
        """Return the statement that makes the view: the event's fields by their names, in their order."""
        columns = ", ".join([f"{expression} AS {name}" for name, expression in self.shown.items()])
        return f"CREATE VIEW {self.view} AS SELECT {columns} FROM {self.name} t JOIN streams s ON s.id = t.stream"

    def insert(self, rows: int) -> str:
        """Return the statement that stores `rows` rows at once and leaves what is there as `replace` says."""
        values = "(" + ",".join([KINDS[kind].put for kind in self.columns.values()]) + ")"
        then = "NOTHING"
        if self.replace is not None:
            changed = ", ".join([f"{name} = excluded.{name}" for name in self.columns if name not in self.key])
            then = f"UPDATE SET {changed} WHERE {self.replace}"
        return (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES {','.join([values] * rows)} "
            f"ON CONFLICT ({', '.join(['stream', *self.key])}) DO {then}"
        )


_decimal = Decimal.__str__
_SIDES = {"buy": 1, "sell": 0, None: 2}


def _text(number: Decimal) -> str:
    text = _decimal(number)
    return plain(number) if "E" in text else text


def _optional(number: Decimal | None) -> str | None:
    return None if number is None else _text(number)


def _canonical(number: Decimal) -> str:
    """Return the same text for equal numbers, which is what makes them the same key."""
    text = _text(number)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _identity(trade_id: str) -> int | str:
    """Return an id as the number it is, where that number gives the text back; it takes half the room."""
    if trade_id.isascii() and trade_id.isdigit() and len(trade_id) < 19 and (trade_id[0] != "0" or trade_id == "0"):
        return int(trade_id)
    return trade_id


def _none(value: int | None) -> int | str:
    return "" if value is None else value


def _trade(e: Trade, streams: Streams) -> Row:
    ts = e.ts_event
    return (
        streams[e.exchange, e.symbol, e.id_space], _identity(e.trade_id), ts, e.ts_recv - (ts or 0),
        _text(e.price), _text(e.amount), _SIDES[e.side], e.count, e.kind,
    )  # fmt: skip


def _quote(e: Quote, streams: Streams) -> Row:
    ts = e.ts_event
    return (
        streams[e.exchange, e.symbol, None], e.key()[0], int(e.sequence is None), ts, e.ts_recv - (ts or 0),
        _optional(e.bid_price), _optional(e.bid_amount), _optional(e.ask_price), _optional(e.ask_amount),
    )  # fmt: skip


def _snapshot(e: BookSnapshot, streams: Streams) -> Row:
    ts = e.ts_event
    return (
        streams[e.exchange, e.symbol, None if e.depth is None else str(e.depth)], e.key()[1], int(e.sequence is None),
        ts, e.ts_recv - (ts or 0), e.bids.json(), e.asks.json(), None if e.checksum_ok is None else int(e.checksum_ok),
    )  # fmt: skip


def _delta(e: BookDelta, streams: Streams) -> Row:
    ts = e.ts_event
    return (
        streams[e.exchange, e.symbol, None], e.sequence, e.first_sequence, e.previous_sequence,
        ts, e.ts_recv - (ts or 0), e.bids.json(), e.asks.json(),
    )  # fmt: skip


def _candle(e: Candle, streams: Streams) -> Row:
    ts = e.ts_event
    return (
        streams[e.exchange, e.symbol, e.interval], e.open_time, e.close_time, ts, e.ts_recv - (ts or 0),
        _text(e.open), _text(e.high), _text(e.low), _text(e.close), _text(e.volume), _optional(e.quote_volume),
        e.trade_count, int(e.closed),
    )  # fmt: skip


def _funding(e: FundingRate, streams: Streams) -> Row:
    ts = e.ts_event
    return (
        streams[e.exchange, e.symbol, None], _none(e.next_funding_time), _none(ts), int(e.predicted),
        e.ts_recv - (ts or 0), _text(e.rate),
    )  # fmt: skip


def _mark_price(e: MarkPrice, streams: Streams) -> Row:
    ts = e.ts_event
    stream = streams[e.exchange, e.symbol, None]
    return stream, _none(ts), e.ts_recv - (ts or 0), _text(e.mark_price), _optional(e.index_price)


def _open_interest(e: OpenInterest, streams: Streams) -> Row:
    ts = e.ts_event
    stream = streams[e.exchange, e.symbol, None]
    return stream, _none(ts), e.ts_recv - (ts or 0), _text(e.amount), _optional(e.value)


def _liquidation(e: Liquidation, streams: Streams) -> Row:
    ts = e.ts_event
    return (
        streams[e.exchange, e.symbol, None], _none(ts), _SIDES[e.side], _canonical(e.price), _canonical(e.amount),
        e.ts_recv - (ts or 0), _text(e.price), _text(e.amount), e.order_id,
    )  # fmt: skip


_TIMES = {"ts_event": "int", "lag": "int!"}
_SEQUENCE = {"sequence": "CASE t.dated WHEN 0 THEN t.position END"}
_NEWER = "closed = 0 AND (excluded.closed = 1 OR {new} > {old})".format(
    new=_RECEIVED.format("excluded"), old=_RECEIVED.format("stored_candles")
)

TABLES = (
    Table(
        Trade, "trades", "'trade'", ("trade_id",),
        {"stream": "int!", "trade_id": "id", **_TIMES, "price": "number!", "amount": "number!", "side": "side",
         "count": "int!", "kind": "text"},
        _trade, {"id_space": "s.part"},
    ),
    Table(
        Quote, "quotes", "'quote'", ("position",),
        {"stream": "int!", "position": "int!", "dated": "int!", **_TIMES, "bid_price": "number",
         "bid_amount": "number", "ask_price": "number", "ask_amount": "number"},
        _quote, _SEQUENCE,
    ),
    Table(
        BookSnapshot, "book_snapshots", "ifnull('book_snapshot_' || s.part, 'book')", ("position",),
        {"stream": "int!", "position": "int!", "dated": "int!", **_TIMES, "bids": "levels!", "asks": "levels!",
         "checksum_ok": "int"},
        _snapshot, {"depth": "CAST(s.part AS INTEGER)", **_SEQUENCE}, clustered=False,
    ),
    Table(
        BookDelta, "book_deltas", "'book'", ("sequence",),
        {"stream": "int!", "sequence": "int!", "first_sequence": "int", "previous_sequence": "int", **_TIMES,
         "bids": "levels!", "asks": "levels!"},
        _delta, clustered=False,
    ),
    Table(
        Candle, "candles", "'candle_' || s.part", ("open_time",),
        {"stream": "int!", "open_time": "int!", "close_time": "int", **_TIMES, "open": "number!", "high": "number!",
         "low": "number!", "close": "number!", "volume": "number!", "quote_volume": "number", "trade_count": "int",
         "closed": "int!"},
        _candle, {"interval": "s.part"}, replace=_NEWER, time="t.open_time",
    ),
    Table(
        FundingRate, "funding_rates", "'funding'", ("next_funding_time", "ts_event", "predicted"),
        {"stream": "int!", "next_funding_time": "key", "ts_event": "key", "predicted": "int!", "lag": "int!",
         "rate": "number!"},
        _funding,
    ),
    Table(
        MarkPrice, "mark_prices", "'mark_price'", ("ts_event",),
        {"stream": "int!", "ts_event": "key", "lag": "int!", "mark_price": "number!", "index_price": "number"},
        _mark_price,
    ),
    Table(
        OpenInterest, "open_interest", "'open_interest'", ("ts_event",),
        {"stream": "int!", "ts_event": "key", "lag": "int!", "amount": "number!", "value": "number"},
        _open_interest,
    ),
    Table(
        Liquidation, "liquidations", "'liquidation'", ("ts_event", "side", "price_key", "amount_key"),
        {"stream": "int!", "ts_event": "key", "side": "side", "price_key": "exact!", "amount_key": "exact!",
         "lag": "int!", "price": "number!", "amount": "number!", "order_id": "text"},
        _liquidation,
    ),
)  # fmt: skip
"""Every market event's table."""

NOTES: Mapping[str, str] = {
    "type": "e.type", "exchange": "s.exchange", "symbol": "s.symbol", "ts_event": "e.ts_event", "ts_recv": "e.ts_recv",
    "what": "s.part", "session": "e.session", "reason": "e.reason", "count": "e.count", "ts_from": "e.ts_from",
    "ts_to": "e.ts_to", "sequences": "CASE WHEN e.first != '' THEN '[' || e.first || ',' || e.last || ']' END",
}  # fmt: skip
"""The expression for each field of a stream event; `e` is its table, `s` its stream."""
