"""What rows weigh in the file: their sizes before there are any, and the file's size shared out to its streams."""

from collections.abc import Mapping
from typing import Any

from jrr_core.volume import RowBytes, StreamVolume

from .queries import reading
from .tables import TABLES, Table

# Bytes of pages per row: trades, quotes and books of two recorded files, the rest of 20,000 made-up rows each
# (README, "Speed and size"). Nothing is compacted later, so rows are kept as they are written.
_SIZES = {"trade": 54, "quote": 68, "candle": 125, "funding": 51, "mark_price": 63, "open_interest": 56,
          "liquidation": 65}  # fmt: skip
ROW_BYTES: Mapping[str, RowBytes] = {
    **{channel: RowBytes(size, size) for channel, size in _SIZES.items()},
    "book": RowBytes(80, 80, 17, 17),
    "book_snapshot": RowBytes(40, 40, 18, 18),
}
# What lies in a book's row beside its levels.
_AROUND_LEVELS = 60


def volume(path: str) -> list[StreamVolume]:
    """Return what each stream takes: the pages in use, shared out by the streams' rows and lengths of books.

    Raises ConfigError when there is no such file or it is not jrr's, and
    SinkUnavailable when it is locked.
    """
    with reading(path) as connection:
        found = [row for table in TABLES for row in connection.execute(_query(table))]
        pages, free, page_size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return _shared_out(found, (pages - free) * page_size)


def _query(table: Table) -> str:
    if "bids" in table.columns:
        weight = f"{_AROUND_LEVELS} * count(*) + sum(length(bids) + length(asks))"
    else:
        weight = f"{_SIZES[table.event.type]} * count(*)"
    received = table.shown["ts_recv"]
    return (
        f"SELECT s.exchange, {table.channel}, s.symbol, count(*), {weight}, min({received}), max({received}) "
        f"FROM {table.source} GROUP BY t.stream"
    )


def _shared_out(found: list[tuple[Any, ...]], size: int) -> list[StreamVolume]:
    whole = sum(row[4] for row in found)
    return [
        StreamVolume(exchange, channel, symbol, rows, size * weight // whole, first, last)
        for exchange, channel, symbol, rows, weight, first, last in found
    ]
