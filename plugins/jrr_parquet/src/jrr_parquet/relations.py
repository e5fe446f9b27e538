"""One relation per event class: its columns, and events to rows and back.

Nothing here knows files. A row is checked when it is made: what is in the
journal must never fail to become a file later.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from attrs import define, fields

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
from jrr_core.levels import Levels

Row = Sequence[Any]
_PLACE = ("exchange", "symbol")  # told by the path


def _integer(value: int) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError(f"{value!r} is not an integer of 64 bits")
    return value


def _text(value: str) -> str:
    value.encode()  # a lone surrogate has no UTF-8
    return value


def _flag(value: bool) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{value!r} is neither True nor False")
    return value


def _digits(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is not a finite number")
    return plain(value)


@define(frozen=True)
class Kind:
    """How a field is kept: the Arrow type by name, what makes its value, what reads it back."""

    arrow: str
    put: Callable[[Any], Any]
    get: Callable[[Any], Any]


_KEPT = Kind("string", _text, str)
_KINDS: Mapping[type, Kind] = {
    int: Kind("int64", _integer, int),
    bool: Kind("bool_", _flag, bool),
    Decimal: Kind("string", _digits, Decimal),
    Levels: Kind("string", Levels.json, lambda text: Levels.from_json(text.encode())),
}


def kind_of(type: Any) -> Kind:
    """Return how a field of this type, optional or not, is kept; text where it is no other."""
    inner = next((option for option in getattr(type, "__args__", ()) if option in _KINDS), type)
    return _KINDS.get(inner, _KEPT)


@define(frozen=True, slots=False)
class Relation:
    """One event class on disk: `name` is its folder."""

    name: str
    event: Any

    @cached_property
    def columns(self) -> Mapping[str, Kind]:
        """The columns, in order: the event's fields but for exchange and symbol."""
        return {field.name: kind_of(field.type) for field in fields(self.event) if field.name not in _PLACE}

    def row(self, event: Any) -> Row:
        """Return an event's row; raises ValueError, TypeError or AttributeError where a value fits no column."""
        row = []
        for name, kind in self.columns.items():
            value = getattr(event, name)
            row.append(None if value is None else kind.put(value))
        return row

    def made(self, exchange: str, symbol: str, row: Row) -> Any:
        """Return the event that a row stands for."""
        values = [
            None if value is None else kind.get(value) for kind, value in zip(self.columns.values(), row, strict=True)
        ]
        return self.event(exchange, symbol, *values)

    @property
    def time(self) -> tuple[str, ...]:
        """The columns that tell when an event was: the first of them that has a value."""
        return ("open_time",) if self.event is Candle else ("ts_event", "ts_recv")

    def time_of(self, event: Message) -> int:
        """Return when an event was, int ns UTC: what its date and the order of reading go by."""
        found = next(value for name in self.time if (value := getattr(event, name)) is not None)
        return _integer(found)


RELATIONS = (
    Relation("trades", Trade),
    Relation("quotes", Quote),
    Relation("book_snapshots", BookSnapshot),
    Relation("book_deltas", BookDelta),
    Relation("candles", Candle),
    Relation("funding_rates", FundingRate),
    Relation("mark_prices", MarkPrice),
    Relation("open_interest", OpenInterest),
    Relation("liquidations", Liquidation),
)
"""Every market event's relation."""

BY_EVENT: Mapping[type, Relation] = {relation.event: relation for relation in RELATIONS}
BY_NAME: Mapping[str, Relation] = {relation.name: relation for relation in RELATIONS}
