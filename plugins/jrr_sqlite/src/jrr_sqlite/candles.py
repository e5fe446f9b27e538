"""Candles made from the stored trades, when they are asked for."""

import sqlite3
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import islice

from attrs import evolve

from jrr_core.candles import Interval, numbering, resampled
from jrr_core.events import Candle, Trade
from jrr_core.store import Selection

from .rows import made, market_events, streams
from .tables import TABLES

(_TRADES,) = [table for table in TABLES if table.event is Trade]


def resample(
    connection: sqlite3.Connection, exchange: str, symbol: str, interval: str, chosen: Selection
) -> Generator[Candle, None, None]:
    """Yield the candles that the stored trades of one numbering make, as `QueryStore.resample` promises."""
    length = Interval.parse(interval)
    start, end = [None if ts is None else length.next_begin(ts) for ts in (chosen.ts_from, chosen.ts_to)]
    trades = _Trades(connection, exchange, symbol, start, end)
    if chosen.limit is None or not chosen.newest:
        yield from islice(resampled(trades.read(), interval), chosen.limit)
    elif chosen.limit:
        yield from _newest(trades, interval, chosen.limit)


def _newest(trades: "_Trades", interval: str, count: int) -> Iterable[Candle]:
    """Return the last `count` candles, looking back ever further: nobody knows in which intervals there were trades."""
    last = trades.last()
    if last is None:
        return ()
    length, since, steps = Interval.parse(interval), last, count
    while True:
        for _ in range(steps):
            since = length.begin(since - 1)
        found = deque(resampled(trades.read(since), interval), count)
        if len(found) == count or not trades.any_before(since):
            return found
        steps *= 8


class _Trades:
    """The trades of one symbol and one numbering between two times."""

    def __init__(
        self, connection: sqlite3.Connection, exchange: str, symbol: str, start: int | None, end: int | None
    ) -> None:
        self._connection = connection
        self._chosen = Selection(exchange, symbol, start, end)
        spaces = {
            number: part
            for number, part in streams(connection, exchange, symbol).items()
            if connection.execute(f"SELECT 1 FROM {_TRADES.name} WHERE stream = ? LIMIT 1", (number,)).fetchone()
        }
        space = numbering(spaces.values())
        self._numbers = [number for number, part in spaces.items() if part == space]

    def read(self, since: int | None = None) -> Iterator[Trade]:
        """Yield them in order of time, from `since` on."""
        start = self._chosen.ts_from
        if since is not None and (start is None or since > start):
            start = since
        return self._made(evolve(self._chosen, ts_from=start))

    def last(self) -> int | None:
        """Return the time of the last one."""
        for trade in self._made(evolve(self._chosen, limit=1, newest=True)):
            return trade.ts_recv if trade.ts_event is None else trade.ts_event
        return None

    def any_before(self, ts: int) -> bool:
        """Whether there are any earlier than `ts`."""
        return any(True for _ in self._made(evolve(self._chosen, ts_to=ts, limit=1)))

    def _made(self, chosen: Selection) -> Iterator[Trade]:
        return made(Trade, market_events(self._connection, _TRADES, self._numbers, chosen))
