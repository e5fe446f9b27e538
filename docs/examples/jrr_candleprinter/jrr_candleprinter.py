"""Candles for jrr, printed as they close: what live trades come to, interval by interval.

Keeps one open candle per stream and interval, never the trades themselves. The
clock is that of the trades, so a recorded market prints what the live one did.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Context
from typing import Any, ClassVar

from attrs import define, validators

from jrr_core.candles import Interval, resampled
from jrr_core.events import Candle, Trade
from jrr_core.exact import plain
from jrr_core.hookspecs import hookimpl
from jrr_core.setting import setting
from jrr_core.subscriber import Subscriber

NS_PER_S = 1_000_000_000
# Sums of numbers of up to 30 digits a side, of which no digit may be lost.
add = Context(prec=100).add


def _check_interval(_: Any, __: Any, text: str) -> None:
    Interval.parse(text)


@define(kw_only=True)
class CandlePrinterSettings:
    """Settings, read from `[subscribers.candleprinter]`."""

    interval: str = setting("1m", "Length of a candle: 1s, 15m, 4h, 1d, 1w, 1M.", validator=_check_interval)
    wait_s: float = setting(
        2.0, "Seconds after a candle's end in which late trades still count.", validator=validators.ge(0)
    )


@define
class Open:
    """A candle that can still change, and when its first and last trades were (int ns)."""

    candle: Candle
    first: int
    last: int

    def take(self, trade: Trade, ts: int) -> None:
        """Add a trade that was at `ts`; trades may come in any order."""
        candle = self.candle
        if ts < self.first:
            self.first, candle.open = ts, trade.price
        if ts >= self.last:
            self.last, candle.close = ts, trade.price
        candle.high, candle.low = max(candle.high, trade.price), min(candle.low, trade.price)
        candle.volume = add(candle.volume, trade.amount)
        candle.trade_count = (candle.trade_count or 0) + trade.count


class CandlePrinter:
    """Prints each candle once, `wait_s` after its end (a Subscriber).

    `late` counts the trades that came after that; they are in no candle.
    """

    name: ClassVar[str] = "candleprinter"
    Settings: ClassVar[type] = CandlePrinterSettings
    accepts: tuple[type, ...] = (Trade,)

    def __init__(self, settings: CandlePrinterSettings) -> None:
        """Start with no candle open."""
        self.late = 0
        self._text = settings.interval
        self._interval = Interval.parse(settings.interval)
        self._wait_ns = round(settings.wait_s * NS_PER_S)
        self._clocks: dict[str, int] = {}
        self._open: dict[tuple[int, str, str, str], Open] = {}

    async def notify(self, batch: Sequence[Trade]) -> None:
        """Add the trades to their candles, then print the candles that are over."""
        for trade in batch:
            self._take(trade)
        over = sorted([key for key in self._open if self._is_over(key[0], key[1])])
        for key in over:
            print(line(self._open.pop(key).candle, key[3]))

    def _take(self, trade: Trade) -> None:
        ts = trade.ts_recv if trade.ts_event is None else trade.ts_event
        begin = self._interval.begin(ts)
        if self._is_over(begin, trade.exchange):
            self.late += 1
            return
        # Numberings of one symbol tell of the same trades, so each has candles of its own.
        key = (begin, trade.exchange, trade.symbol, trade.id_space or "")
        if key in self._open:
            self._open[key].take(trade, ts)
        else:
            (candle,) = resampled([trade], self._text)
            self._open[key] = Open(candle, ts, ts)
        # No trade is later than its own arrival: a wrong date must not close what is open.
        self._clocks[trade.exchange] = max(min(ts, trade.ts_recv), self._clocks.get(trade.exchange, 0))

    def _is_over(self, begin: int, exchange: str) -> bool:
        """Whether nothing more is taken into the candle: a later trade of the exchange says so."""
        return self._interval.end(begin) + self._wait_ns <= self._clocks.get(exchange, 0)


def line(candle: Candle, id_space: str = "") -> str:
    """Return a candle as a line: when it began (UTC), whose it is, open, high, low, close, volume, trades."""
    began = datetime.fromtimestamp(candle.open_time // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")
    numbers = [plain(value) for value in (candle.open, candle.high, candle.low, candle.close, candle.volume)]
    stream = f"{candle.exchange} {candle.symbol}{id_space and '@' + id_space}"
    return f"{began} {stream} {candle.interval} {' '.join(numbers)} {candle.trade_count}"


jrr_api = "1.0"


@hookimpl
def jrr_subscribers() -> Iterable[type[Subscriber]]:
    """Hand the class over; jrr makes one with its settings."""
    return [CandlePrinter]
