"""Candles made from stored trades, by the server: one row comes back for each candle."""

from collections.abc import AsyncIterator
from typing import Any

from attrs import evolve

from jrr_core.candles import Interval, numbering
from jrr_core.events import Candle, Trade
from jrr_core.store import Selection

from .rows import ns_of, raw_time
from .scan import Scan, in_order
from .tables import TABLES

_TRADES = next(table for table in TABLES if table.event is Trade)
_WORDS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# How many candles are looked at for each one wanted, before looking further back: intervals without a trade have none.
_SPARE = 4
_FIRST, _LAST = -(2**62), 2**62


class Resampling:
    """The candles of one symbol in one interval."""

    def __init__(self, schema: str, exchange: str, symbol: str, interval: str) -> None:
        """Raises ConfigError for an interval that is none."""
        self._schema = schema
        self._exchange, self._symbol, self._interval = exchange, symbol, interval
        self._length = Interval.parse(interval)

    async def candles(self, connection: Any, chosen: Selection) -> AsyncIterator[Candle]:
        """Yield the candles that begin within the times chosen; the connection is in a transaction, with raw times."""
        trades = await Scan.of(connection, self._schema, _TRADES, Selection(self._exchange, self._symbol))
        scan = await self._one_numbering(connection, trades)
        if scan is None:
            return
        ts_from = None if chosen.ts_from is None else self._length.next_begin(chosen.ts_from)
        ts_to = None if chosen.ts_to is None else self._length.next_begin(chosen.ts_to)
        if chosen.newest and chosen.limit is not None:
            for candle in await self._newest(connection, scan, ts_from, ts_to, chosen.limit):
                yield candle
            return
        count = 0
        async for candle in self._between(connection, scan, ts_from, ts_to):
            if count == chosen.limit:
                return
            yield candle
            count += 1

    async def _one_numbering(self, connection: Any, scan: Scan) -> Scan | None:
        parts = {}
        for number, stream in scan.streams.items():
            first = evolve(scan, streams={number: stream}, chosen=evolve(scan.chosen, limit=1))
            if [event async for event in first.events(connection)]:
                parts[stream[2]] = {number: stream}
        return evolve(scan, streams=parts[numbering(parts)]) if parts else None

    async def _newest(
        self, connection: Any, scan: Scan, ts_from: int | None, ts_to: int | None, limit: int
    ) -> list[Candle]:
        last = evolve(scan, chosen=evolve(scan.chosen, ts_from=ts_from, ts_to=ts_to, limit=1, newest=True))
        ends = [trade async for trade in last.events(connection)]
        if not ends:
            return []
        end = self._length.end(self._length.begin(_time(ends[0])))
        back = _SPARE * limit * (self._length.end(end) - end)
        first = evolve(scan, chosen=evolve(scan.chosen, ts_from=ts_from, ts_to=ts_to, limit=1))
        begin = self._length.begin(min([_time(trade) async for trade in first.events(connection)]))
        while True:
            # The calendar has no years before 1, so how far back is measured before months are counted.
            start = self._length.begin(max(begin, end - back))
            found = [candle async for candle in self._between(connection, scan, start, end)]
            if len(found) >= limit or start == begin:
                return found[-limit:] if limit else []
            back *= _SPARE

    async def _between(
        self, connection: Any, scan: Scan, ts_from: int | None, ts_to: int | None
    ) -> AsyncIterator[Candle]:
        low, high = _FIRST if ts_from is None else ts_from, _LAST if ts_to is None else ts_to
        arguments = [[*scan.streams], raw_time(max(low, _OLDEST)), raw_time(min(high, _NEWEST))]
        async for row in connection.cursor(self.query(scan), *arguments, prefetch=1000):
            begin, recv, recv_ns, first, high, low, last, volume, count = row
            ts = ns_of(begin, 0)
            assert ts is not None
            yield Candle(
                self._exchange, self._symbol, None, ns_of(recv, recv_ns) or 0, self._interval, ts, None,
                first, high, low, last, volume, None, count, True,
            )  # fmt: skip

    def query(self, scan: Scan) -> str:
        """Return the SELECT of the candles: $1 the streams, $2 and $3 the times."""
        schema = self._schema
        ordered = (
            f"SELECT {self._bucket()} AS begin, t.* FROM ({scan.unordered()}) t ORDER BY begin, {in_order(_TRADES)}"
        )
        return (
            f"SELECT begin, {schema}.last(ts_recv), {schema}.last(recv_ns), {schema}.first(price), max(price), "
            f"min(price), {schema}.last(price), sum(amount), sum(count)::int "
            f"FROM ({ordered}) ordered GROUP BY begin ORDER BY begin"
        )

    def _bucket(self) -> str:
        count, unit = self._length.count, self._length.unit
        time = "coalesce(t.ts_event, t.ts_recv)"
        if unit != "M":
            origin = "1970-01-05" if unit == "w" else "1970-01-01"
            return f"date_bin('{count} {_WORDS[unit]}', {time}, '{origin} 00:00+00')"
        month = f"(extract(year FROM {time}) * 12 + extract(month FROM {time}) - 1)::int / {count} * {count}"
        return f"make_timestamptz(({month}) / 12, ({month}) % 12 + 1, 1, 0, 0, 0, 'UTC')"


# The times a timestamptz of the driver can hold and the calendar of the server has.
_OLDEST, _NEWEST = -62_000_000_000 * 10**9, 9_000_000_000 * 10**9


def _time(trade: Trade) -> int:
    return trade.ts_recv if trade.ts_event is None else trade.ts_event
