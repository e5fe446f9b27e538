"""Rows of a stream that were received in a span, taken out of their tables."""

import sqlite3

from jrr_core.store import Cut

from .tables import TABLES

_RECEIVED = "ifnull(nullif(ts_event, ''), 0) + lag"


def remove(connection: sqlite3.Connection, cut: Cut) -> int:
    """Delete what is cut, within the caller's transaction; return how many rows it was."""
    before = connection.total_changes
    for table in TABLES:
        numbers = connection.execute(
            f"SELECT s.id FROM streams s WHERE s.exchange = ? AND s.symbol = ? AND {table.channel} = ?",
            (cut.exchange, cut.symbol, cut.channel),
        ).fetchall()
        for (number,) in numbers:
            connection.execute(
                f"DELETE FROM {table.name} WHERE stream = ? AND {_RECEIVED} >= ? AND {_RECEIVED} < ?",
                (number, cut.ts_from, cut.ts_to),
            )
    return connection.total_changes - before
