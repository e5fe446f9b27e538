"""What the file holds, told in short: coverage, counts, where each stream ended. Opens it read-only, at any time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from jrr_core.errors import ConfigError
from jrr_core.sink import StreamKey
from jrr_core.store import Range

from .failures import on_open
from .schema import version_of
from .tables import EVENT_TIME, TABLES, Table


def connect(path: str) -> sqlite3.Connection:
    """Return a connection that cannot write, for one thread at a time.

    Raises ConfigError when there is no such file or it is not jrr's, and
    SinkUnavailable when it is locked.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(f"there is no file {path}; collect something first, or name another file")
    try:
        connection = sqlite3.connect(
            f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            if version_of(connection, path) == 0:
                raise ConfigError(f"{path} is empty; collect something first, or name another file")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise on_open(error, path) from error
    return connection


@contextmanager
def reading(path: str) -> Iterator[sqlite3.Connection]:
    """Give a connection as `connect` does, and close it; a statement that fails raises SinkUnavailable."""
    with closing(connect(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise on_open(error, path) from error


def coverage(path: str) -> list[Range]:
    """Return the coverage ranges by exchange, channel, symbol and time. Raises as `connect` does."""
    with reading(path) as connection:
        found = connection.execute(
            "SELECT exchange, channel, symbol, ts_from, ts_to, state, reason, missing FROM coverage ORDER BY 1, 2, 3, 4"
        )
        return [Range(*row) for row in found]


def counts(path: str) -> dict[tuple[str, str], int]:
    """Return how many market events are stored by (exchange, channel). Raises as `connect` does."""
    total: dict[tuple[str, str], int] = {}
    with reading(path) as connection:
        for table in TABLES:
            found = connection.execute(
                f"SELECT s.exchange, {table.channel}, n FROM (SELECT stream, count(*) AS n FROM {table.name} "
                "GROUP BY stream) JOIN streams s ON s.id = stream"
            )
            for exchange, channel, number in found:
                total[exchange, channel] = total.get((exchange, channel), 0) + number
    return total


def last(path: str) -> dict[StreamKey, int]:
    """Return the time of the last event of each stream: that with the highest KEY, of books the last to arrive.

    Raises as `connect` does.
    """
    times: dict[StreamKey, int] = {}
    with reading(path) as connection:
        for table in TABLES:
            found = connection.execute(
                f"SELECT s.exchange, {table.channel}, s.symbol, ({_last_time(table)}) AS last FROM streams s "
                "WHERE last IS NOT NULL"
            )
            for exchange, channel, symbol, ts in found:
                key = StreamKey(exchange, channel, symbol)
                times[key] = max(ts, times.get(key, ts))
    return times


def _last_time(table: Table) -> str:
    if not table.clustered:
        newest = f"(SELECT max(id) FROM {table.name} WHERE stream = s.id)"
        return f"SELECT {EVENT_TIME} FROM {table.name} t WHERE t.id = {newest}"
    order = ", ".join([f"t.{name} DESC" for name in table.key])
    return f"SELECT {EVENT_TIME} FROM {table.name} t WHERE t.stream = s.id ORDER BY {order} LIMIT 1"


_LAST = {
    "trades": "'trade' || ifnull('@' || s.part, '')",
    "quotes": "'quote'",
    "book_deltas": "'book'",
    "candles": "'candle_' || s.part",
    "funding_rates": "'funding'",
}
_LAST_POSITION = {
    "trades": "SELECT max(trade_id) FROM stored_trades WHERE stream = s.id AND trade_id < ''",
    "quotes": "SELECT max(position) FROM stored_quotes WHERE stream = s.id AND dated = 0",
    "book_deltas": "SELECT max(sequence) FROM stored_book_deltas WHERE stream = s.id",
    "candles": "SELECT max(open_time) FROM stored_candles WHERE stream = s.id AND closed = 1",
    "funding_rates": "SELECT next_funding_time FROM stored_funding_rates WHERE stream = s.id AND predicted = 1 "
    "AND next_funding_time < '' ORDER BY next_funding_time DESC LIMIT 1",
}


def resume_points(path: str) -> dict[StreamKey, int]:
    """Return where each stream ended: trade id, quote or book sequence, open time of the last closed candle.

    Of funding the settlement (int ns) that the last estimate was for. Trades
    of a numbering of their own are under the channel `trade@<id_space>`; ids
    that are no numbers are left out. Raises as `connect` does.
    """
    points: dict[StreamKey, int] = {}
    with reading(path) as connection:
        for name, channel in _LAST.items():
            found = connection.execute(
                f"SELECT exchange, {channel}, symbol, ({_LAST_POSITION[name]}) AS last FROM streams s "
                "WHERE last IS NOT NULL"
            )
            points |= {StreamKey(exchange, named, symbol): last for exchange, named, symbol, last in found}
    return points
