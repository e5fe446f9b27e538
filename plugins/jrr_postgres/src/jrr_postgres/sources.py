"""Where the rows of a time lie: partitions, the rows without a time beside them, the blocks of closed days."""

from collections.abc import Sequence

from .packing import PACKED, unpacked
from .tables import Table

SLACK_DAYS = 1
"""Where the exchange gives a time and partitions go by receipt, the two lie within this of each other."""


def within(
    schema: str, table: Table, since: str, until: str, streams: str = "", packed: bool | None = None
) -> Sequence[str]:
    """Return SELECTs of the row table's columns, together all rows from `since` to before `until` (expressions).

    The time is the event's, or that of receipt where the exchange gave none.
    `streams` is an expression for an array of stream numbers, empty for all;
    `packed` is whether there are blocks, by default where the table may have
    them.
    """
    chosen = f"t.stream = ANY ({streams}) AND " if streams else ""
    found = [f"SELECT t.* FROM {schema}.{table.name} t WHERE {chosen}{_timed(table, since, until)}"]
    if table.undated:
        received = f"t.ts_recv >= {since} AND t.ts_recv < {until}"
        found.append(f"SELECT t.* FROM {schema}.{table.beside} t WHERE {chosen}{received}")
    if table in PACKED if packed is None else packed:
        slack = f"interval '{SLACK_DAYS if table.near else 0} days'"
        # No block spans a day, which is what tells the planner which days to leave out.
        day = f"date_trunc('day', {since}::timestamptz - {slack}, 'UTC')"
        blocks = (
            f"p.ts_from >= {day} AND p.ts_to >= {since}::timestamptz - {slack} "
            f"AND p.ts_from < {until}::timestamptz + {slack}"
        )
        rows = unpacked(schema, table, f"{chosen.replace('t.stream', 'p.stream')}{blocks}")
        found.append(f"SELECT t.* FROM ({rows}) t WHERE {_timed(table, since, until)}")
    return found


def _timed(table: Table, since: str, until: str) -> str:
    if not table.near:
        return f"t.{table.time} >= {since} AND t.{table.time} < {until}"
    slack = f"interval '{SLACK_DAYS} days'"
    return (
        f"(t.ts_event >= {since} AND t.ts_event < {until} "
        f"OR t.ts_event IS NULL AND t.ts_recv >= {since} AND t.ts_recv < {until}) "
        f"AND t.ts_recv >= {since}::timestamptz - {slack} AND t.ts_recv < {until}::timestamptz + {slack}"
    )
