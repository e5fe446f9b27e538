"""What the store holds of each stream: how many events, the last of them, where its numbers end.

The last event is found by the unique index of its partition, not by reading
rows; only where ids are text are the rows of days not yet packed looked at.
"""

from collections.abc import Iterator
from typing import Any

from jrr_core.sink import StreamKey

from .packing import PACKED
from .rows import ns_of
from .tables import TABLES, Table


def counting(schema: str, table: Table) -> str:
    """Return the SELECT of (exchange, channel, number of events) of a table, rows and blocks."""
    counts = [f"SELECT stream, count(*) AS n FROM {schema}.{name} GROUP BY stream" for name in _row_tables(table)]
    if table in PACKED:
        counts.append(f"SELECT stream, sum(rows) AS n FROM {schema}.packed_{table.view} GROUP BY stream")
    return (
        f"SELECT s.exchange, {table.channel}, sum(n)::bigint FROM ({' UNION ALL '.join(counts)}) c "
        f"JOIN {schema}.streams s ON s.id = c.stream GROUP BY 1, 2"
    )


async def last(connection: Any, schema: str) -> dict[StreamKey, int]:
    """Return the time (int ns UTC) of the last event of each stream; the connection gives raw times."""
    found: dict[StreamKey, int] = {}
    for table in TABLES:
        for exchange, channel, symbol, time, below in await connection.fetch(_latest(schema, table)):
            key, ts = StreamKey(exchange, channel, symbol), ns_of(time, below)
            if ts is not None:
                found[key] = max(ts, found.get(key, ts))
    return found


async def resume_points(connection: Any, schema: str) -> dict[StreamKey, int]:
    """Return the last number of each stream that has one; the connection gives raw times."""
    points: dict[StreamKey, int] = {}
    for table in TABLES:
        if table.view not in _NUMBERS:
            continue
        for exchange, named, symbol, number in await connection.fetch(_numbers(schema, table, *_NUMBERS[table.view])):
            value = number if isinstance(number, int) else ns_of(number, 0)
            if value is not None:
                points[StreamKey(exchange, named, symbol)] = value
    return points


_NUMBERS = {
    "trades": ("'trade' || coalesce('@' || s.part, '')", "trade_id", "trade_id IS NOT NULL", "trade_id"),
    "quotes": ("'quote'", "position", "NOT dated", "position"),
    "book_deltas": ("'book'", "sequence", "true", "sequence"),
    "candles": ("'candle_' || s.part", "open_time", "closed", "open_time"),
    "funding_rates": ("'funding'", "next_funding_time", "predicted AND next_funding_time IS NOT NULL", "ts_event"),
}
"""By relation: the channel over `s`, the column of the number, the rows that have one, what puts one last."""


def _row_tables(table: Table) -> Iterator[str]:
    yield table.name
    if table.undated:
        yield table.beside


def _numbers(schema: str, table: Table, channel: str, column: str, condition: str, latest: str) -> str:
    found = [
        f"(SELECT t.{column} AS number FROM {schema}.{name} t WHERE t.stream = s.id AND {condition} "
        f"ORDER BY t.{latest} DESC, t.{column} DESC LIMIT 1)"
        for name in _row_tables(table)
    ]
    if table in PACKED:
        found.append(f"(SELECT max(p.last_key) FROM {schema}.packed_{table.view} p WHERE p.stream = s.id)")
    return (
        f"SELECT s.exchange, {channel}, s.symbol, max(x.number) FROM {schema}.streams s, "
        f"LATERAL ({' UNION ALL '.join(found)}) x WHERE x.number IS NOT NULL GROUP BY 1, 2, 3"
    )


def _latest(schema: str, table: Table) -> str:
    """Return the SELECT of the times of each stream's latest rows, one of each source."""
    time, below = ("open_time", "open_ns") if table.time == "open_time" else (
        "coalesce(t.ts_event, t.ts_recv)", "CASE WHEN t.ts_event IS NULL THEN t.recv_ns ELSE t.event_ns END"
    )  # fmt: skip
    found = [
        f"(SELECT {time} AS time, {below}::int AS below FROM {schema}.{name} t "
        f"WHERE t.stream = s.id AND {condition or 'true'} ORDER BY {order} LIMIT 1)"
        for name in _row_tables(table)
        for condition, order in _latest_first(table, name, f"{time} DESC, {below} DESC")
    ]
    if table in PACKED:
        found.append(f"(SELECT max(p.ts_to), 0 FROM {schema}.packed_{table.view} p WHERE p.stream = s.id)")
    return (
        f"SELECT s.exchange, {table.channel}, s.symbol, x.time, x.below FROM {schema}.streams s, "
        f"LATERAL ({' UNION ALL '.join(found)}) x WHERE x.time IS NOT NULL"
    )


def _latest_first(table: Table, name: str, by_time: str) -> Iterator[tuple[str, str]]:
    """Yield condition and order of each unique index: its own, or `by_time` where its highest entry is not the last."""
    for condition, columns in table.key.items():
        text = any(table.columns[column].startswith("text") for column in columns)
        timeless = name == table.beside and table.time in columns
        order = ", ".join([f"t.{column} DESC" for column in columns if column != "stream"])
        yield condition, by_time if text or timeless else order
