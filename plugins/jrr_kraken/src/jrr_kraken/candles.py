"""The candles of one symbol and interval: closed by the first frame of a later one, since Kraken marks none as closed.

Nothing is sent for an interval without trades: those between two candles on one
connection are told to be empty, so that nobody asks for them. The candle of a
quiet symbol closes with its next trade, however much later.
"""

from collections.abc import Callable, Sequence

from attrs import evolve

from jrr_core.events import Candle, Message
from jrr_core.frame import Absent, Hole

from .messages import NS_PER_S
from .products import INTERVALS


class CandleStream:
    """The candles of one topic on one connection; `tell` takes what is known to be empty."""

    def __init__(self, symbol: str, minutes: int, tell: Callable[[Absent], None]) -> None:
        """Start before the first candle."""
        self._symbol = symbol
        self._channel = f"candle_{INTERVALS[minutes]}"
        self._step = minutes * 60 * NS_PER_S
        self._tell = tell
        self._open: Candle | None = None

    def receive(self, candle: Candle) -> Sequence[Message]:
        """Return the candle, behind the one it closes; nothing for one that is over and was told."""
        last = self._open
        if last is not None and candle.open_time < last.open_time:
            return ()
        self._open = candle
        if last is None or candle.open_time == last.open_time:
            return (candle,)
        self._note_empty(last.open_time + self._step, candle.open_time - self._step)
        return evolve(last, closed=True, ts_recv=candle.ts_recv), candle

    def _note_empty(self, first: int, last: int) -> None:
        """Tell the intervals from `first` to `last` to be without trades."""
        if first <= last:
            count = (last - first) // self._step + 1
            self._tell(Absent(Hole(self._channel, self._symbol, None, first, last, count)))
