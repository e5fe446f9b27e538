"""Reading the file back: events equal to those written, coverage, counts. Opens it read-only, at any time."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from attrs import fields

from jrr_core.errors import ConfigError
from jrr_core.events import StreamEvent
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels
from jrr_core.sink import StreamKey
from jrr_core.store import Range

from . import instruments
from .failures import on_open
from .schema import version_of
from .tables import TABLES

E = TypeVar("E")
_VIEWS = {table.event: table.view for table in TABLES}


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


_READ: Mapping[Any, Callable[[Any], Any]] = {
    Decimal: Decimal,
    Decimal | None: _optional(Decimal),
    Levels: lambda text: Levels.from_json(text.encode()),
    bool: bool,
    bool | None: _optional(bool),
    tuple[int, int] | None: _optional(lambda text: tuple(json.loads(text))),
}
"""How a column becomes a field, by the field's type; what is not here is kept as it is."""


def connect(path: str) -> sqlite3.Connection:
    """Return a connection that cannot write.

    Raises ConfigError when there is no such file or it is not jrr's, and
    SinkUnavailable when it is locked.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(f"there is no file {path}; collect something first, or name another file")
    try:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            if version_of(connection, path) == 0:
                raise ConfigError(f"{path} is empty; collect something first, or name another file")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise on_open(error, path) from error
    return connection


def read_events(path: str, type: type[E]) -> Iterator[E]:
    """Return the stored events of one class, or the Instruments. Raises as `connect` does, at the call.

    Market events come stream by stream, snapshots and deltas of books in the
    order they were stored, others by their KEY.
    """
    if type is Instrument:
        with closing(connect(path)) as connection:
            return iter(instruments.read(connection))  # type: ignore[arg-type]  # E is Instrument here
    return _events(connect(path), type)


def _events(connection: sqlite3.Connection, kind: Any) -> Iterator[Any]:
    names = ["exchange", "symbol", "ts_event", "ts_recv", *kind.fields()]
    if issubclass(kind, StreamEvent):
        source, chosen = "stream_events WHERE type = ? ORDER BY ts_recv", [kind.type]
    else:
        source, chosen = _VIEWS[kind], []
    types = {field.name: field.type for field in fields(kind)}
    converts = [(index, _READ[types[name]]) for index, name in enumerate(names) if types[name] in _READ]
    with closing(connection):
        for row in connection.execute(f"SELECT {', '.join(names)} FROM {source}", chosen):
            values = [*row]
            for index, convert in converts:
                values[index] = convert(values[index])
            yield kind(*values)


def coverage(path: str) -> list[Range]:
    """Return the coverage ranges by exchange, channel, symbol and time. Raises as `connect` does."""
    with closing(connect(path)) as connection:
        found = connection.execute(
            "SELECT exchange, channel, symbol, ts_from, ts_to, state, reason, missing FROM coverage ORDER BY 1, 2, 3, 4"
        )
        return [Range(*row) for row in found]


def counts(path: str) -> dict[tuple[str, str], int]:
    """Return how many market events are stored by (exchange, channel). Raises as `connect` does."""
    total: dict[tuple[str, str], int] = {}
    with closing(connect(path)) as connection:
        for table in TABLES:
            found = connection.execute(
                f"SELECT s.exchange, {table.channel}, n FROM (SELECT stream, count(*) AS n FROM {table.name} "
                "GROUP BY stream) JOIN streams s ON s.id = stream"
            )
            for exchange, channel, number in found:
                total[exchange, channel] = total.get((exchange, channel), 0) + number
    return total


_LAST = {
    "trades": "'trade' || ifnull('@' || s.part, '')",
    "quotes": "'quote'",
    "book_deltas": "'book'",
    "candles": "'candle_' || s.part",
}
_LAST_POSITION = {
    "trades": "SELECT max(trade_id) FROM stored_trades WHERE stream = s.id AND trade_id < ''",
    "quotes": "SELECT max(position) FROM stored_quotes WHERE stream = s.id AND dated = 0",
    "book_deltas": "SELECT max(sequence) FROM stored_book_deltas WHERE stream = s.id",
    "candles": "SELECT max(open_time) FROM stored_candles WHERE stream = s.id AND closed = 1",
}


def resume_points(path: str) -> dict[StreamKey, int]:
    """Return where each stream ended: trade id, quote or book sequence, open time of the last closed candle.

    Trades of a numbering of their own are under the channel `trade@<id_space>`;
    ids that are no numbers are left out. Raises as `connect` does.
    """
    points: dict[StreamKey, int] = {}
    with closing(connect(path)) as connection:
        for name, channel in _LAST.items():
            found = connection.execute(
                f"SELECT exchange, {channel}, symbol, ({_LAST_POSITION[name]}) AS last FROM streams s "
                "WHERE last IS NOT NULL"
            )
            points |= {StreamKey(exchange, named, symbol): last for exchange, named, symbol, last in found}
    return points
