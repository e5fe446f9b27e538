"""The simulated OKX's candles: their bars, their rows, and the channel that pushes them."""

from collections.abc import Sequence

from jrr_core.events import Candle
from jrr_core.exact import plain
from jrr_core.testing import feed
from jrr_core.testing.market import MarketCandle
from jrr_core.wire import encode

from .products import EXCHANGE
from .simulated_feed import MS, S, Trading
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


class CandleFeed(feed.CandleFeed):
    """`candle<bar>`: the open candle once a second, the closed one once, together with its successor."""

    def __init__(self, channel: str, trading: Trading, interval: str, span: tuple[int, int], now_ns: int) -> None:
        super().__init__(trading.contract.symbol, trading.market, trading.truth, span[0], now_ns, span[1])
        self._head = encode({"channel": channel, "instId": self.symbol})
        self._contract = trading.contract
        self._interval = interval

    def event(self, candle: MarketCandle, now_ns: int) -> Candle:
        return candle_event(self._contract, self._interval, candle, now_ns)

    def text(self, candles: Sequence[tuple[MarketCandle, bool]], now_ns: int) -> str:
        rows = ",".join([encode(candle_row(self._contract, candle, closed)) for candle, closed in candles])
        return f'{{"arg":{self._head},"data":[{rows}]}}'
