"""How each event lies in the database: its table, its key, its partitions, the line COPY takes for it.

A table is partitioned by the time that every copy of an event agrees on: the
exchange's (`ts_event`, `open_time`), so that a trade fetched again a day later
lands where it was; by the time of receipt only where exchanges give none
(quotes and snapshots). Rows of an event-dated table that bear no time go to an
`_undated` table beside it, which is no partition.

Uniqueness is by an index on each partition, not on the whole: an index over all
of them would have to repeat the partition's time in every entry.

Times are timestamptz (microseconds) and, in a column of their own, the
nanoseconds below; exchange, symbol and the part of the KEY that names a
sub-stream (interval, depth, id space) are one number (`streams`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

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

from . import lines
from .lines import Streams

Period = Literal["day", "month"]

RELATIONS = (
    "trades", "quotes", "book_snapshots", "book_deltas", "candles", "funding_rates", "mark_prices", "open_interest",
    "liquidations",
)  # fmt: skip


@define(frozen=True)
class Table:
    """One event class in the database.

    `columns` are name and type in the order of `line`; `key` are the columns
    of each unique index, by the condition under which it holds ("" for
    always); `time` is the column partitions go by, `period` their length.
    `undated`: events may come without that time. `near`: the time is that of
    receipt, so copies of an event may fall on both sides of a partition's
    edge and are looked for there. `shown` are the view's expressions for
    fields that are no column of their own. `replace` says when a row takes
    the place of the one with its key. `part` is the event's field that names
    its sub-stream.
    """

    event: type[Message]
    view: str
    channel: str
    columns: Mapping[str, str]
    key: Mapping[str, tuple[str, ...]]
    time: str
    line: Callable[[Any, Streams], str]
    period: Period = "day"
    undated: bool = False
    near: bool = False
    shown: Mapping[str, str] = {}
    replace: str | None = None
    part: str | None = None

    @property
    def name(self) -> str:
        """The table behind the view."""
        return f"stored_{self.view}"

    @property
    def beside(self) -> str:
        """The table of rows without the time partitions go by."""
        return f"{self.name}_undated"

    @property
    def unique(self) -> tuple[str, ...]:
        """The columns of the first unique index."""
        return next(iter(self.key.values()))

    def create(self, schema: str) -> list[str]:
        """Return the statements that make the table, without partitions, and the one beside it."""
        columns = ", ".join([f"{name} {kind}" for name, kind in self.columns.items()])
        found = [f"CREATE TABLE {schema}.{self.name} ({columns}) PARTITION BY RANGE ({self.time})"]
        if self.replace is not None:  # ON CONFLICT DO UPDATE finds its row by an index over all partitions
            found.append(f"CREATE UNIQUE INDEX {self.name}_key ON {schema}.{self.name} ({', '.join(self.unique)})")
        if self.undated:
            found.append(
                f"CREATE TABLE {schema}.{self.beside} (LIKE {schema}.{self.name}, CHECK ({self.time} IS NULL))"
            )
            found += self.indexes(schema, self.beside, self.time)
        return found

    def indexes(self, schema: str, leaf: str, time: str) -> list[str]:
        """Return the statements that make the indexes of a partition."""
        brin = f"brin ({time}) WITH (pages_per_range = 16, autosummarize)"
        found = [f"CREATE INDEX {leaf}_time ON {schema}.{leaf} USING {brin}"]
        if self.replace is not None:
            return found
        for number, (condition, columns) in enumerate(self.key.items()):
            where = f" WHERE {condition}" if condition else ""
            found.append(
                f"CREATE UNIQUE INDEX {leaf}_key{number or ''} ON {schema}.{leaf} ({', '.join(columns)}) "
                f"NULLS NOT DISTINCT{where}"
            )
        return found

    def select(self, schema: str, source: str) -> str:
        """Return the view's SELECT over `source`, which has this table's columns: the event's fields by name."""
        return f"SELECT {self.listed(schema)} FROM {source} t JOIN {schema}.streams s ON s.id = t.stream"

    def listed(self, schema: str) -> str:
        """Return the view's columns as expressions over `t` (the row) and `s` (its stream)."""
        shown = {"exchange": "s.exchange", "symbol": "s.symbol"}
        for name in ("ts_event", "ts_recv", *self.event.fields()):
            shown[name] = self.shown.get(name, f"t.{name}").replace("{schema}", schema)
            if name in self.columns and self.columns[name].startswith("timestamptz"):
                shown[f"{name}_ns"] = nanoseconds(f"t.{name}", f"t.{_below(name)}")
        return ", ".join([f"{expression} AS {name}" for name, expression in shown.items()])


def nanoseconds(time: str, below: str) -> str:
    """Return the expression for int ns UTC of a timestamptz and the nanoseconds below its microsecond."""
    return f"((extract(epoch FROM {time}) * 1000000)::bigint * 1000 + {below})"


def _below(name: str) -> str:
    return {"ts_event": "event_ns", "ts_recv": "recv_ns"}.get(name, name.replace("_time", "_ns"))


