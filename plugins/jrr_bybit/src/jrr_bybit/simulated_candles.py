"""The simulated Bybit's candles: the topic that pushes them, and what they look like there and in REST."""

from collections.abc import Mapping, Sequence

from jrr_core.events import Candle
from jrr_core.exact import plain
from jrr_core.testing import feed
from jrr_core.testing.market import MarketCandle
from jrr_core.wire import encode

from .simulated_feeds import MS, S, Trading
from .simulated_listings import Contract

# The epoch was a Thursday, weeks begin on Monday.
WEEK_OFFSET_NS = 4 * 86_400 * S


class CandleFeed(feed.CandleFeed):
    """`kline`: the open candle once a second, the closed one once, together with its successor."""

    def __init__(self, topic: str, trading: Trading, interval: str, native: str, span_ns: int, now_ns: int) -> None:
        """Begin with the open candle."""
        super().__init__(
            trading.symbol, trading.market, trading.truth, span_ns, now_ns, WEEK_OFFSET_NS * (native == "W")
        )
        self._topic = topic
        self._trading = trading
        self._interval = interval
        self._native = native

    def event(self, candle: MarketCandle, now_ns: int) -> Candle:
        """Return what a closed candle means."""
        return candle_event(self._trading, self._interval, candle, now_ns // MS * MS, now_ns)

    def text(self, candles: Sequence[tuple[MarketCandle, bool]], now_ns: int) -> str:
        """Return a push."""
        rows = [self._row(candle, closed, now_ns // MS) for candle, closed in candles]
        return encode({"topic": self._topic, "data": rows, "ts": now_ns // MS, "type": "snapshot"})

    def _row(self, candle: MarketCandle, closed: bool, ms: int) -> Mapping[str, object]:
        open_, high, low, close, volume, turnover = candle_numbers(self._trading.contract, candle)
        return {
            "start": candle.open_time // MS, "end": candle.close_time // MS - 1, "interval": self._native,
            "open": open_, "close": close, "high": high, "low": low, "volume": volume, "turnover": turnover,
            "confirm": closed, "timestamp": ms,
        }  # fmt: skip


def candle_numbers(contract: Contract, candle: MarketCandle) -> tuple[str, str, str, str, str, str]:
    """Return open, high, low, close, volume and turnover as pushes and REST have them."""
    worth = contract.worth(candle.volume, candle.quote_volume, candle.close)
    numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume, worth)
    open_, high, low, close, volume, turnover = (plain(number) for number in numbers)
    return open_, high, low, close, volume, turnover


def candle_event(trading: Trading, interval: str, candle: MarketCandle, ts_event: int | None, now_ns: int) -> Candle:
    """Return what a closed candle means; REST tells no time of its own (`ts_event` None)."""
    product = trading.contract.product
    return Candle(
        product.exchange, trading.symbol, ts_event, now_ns, interval, candle.open_time, candle.close_time - MS,
        candle.open, candle.high, candle.low, candle.close, candle.volume,
        candle.quote_volume if product.quoted_turnover else None, None, True,
    )  # fmt: skip
