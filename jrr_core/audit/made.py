"""Stored candles beside those that the stored trades make, where all trades of their time are there."""

from collections import deque

from attrs import evolve

from ..events import Candle, Trade
from ..store import Selection, Store
from .finding import StreamAudit
from .sums import Sums, Sure

_PAGE = 1000  # candles held at once
_CURE = "rely on the trades: `jrr query candles --from-trades` makes candles of them"


class Made:
    """The candles of one interval, compared as the trades of one numbering go by in order of time."""

    def __init__(self, store: Store, chosen: Selection, interval: str, result: StreamAudit) -> None:
        """Read candles of the selection's symbol and times, a page at a time; `result` is that of their stream."""
        self._store = store
        self._chosen = evolve(chosen, interval=interval, limit=_PAGE)
        self._sums = Sums(interval)
        self._page: deque[Candle] = deque()
        self._more = True
        self._result = result

    async def take(self, first: int, last: int, trade: Trade) -> None:
        """Take a trade that covers the ids `first`..`last`."""
        sure = self._sums.take(first, last, trade)
        if sure is not None:
            await self._compare(sure)

    async def end(self) -> None:
        """Compare what the last trades complete."""
        sure = self._sums.end()
        if sure is not None:
            await self._compare(sure)

    async def _compare(self, sure: Sure) -> None:
        while (candle := await self._next(sure.bucket.begin)) is not None:
            differences = sure.differences(candle) if candle.closed else None
            if differences is None:
                continue
            self._result.compared += 1
            if differences:
                end = candle.open_time + sure.bucket.end - sure.bucket.begin
                text = f"not what its trades make: {', '.join(differences)}"
                self._result.find("wrong candle", candle.open_time, end, text, _CURE, first=candle.open_time)

    async def _next(self, upto: int) -> Candle | None:
        """Return the next candle that begins at `upto` or before, None where there is none."""
        if not self._page and self._more:
            self._page.extend([candle async for candle in self._store.read(Candle, self._chosen)])
            self._more = len(self._page) == _PAGE
            if self._page:
                self._chosen = evolve(self._chosen, ts_from=self._page[-1].open_time + 1)
        return self._page.popleft() if self._page and self._page[0].open_time <= upto else None