_INT = "int NOT NULL"
_BIG = "bigint NOT NULL"
_NS = "smallint NOT NULL"
_NUMERIC = "numeric NOT NULL"
_TIME = "timestamptz NOT NULL"
_FLAG = "boolean NOT NULL"
_STREAM = {"stream": _INT}
_TIMES = {"ts_event": "timestamptz", "event_ns": _NS, "ts_recv": _TIME, "recv_ns": _NS}
_POSITIONED = {"ts_recv": _TIME, "ts_event": "timestamptz", "position": _BIG, "stream": _INT, "recv_ns": _NS,
               "event_ns": _NS, "dated": _FLAG}  # fmt: skip
_SIDE = {"side": "CASE WHEN t.side THEN 'buy' WHEN NOT t.side THEN 'sell' END"}
_SEQUENCE = {"sequence": "CASE WHEN NOT t.dated THEN t.position END"}
_EVENT = ("stream", "ts_event", "event_ns")


# The planner may ask this of streams that are no depth before it knows which it wants.
_DEPTH = "CASE WHEN s.part ~ '^[0-9]+$' THEN s.part::int END"
_LEVELS = {"bids": "{schema}.levels_json(t.levels, 1)", "asks": "{schema}.levels_json(t.levels, 2)"}


# Columns of eight bytes first, then four, two, one and the variable ones: no byte is lost to alignment.
TABLES = (
    Table(
        Trade, "trades", "'trade'",
        {"ts_event": "timestamptz", "ts_recv": _TIME, "trade_id": "bigint", "stream": _INT, "count": _INT,
         "recv_ns": _NS, "event_ns": _NS, "side": "boolean", "price": _NUMERIC, "amount": _NUMERIC, "kind": "text",
         "trade_uid": 'text COLLATE "C"'},
        {"trade_id IS NOT NULL": ("stream", "trade_id"), "trade_uid IS NOT NULL": ("stream", "trade_uid")},
        "ts_event", lines.trade, undated=True,
        shown={**_SIDE, "trade_id": "coalesce(t.trade_uid, t.trade_id::text)", "id_space": "s.part"},
        part="id_space",
    ),
    Table(
        Quote, "quotes", "'quote'",
        {**_POSITIONED, "bid_price": "numeric", "bid_amount": "numeric", "ask_price": "numeric",
         "ask_amount": "numeric"},
        {"": ("stream", "position")}, "ts_recv", lines.quote, near=True, shown=_SEQUENCE,
    ),
    Table(
        BookSnapshot, "book_snapshots", "coalesce('book_snapshot_' || s.part, 'book')",
        {**_POSITIONED, "checksum_ok": "boolean", "levels": "text NOT NULL"},
        {"": ("stream", "position")}, "ts_recv", lines.snapshot, near=True,
        shown={**_SEQUENCE, **_LEVELS, "depth": _DEPTH},
        part="depth",
    ),
    Table(
        BookDelta, "book_deltas", "'book'",
        {"ts_event": "timestamptz", "ts_recv": _TIME, "sequence": _BIG, "first_sequence": "bigint",
         "previous_sequence": "bigint", "stream": _INT, "recv_ns": _NS, "event_ns": _NS, "levels": "text NOT NULL"},
        {"": ("stream", "sequence")}, "ts_event", lines.delta, undated=True, shown=_LEVELS,
    ),
    Table(
        Candle, "candles", "'candle_' || s.part",
        {**_STREAM, "open_time": _TIME, "open_ns": _NS, "close_time": "timestamptz", "close_ns": _NS, **_TIMES,
         "open": _NUMERIC, "high": _NUMERIC, "low": _NUMERIC, "close": _NUMERIC, "volume": _NUMERIC,
         "quote_volume": "numeric", "trade_count": "int", "closed": _FLAG},
        {"": ("stream", "open_time", "open_ns")}, "open_time", lines.candle, period="month",
        shown={"interval": "s.part"}, part="interval",
        replace="NOT old.closed AND (excluded.closed OR "
        "(excluded.ts_recv, excluded.recv_ns) > (old.ts_recv, old.recv_ns))",
    ),
    Table(
        FundingRate, "funding_rates", "'funding'",
        {**_STREAM, **_TIMES, "next_funding_time": "timestamptz", "next_funding_ns": _NS, "predicted": _FLAG,
         "rate": _NUMERIC},
        {"": (*_EVENT, "next_funding_time", "next_funding_ns", "predicted")}, "ts_event", lines.funding, period="month",
        undated=True,
    ),
    Table(
        MarkPrice, "mark_prices", "'mark_price'",
        {**_STREAM, **_TIMES, "mark_price": _NUMERIC, "index_price": "numeric"},
        {"": _EVENT}, "ts_event", lines.mark_price, undated=True,
    ),
    Table(
        OpenInterest, "open_interest", "'open_interest'",
        {**_STREAM, **_TIMES, "amount": _NUMERIC, "value": "numeric"},
        {"": _EVENT}, "ts_event", lines.open_interest, period="month", undated=True,
    ),
    Table(
        Liquidation, "liquidations", "'liquidation'",
        {**_STREAM, **_TIMES, "price": _NUMERIC, "amount": _NUMERIC, "side": "boolean", "order_id": "text"},
        {"": (*_EVENT, "side", "price", "amount")}, "ts_event", lines.liquidation, period="month", undated=True,
        shown=_SIDE,
    ),
)  # fmt: skip
"""Every market event's table."""
