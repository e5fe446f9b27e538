"""Reading rows of one table in order of time: partition by partition, rows and compact blocks alike.

A query names its streams and a window of time, so that it reads the index on
time of one or two partitions and sorts no more than what it returns.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from attrs import define

from jrr_core.store import Selection

from .partitions import Span
from .rows import columns_of, event_of, raw_time
from .sources import SLACK_DAYS, within
from .tables import Table

# Rows fetched at once.
_FETCH = 2000
# To find the newest rows, ever longer times before the end of a partition are read.
_BACK_S = (60, 900, 7200)
_FIRST, _LAST = -(2**62), 2**62


@define(frozen=True)
class Window:
    """A piece of time, int ns UTC, `ts_to` exclusive."""

    ts_from: int
    ts_to: int


@define(frozen=True)
class Scan:
    """What to read of a table: the streams by their number, and the selection."""

    schema: str
    table: Table
    streams: Mapping[int, Sequence[Any]]
    chosen: Selection

    @classmethod
    async def of(cls, connection: Any, schema: str, table: Table, chosen: Selection) -> "Scan":
        """Return the scan of a table that a selection means."""
        condition, arguments = streams_clause(chosen)
        found = await connection.fetch(
            f"SELECT id, exchange, symbol, part FROM {schema}.streams WHERE {condition}", *arguments
        )
        return cls(schema, table, {number: stream for number, *stream in found}, chosen)

    async def events(self, connection: Any) -> AsyncIterator[Any]:
        """Yield the events in order of time; the connection is in a transaction and gives raw times."""
        chosen, left = self.chosen, self.chosen.limit
        if left == 0:
            return
        if chosen.newest and left is not None:
            for event in await self._newest(connection, left):
                yield event
            return
        for window in await self._windows(connection):
            async for event in self._window(connection, window, left):
                yield event
                left = None if left is None else left - 1
            if left == 0:
                return

    async def _newest(self, connection: Any, limit: int) -> list[Any]:
        found: list[Any] = []
        for whole in reversed(await self._windows(connection)):
            end = whole.ts_to
            for back_s in (*_BACK_S, None):
                begin = whole.ts_from if back_s is None else max(whole.ts_from, whole.ts_to - back_s * 10**9)
                left = limit - len(found)
                part = [e async for e in self._window(connection, Window(begin, end), left, backwards=True)]
                found += part
                end = begin
                if len(found) >= limit or begin == whole.ts_from:
                    break
            if len(found) >= limit:
                break
        return found[::-1]

    async def _window(
        self, connection: Any, window: Window, limit: int | None, backwards: bool = False
    ) -> AsyncIterator[Any]:
        make, streams = event_of(self.table), self.streams
        arguments = [[*streams], raw_time(window.ts_from), raw_time(window.ts_to + 999)]
        low, high = window.ts_from, window.ts_to
        # The window is cut to microseconds, so a few rows more may come; the limit counts those that are wanted.
        count = 0
        async for row in connection.cursor(self.query(backwards), *arguments, prefetch=_FETCH):
            event = make(streams[row[0]], row)
            if low <= _time_of(event, self.table) < high:
                yield event
                count += 1
                if count == limit:
                    return

    def query(self, backwards: bool = False) -> str:
        """Return the SELECT in order of time: $1 the streams, $2 and $3 the window."""
        return f"{self.unordered()} ORDER BY {in_order(self.table, 'DESC' if backwards else 'ASC')}"

    def unordered(self) -> str:
        """Return the SELECT without an order."""
        found = within(self.schema, self.table, "$2", "$3", "$1")
        return f"SELECT {columns_of(self.table)} FROM ({' UNION ALL '.join(found)}) t"

    async def _windows(self, connection: Any) -> list[Window]:
        """Return the times of the partitions, and of rows beside them, that the selection meets; in order."""
        chosen, table = self.chosen, self.table
        ts_from = _FIRST if chosen.ts_from is None else chosen.ts_from
        ts_to = _LAST if chosen.ts_to is None else chosen.ts_to
        spans = set(await spans_of(connection, self.schema, table))
        if table.near:  # by receipt: what the exchange dated may be a day off
            around = range(-SLACK_DAYS, SLACK_DAYS + 1)
            days = {span.start + timedelta(days=n) for span in spans for n in around}
            spans = {Span.of((day - date(1970, 1, 1)).days, "day") for day in days}
        if table.undated:
            found = await connection.fetch(
                f"SELECT DISTINCT (ts_recv AT TIME ZONE 'UTC')::date FROM {self.schema}.{table.beside} "
                "WHERE stream = ANY ($1)", [*self.streams],
            )  # fmt: skip
            spans |= {Span.of((row[0] - date(1970, 1, 1)).days, table.period) for row in found}
        windows = [
            Window(max(ts_from, _ns(span.start)), min(ts_to, _ns(span.end)))
            for span in sorted(spans, key=lambda span: span.start)
        ]
        return [window for window in windows if window.ts_from < window.ts_to]


async def spans_of(connection: Any, schema: str, table: Table) -> list[Span]:
    """Return the spans of a table's partitions, rows and blocks, in order of time."""
    found = await connection.fetch(
        "SELECT DISTINCT substring(relname FROM '[0-9]+$') FROM pg_class WHERE relnamespace = to_regnamespace($1) "
        "AND relkind = 'r' AND relname ~ $2",
        schema, f"^(stored|packed)_{table.view}_[0-9]{{6,8}}$",
    )  # fmt: skip
    return sorted([Span.named(row[0]) for row in found], key=lambda span: span.start)


def in_order(table: Table, direction: str = "ASC") -> str:
    """Return the ORDER BY terms over `t` that put a table's rows in order of time, those of one time by KEY."""
    times = ("t.open_time",) if table.time == "open_time" else (
        "coalesce(t.ts_event, t.ts_recv)", "CASE WHEN t.ts_event IS NULL THEN t.recv_ns ELSE t.event_ns END"
    )  # fmt: skip
    keys = [f"t.{name}" for columns in table.key.values() for name in columns if name not in ("stream", table.time)]
    return ", ".join([f"{name} {direction}" for name in (*times, *keys, "t.stream")])


def _time_of(event: Any, table: Table) -> int:
    if table.time == "open_time":
        return int(event.open_time)
    return int(event.ts_recv if event.ts_event is None else event.ts_event)


def _ns(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9


def streams_clause(chosen: Selection) -> tuple[str, Sequence[Any]]:
    """Return the condition on `streams` that a selection makes, and its arguments."""
    wanted = {"exchange": chosen.exchange, "symbol": chosen.symbol, "part": chosen.interval}
    given = {name: value for name, value in wanted.items() if value is not None}
    condition = " AND ".join([f"{name} = ${number}" for number, name in enumerate(given, start=1)])
    return condition or "true", [*given.values()]
