"""What rows weigh in the database: sizes before there are any, and the relations' sizes shared out to streams."""

from collections.abc import Mapping, Sequence
from typing import Any

from jrr_core.volume import RowBytes, StreamVolume

from .packing import PACKED
from .rows import ns_of
from .tables import TABLES, Table

# Bytes per row, its share of indexes and half-empty pages included: benchmarks/bench_storage.py for trades, quotes and
# books (recorded data; `kept` is in blocks), 20,000 made-up rows each for the others, which are not compacted.
ROW_BYTES: Mapping[str, RowBytes] = {
    "trade": RowBytes(125, 5.5),
    "quote": RowBytes(130, 7),
    "book": RowBytes(110, 10, 11.5, 2.8),
    "book_snapshot": RowBytes(110, 3, 16, 1.5),
    "candle": RowBytes(190, 190),
    "funding": RowBytes(130, 130),
    "mark_price": RowBytes(125, 125),
    "open_interest": RowBytes(125, 125),
    "liquidation": RowBytes(140, 140),
}


async def volume(connection: Any, schema: str) -> list[StreamVolume]:
    """Return what each stream takes, in rows and in blocks; the connection gives raw times.

    A relation's size, indexes included, is shared out by the sizes of rows, so every row is looked at.
    """
    found: list[StreamVolume] = []
    for table in TABLES:
        names = [table.name, *([table.beside] if table.undated else [])]
        for name in names:
            rows = await connection.fetch(_rows(schema, table, name))
            found += _shared_out(rows, await _size(connection, schema, name))
        if table in PACKED:
            blocks = await connection.fetch(_blocks(schema, table))
            found += _shared_out(blocks, await _size(connection, schema, f"packed_{table.view}"))
    return found


def _rows(schema: str, table: Table, name: str) -> str:
    weighed = "count(*) AS n, sum(pg_column_size(t)) AS weight, min(ts_recv) AS first, max(ts_recv) AS last"
    return _by_stream(schema, table, f"SELECT stream, {weighed} FROM {schema}.{name} t GROUP BY stream")


def _blocks(schema: str, table: Table) -> str:
    weighed = "sum(rows)::bigint AS n, sum(octet_length(data)) AS weight, min(ts_from) AS first, max(ts_to) AS last"
    return _by_stream(schema, table, f"SELECT stream, {weighed} FROM {schema}.packed_{table.view} GROUP BY stream")


def _by_stream(schema: str, table: Table, weighed: str) -> str:
    return (
        f"SELECT s.exchange, {table.channel}, s.symbol, n, weight, first, last FROM ({weighed}) t "
        f"JOIN {schema}.streams s ON s.id = t.stream"
    )


async def _size(connection: Any, schema: str, name: str) -> int:
    """Return the bytes of a relation and its partitions, indexes and long values included."""
    size = await connection.fetchval(
        "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree($1::regclass)", f"{schema}.{name}"
    )
    if size is None:  # no partitioned table
        size = await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", f"{schema}.{name}")
    return int(size)


def _shared_out(rows: Sequence[Any], size: int) -> list[StreamVolume]:
    whole = int(sum(row[4] for row in rows))
    found = []
    for exchange, channel, symbol, number, weight, first, last in rows:
        share = size * int(weight) // whole
        found.append(StreamVolume(exchange, channel, symbol, number, share, ns_of(first, 0) or 0, ns_of(last, 0) or 0))
    return found
