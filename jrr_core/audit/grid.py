"""Closed candles of one interval as a grid: one begins where the one before ends, or candles are missing."""

from ..candles import Interval
from ..errors import ConfigError
from ..events import Candle
from .finding import Hole

# A candle arrives this much after it closes, at the latest.
_ARRIVAL_NS = 2 * 10**9


def step_of(interval: str) -> int | None:
    """Return how long every candle of an interval is, ns; None for months, which differ, and for what is none.

    A zone behind it ("1d@+08:00") moves the grid and keeps its step.
    """
    try:
        length = Interval.parse(interval.partition("@")[0])
    except ConfigError:
        return None
    return None if length.unit == "M" else length.end(0)


class Grid:
    """The candles of one stream, given in order of their beginnings."""

    __slots__ = ("_last", "step")

    def __init__(self, step: int) -> None:
        """Start anywhere; `step` is how long each candle is, ns."""
        self.step = step
        self._last: int | None = None

    def take(self, candle: Candle) -> Hole | None:
        """Take the next closed candle; return what is missing before it, numbered by open times."""
        last, self._last = self._last, candle.open_time
        if last is None or candle.open_time - last <= self.step:
            return None
        count = (candle.open_time - last - 1) // self.step
        first = last + self.step
        # The last one missing closes when the next one, which is there, begins.
        return Hole(first, candle.open_time + _ARRIVAL_NS, first, first + (count - 1) * self.step, count)
