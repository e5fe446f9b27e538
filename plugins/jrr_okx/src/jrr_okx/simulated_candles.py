"""The simulated OKX's candles: their bars, their rows, and the channel that pushes them."""

from jrr_core.events import Candle
from jrr_core.exact import plain
from jrr_core.testing.market import MarketCandle
from jrr_core.wire import encode

from .products import EXCHANGE
from .simulated_feed import MS, Feed, S, Trading
from .simulated_listings import Contract

_MINUTE = 60 * S
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_UNITS = {"s": S, "m": _MINUTE, "H": _HOUR, "D": _DAY, "W": 7 * _DAY}
# The epoch was a Thursday, weeks begin on Monday.
_MONDAY = 4 * _DAY


def bar_span(bar: str) -> tuple[int, int] | None:
    """Return length and offset of a bar in ns; None for months, which have no fixed length."""
    utc = bar.endswith("utc")
    name = bar.removesuffix("utc")
    unit = _UNITS.get(name[-1])
    if unit is None:
        return None
    length = int(name[:-1]) * unit
    local = length >= 6 * _HOUR and not utc
    monday = _MONDAY if name[-1] == "W" else 0
    return length, monday - (8 * _HOUR if local else 0)


def candle_row(contract: Contract, candle: MarketCandle, closed: bool) -> list[str]:
    """Return a candle as pushes and REST list it: time, prices, the three volumes, and whether it is closed."""
    worth = contract.worth(candle.volume, candle.quote_volume)
    volume = worth if contract.value is None else contract.coins(candle.volume, candle.close)
    numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume, volume, worth)
    return [str(candle.open_time // MS), *(plain(number) for number in numbers), "1" if closed else "0"]


def candle_event(contract: Contract, interval: str, candle: MarketCandle, now_ns: int) -> Candle:
    """Return what the row of a closed candle means."""
    return Candle(
        EXCHANGE, contract.symbol, None, now_ns, interval, candle.open_time, None, candle.open, candle.high,
        candle.low, candle.close, candle.volume, contract.worth(candle.volume, candle.quote_volume), None, True,
    )  # fmt: skip


class CandleFeed(Feed):
    """`candle<bar>`: the open candle once a second, the closed one once, together with its successor.

    Each that closes is noted in the truth, also while nobody is subscribed: a
    client that was here once can fetch it.
    """

    every_ns = S

    def __init__(self, channel: str, trading: Trading, interval: str, span: tuple[int, int], now_ns: int) -> None:
        super().__init__(channel, trading)
        self._interval = interval
        self._span, self._offset = span
        open_ = trading.market.candle(self.symbol, self._span, now_ns, self._offset)
        self._closed = open_.open_time - 1
        self._resting = False

    def tick(self, now_ns: int, at_once: bool) -> None:
        market = self.trading.market
        closed = market.closed_candles(self.symbol, self._span, self._closed, now_ns, self._offset)
        if closed:
            self._closed = closed[-1].open_time
            for candle in closed:
                self.trading.truth.record(self._event(candle, now_ns))
        if self.peers and (closed or now_ns - self.sent_ns >= self.every_ns):
            self._show(closed, now_ns)
        self._resting |= at_once

    def refresh(self, now_ns: int) -> None:
        # Once the market rests no candle may close any more: whoever comes then gets the last frame.
        if self._resting and self.last is not None:
            return
        self.tick(now_ns, False)
        self._show([], now_ns)

    def _show(self, closed: list[MarketCandle], now_ns: int) -> None:
        open_ = self.trading.market.candle(self.symbol, self._span, now_ns, self._offset)
        rows = [(candle, True) for candle in closed] + [(open_, False)]
        body = ",".join([encode(candle_row(self.trading.contract, candle, done)) for candle, done in rows])
        self.publish(f'"data":[{body}]', (), now_ns)

    def _event(self, candle: MarketCandle, now_ns: int) -> Candle:
        return candle_event(self.trading.contract, self._interval, candle, now_ns)
