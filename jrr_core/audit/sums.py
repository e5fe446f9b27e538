"""What trades come to in the intervals of candles, where it is certain that they are all there."""

from decimal import Context, Decimal

from attrs import define

from ..candles import Interval
from ..events import Candle, Trade

# Sums of numbers of up to 30 digits a side, of which no digit may be lost.
_add = Context(prec=100).add


@define(weakref_slot=False)
class Bucket:
    """The trades of one interval, `begin` to `end` (int ns UTC, `end` exclusive): their ids and what they come to."""

    begin: int
    end: int
    low_id: int
    high_id: int
    open: Decimal
    close: Decimal
    high: Decimal
    low: Decimal
    ids: int = 0
    volume: Decimal = Decimal(0)
    count: int = 0
    ordinary: bool = True

    def add(self, first: int, last: int, trade: Trade) -> None:
        """Take a trade that covers the ids `first`..`last`."""
        self.ids += last - first + 1
        if first <= self.low_id:
            self.low_id, self.open = first, trade.price
        if last >= self.high_id:
            self.high_id, self.close = last, trade.price
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.volume = _add(self.volume, trade.amount)
        self.count += trade.count
        self.ordinary = self.ordinary and trade.kind is None

    def differences(self, candle: Candle) -> list[str]:
        """Return where a candle of this interval says something else, in words."""
        names = ("open", "high", "low", "close", "volume")
        told = [(name, getattr(candle, name), getattr(self, name)) for name in names]
        if candle.trade_count is not None:
            told.append(("trade_count", candle.trade_count, self.count))
        return [f"{name} {stored} where trades make {made}" for name, stored, made in told if stored != made]


@define(frozen=True, weakref_slot=False)
class Sure:
    """A bucket that holds every trade of its time; from `silent_from` up to its beginning there was no trade."""

    bucket: Bucket
    silent_from: int

    def differences(self, candle: Candle) -> list[str] | None:
        """Return where a candle that begins no later says something else, in words; None where nothing can be said."""
        if candle.open_time == self.bucket.begin:
            return self.bucket.differences(candle)
        if not self.silent_from <= candle.open_time < self.bucket.begin:
            return None
        return [f"volume {candle.volume} where there were no trades"] if candle.volume else []


class Sums:
    """The trades of one numbering in the intervals of one length, given in order of time.

    A bucket is sure where its ids have no hole, the one before ends with the
    id before its first, and the next one begins with the id after its last.
    """

    __slots__ = ("_before", "_current", "_length", "_middle")

    def __init__(self, interval: str) -> None:
        """Start without trades; raises ConfigError for an interval that is none."""
        self._length = Interval.parse(interval)
        self._before: Bucket | None = None
        self._middle: Bucket | None = None
        self._current: Bucket | None = None

    def take(self, first: int, last: int, trade: Trade) -> Sure | None:
        """Take a trade that covers the ids `first`..`last`; return the bucket that has become sure."""
        ts = trade.ts_event
        if ts is None:
            return None
        sure = None
        if self._current is None or ts >= self._current.end:
            sure = self.end()
            begin, price = self._length.begin(ts), trade.price
            self._current = Bucket(begin, self._length.end(begin), first, last, price, price, price, price)
        self._current.add(first, last, trade)
        return sure

    def end(self) -> Sure | None:
        """End the bucket that is filling: its ids are known now; return the one before, if that has become sure."""
        before, middle, current = self._before, self._middle, self._current
        self._before, self._middle, self._current = middle, current, None
        if before is None or middle is None or current is None:
            return None
        whole = middle.ids == middle.high_id - middle.low_id + 1
        if whole and middle.ordinary and (before.high_id + 1, middle.high_id + 1) == (middle.low_id, current.low_id):
            return Sure(middle, before.end)
        return None
