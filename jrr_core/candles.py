"""Candles made from trades: where an interval begins, and what the trades inside it come to.

Boundaries are UTC's: seconds to days count from 1970, weeks begin on Monday,
months with the calendar (3M are quarters). Used by stores that resample.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Context

from attrs import define

from .errors import ConfigError
from .events import Candle, Trade

_S = 10**9
_UNITS_NS = {"s": _S, "m": 60 * _S, "h": 3600 * _S, "d": 86_400 * _S, "w": 7 * 86_400 * _S}
_FIRST_MONDAY_NS = 4 * 86_400 * _S
# Sums of numbers of up to 30 digits a side, of which no digit may be lost.
_add = Context(prec=100).add
_form = re.compile(r"([1-9][0-9]{0,3})([smhdwM])").fullmatch


@define(frozen=True)
class Interval:
    """The length of a candle: `count` units of "s", "m", "h", "d", "w" or "M"."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Read "1s", "15m", "1w", "3M"; raises ConfigError for anything else."""
        match = _form(text)
        if match is None:
            raise ConfigError(f"{text!r} is not an interval; write for example 1s, 15m, 4h, 1d, 1w or 1M")
        return cls(int(match[1]), match[2])

    def begin(self, ts: int) -> int:
        """Return the beginning of the interval that holds `ts`; both int ns UTC."""
        if self.unit == "M":
            day = datetime.fromtimestamp(ts // _S, UTC)
            return _month((day.year * 12 + day.month - 1) // self.count * self.count)
        length, offset = self.count * _UNITS_NS[self.unit], _FIRST_MONDAY_NS if self.unit == "w" else 0
        return ts - (ts - offset) % length

    def end(self, begin: int) -> int:
        """Return where the interval that begins at `begin` ends, which is where the next one begins."""
        if self.unit == "M":
            day = datetime.fromtimestamp(begin // _S, UTC)
            return _month(day.year * 12 + day.month - 1 + self.count)
        return begin + self.count * _UNITS_NS[self.unit]

    def next_begin(self, ts: int) -> int:
        """Return the first beginning at or after `ts`."""
        begin = self.begin(ts)
        return begin if begin == ts else self.end(begin)


def step_of(text: str) -> Interval | None:
    """Return the interval of a candle channel, its offset from UTC left out; None for months, of no fixed length."""
    try:
        interval = Interval.parse(text.partition("@")[0])
    except ConfigError:
        return None
    return None if interval.unit == "M" else interval


def resampled(trades: Iterable[Trade], interval: str) -> Iterator[Candle]:
    """Yield the candles of one symbol's trades, given in order of time; intervals without a trade are left out.

    Only what trades tell is in them: `quote_volume` and `close_time` are
    None, `trade_count` counts the fills the exchange merged, `ts_recv` is the
    last trade's. Raises ConfigError for an interval that is none.
    """
    length = Interval.parse(interval)
    candle: Candle | None = None
    end = 0
    for trade in trades:
        ts = trade.ts_recv if trade.ts_event is None else trade.ts_event
        if candle is None or ts >= end:
            if candle is not None:
                yield candle
            begin = length.begin(ts)
            end = length.end(begin)
            candle = _first(trade, interval, begin)
            continue
        candle.high, candle.low, candle.close = max(candle.high, trade.price), min(candle.low, trade.price), trade.price
        candle.volume = _add(candle.volume, trade.amount)
        candle.trade_count = (candle.trade_count or 0) + trade.count
        candle.ts_recv = trade.ts_recv
    if candle is not None:
        yield candle


def numbering(spaces: Iterable[str | None]) -> str | None:
    """Return the one id space whose trades are to be summed, where a symbol's trades are stored in several.

    The plain ids where there are any, else the first by name: several
    numberings tell of the same trades.
    """
    found = set(spaces)
    return None if None in found or not found else min(space for space in found if space is not None)


def _first(trade: Trade, interval: str, begin: int) -> Candle:
    price = trade.price
    return Candle(
        trade.exchange, trade.symbol, None, trade.ts_recv, interval, begin, None,
        price, price, price, price, trade.amount, None, trade.count, True,
    )  # fmt: skip


def _month(number: int) -> int:
    """Return when the month `number`, counted from the year 0, begins."""
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()) * _S
