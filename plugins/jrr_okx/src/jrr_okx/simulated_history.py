"""What the simulated OKX's REST tells of the past: trades, candles and settled funding, page by page.

Pages come newest first. `after` asks for what is older than it, `before` for
what is newer, both exclusive; a page is the newest of what fits. All of it is
offered to the truth.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from jrr_core.testing.market import MarketCandle, MarketTrade

from .products import BARS
from .simulated_candles import bar_span, candle_event, candle_row
from .simulated_feed import MS, Trading
from .simulated_funding import settled_event, settled_row
from .simulated_trades import fill_row, offer_fill

Query = Mapping[str, str]
T = TypeVar("T")
# Docs, "Get candlesticks": the latest 1,440 bars.
_CANDLES_BACK = 1_440
# Docs, "Get funding rate history": three months, of which a page holds no more than this anyway.
_SETTLED_BACK = 400
_NEVER = 1 << 62


class Refusal(Exception):  # noqa: N818 - says what it is to the client
    """An error of OKX's: its code and message."""


def number(query: Query, name: str, default: int) -> int:
    """Return a parameter as a whole number, `default` where it was not sent or is empty; raises Refusal."""
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        raise Refusal("51000", f"Parameter {name} error")
    return int(text)


def latest_trades(trading: Trading, query: Query, as_of_ns: int) -> Sequence[object]:
    """Answer market/trades: the latest fills."""
    return _fills(trading, _traded(trading, as_of_ns)[-_most(query, 100, 500) :], as_of_ns)


def past_trades(trading: Trading, query: Query, as_of_ns: int) -> Sequence[object]:
    """Answer market/history-trades: pages by trade id (type 1), or by time with `after` alone (type 2)."""
    kind = query.get("type", "1")
    if kind not in ("1", "2"):
        raise Refusal("51000", "Parameter type error")
    limit, after, trades = _most(query, 100, 100), number(query, "after", _NEVER), _traded(trading, as_of_ns)
    if kind == "2":
        return _fills(trading, _page(trades, _traded_ms, 0, after, limit), as_of_ns)
    return _fills(trading, _page(trades, _trade_id, number(query, "before", 0), after, limit), as_of_ns)


def candles(trading: Trading, query: Query, as_of_ns: int) -> Sequence[object]:
    """Answer market/candles: the latest bars, the open one among them."""
    closed, span = _closed(trading, query, as_of_ns)
    open_ = trading.market.candle(trading.contract.symbol, span[0], as_of_ns, span[1])
    bars = [*closed, open_] if open_.open_time <= as_of_ns else closed
    return _bars(trading, query, bars[-_CANDLES_BACK:], as_of_ns)


def past_candles(trading: Trading, query: Query, as_of_ns: int) -> Sequence[object]:
    """Answer market/history-candles: closed bars, as far back as there are any."""
    return _bars(trading, query, _closed(trading, query, as_of_ns)[0], as_of_ns)


def settled_funding(trading: Trading, query: Query, as_of_ns: int) -> Sequence[object]:
    """Answer public/funding-rate-history."""
    if trading.contract.type != "SWAP":
        raise Refusal("51000", "Parameter instId error")
    period = trading.funding_ns
    last = as_of_ns // period * period
    times = [last - period * back for back in reversed(range(_SETTLED_BACK))]
    bounds = (number(query, "before", 0), number(query, "after", _NEVER), _most(query, 400, 400))
    page = _page(times, lambda ns: ns // MS, *bounds)
    for settled_ns in page:
        trading.truth.offer(settled_event(trading, settled_ns, as_of_ns))
    return [settled_row(trading, settled_ns) for settled_ns in reversed(page)]


def _traded(trading: Trading, as_of_ns: int) -> Sequence[MarketTrade]:
    trades = trading.market.trades(trading.contract.symbol, limit=_NEVER)
    return trades[: bisect_right(trades, as_of_ns, key=lambda trade: trade.ts)]


def _traded_ms(trade: MarketTrade) -> int:
    return trade.ts // MS


def _trade_id(trade: MarketTrade) -> int:
    return trade.trade_id


def _fills(trading: Trading, trades: Sequence[MarketTrade], now_ns: int) -> Sequence[object]:
    for trade in trades:
        offer_fill(trading, trade, now_ns)
    return [fill_row(trading, trade) for trade in reversed(trades)]


def _closed(trading: Trading, query: Query, as_of_ns: int) -> tuple[list[MarketCandle], tuple[int, int]]:
    """Return the bars that were closed by then, and length and offset of a bar."""
    bar = query.get("bar") or "1m"
    span = bar_span(bar) if bar in BARS else None
    if span is None:
        raise Refusal("51000", "Parameter bar error")
    closed = trading.market.closed_candles(trading.contract.symbol, span[0], -1, as_of_ns, span[1])
    return [candle for candle in closed if candle.close_time <= as_of_ns], span


def _bars(trading: Trading, query: Query, candles: Sequence[MarketCandle], as_of_ns: int) -> Sequence[object]:
    contract, interval = trading.contract, BARS[query.get("bar") or "1m"]
    bounds = (number(query, "before", 0), number(query, "after", _NEVER), _most(query, 100, 300))
    page = _page(candles, lambda candle: candle.open_time // MS, *bounds)
    for candle in page:
        if candle.close_time <= as_of_ns:
            trading.truth.offer(candle_event(contract, interval, candle, as_of_ns))
    return [candle_row(contract, candle, candle.close_time <= as_of_ns) for candle in reversed(page)]


def _most(query: Query, default: int, most: int) -> int:
    return max(1, min(number(query, "limit", default), most))


def _page(rows: Sequence[T], key: Callable[[T], int], before: int, after: int, limit: int) -> Sequence[T]:
    """Return the newest rows between the two, oldest first; `rows` ascend by `key`."""
    end = bisect_left(rows, after, key=key)
    start = bisect_left(rows, before + 1, key=key)
    return rows[max(start, end - limit) : end]
