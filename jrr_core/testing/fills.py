"""Trades that stand for several fills, where every fill has a number of its own.

Such a trade covers the ids `trade_id - count + 1` .. `trade_id`, and an
exchange that merges in its stream lists the fills one by one when asked later.
Elsewhere a merged trade has one number, whatever its count.
"""

from collections.abc import Iterable
from itertools import pairwise

from ..events import Trade

Space = tuple[str, str, str | None]


def space_of(trade: Trade) -> Space:
    """Return the numbering a trade's id belongs to: exchange, symbol, id_space."""
    return (trade.exchange, trade.symbol, trade.id_space)


def numbers(trade: Trade) -> range:
    """Return the ids a trade covers where every fill has one."""
    last = int(trade.trade_id)
    return range(last - trade.count + 1, last + 1)


def merging(trades: Iterable[Trade]) -> set[Space]:
    """Return the numberings in which fills are merged: some trades count several, and no two share a number."""
    rows: dict[Space, list[range]] = {}
    for trade in trades:
        # What is not a number cannot be part of a row of numbers.
        if trade.trade_id.isdecimal():
            rows.setdefault(space_of(trade), []).append(numbers(trade))
    return {space for space, found in rows.items() if any(len(row) > 1 for row in found) and _apart(found)}


def _apart(rows: list[range]) -> bool:
    rows.sort(key=lambda row: row.stop)
    return all(before.stop <= after.start for before, after in pairwise(rows))
