"""Where Bybit keeps the past: candles and settled funding, by time, newest first.

Pure: what is asked next is the business of `jrr_core.backfill`. Trades have no
past here: ids do not count, and /v5/market/recent-trade gives the newest few
without pages.
"""

from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

from jrr_core.backfill import Backfill, Refusal
from jrr_core.endpoints import Answer, CandlesByTime, FundingByTime
from jrr_core.frame import Frame, Hole, HttpGet, Request
from jrr_core.wire import Struct, decoder

from . import messages
from .products import MOST_CANDLES, MOST_RATES, NATIVE_INTERVALS, POOL, Product

_MS = 1_000_000
# Docs, "Error codes": too many visits; server timeout, server error.
_BUSY = frozenset({10006, 10018, 10000, 10016})
# Docs, "Rate limit": what an IP gets that asked too often; it passes.
_TOO_FREQUENT = 403


class _At:
    """What both endpoints have: a path of the product's category."""

    name: ClassVar[str]
    older: ClassVar[str | None] = None

    def __init__(self, product: Product, rest_url: str) -> None:
        self._product = product
        self._rest_url = rest_url

    def _get(self, hole: Hole, query: str) -> HttpGet:
        place = f"category={self._product.category}&symbol={quote(hole.symbol)}"
        return HttpGet(f"{self._rest_url}{self.name}?{place}&{query}", "", 1, POOL)


class Candles(_At, CandlesByTime):
    """Candles by open time, years back."""

    name: ClassVar[str] = "/v5/market/kline"
    most: ClassVar[int] = MOST_CANDLES - 1

    def request(self, hole: Hole) -> HttpGet:
        """`start` and `end` are inclusive; one candle more is asked for, which proves those below it."""
        window, native = self.window(hole), NATIVE_INTERVALS.get(hole.channel.removeprefix("candle_"), "")
        start, end = window[0] // _MS, self.behind(hole, window[-1]) // _MS
        return self._get(hole, f"interval={native}&start={start}&end={end}&limit={len(window) + 1}")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read candles, closed by the time of the answer."""
        interval = hole.channel.removeprefix("candle_")
        return self.answer(
            hole, messages.past_candles(self._product, hole.symbol, interval, frame.payload, frame.ts_recv)
        )


class Funding(_At, FundingByTime):
    """Settled funding rates."""

    name: ClassVar[str] = "/v5/market/funding/history"
    most: ClassVar[int] = MOST_RATES

    def request(self, hole: Hole) -> HttpGet:
        """`startTime` and `endTime` are inclusive."""
        window = self.window(hole)
        return self._get(hole, f"startTime={hole.first // _MS}&endTime={window[-1] // _MS}&limit={self.most}")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read settlements."""
        return self.answer(hole, messages.settlements(self._product, hole.symbol, frame.payload, frame.ts_recv))


class _Head(Struct, rename="camel"):
    """`{"retCode":0,"retMsg":"OK","result":{..},"retExtInfo":{},"time":1672211918471}`."""

    ret_code: int
    ret_msg: str = ""


_head = decoder(_Head)


def backfill(product: Product, rest_url: str, ask: Callable[[Request], None], replay: bool) -> Backfill:
    """Return the way to a product's past; `ask` takes requests, of which a replay makes none."""
    rest_url = rest_url.rstrip("/")
    endpoints = Candles(product, rest_url), Funding(product, rest_url)
    return Backfill(endpoints, lambda hole: _first(product, hole), _refused, ask, replay)


def _first(product: Product, hole: Hole) -> str | None:
    if hole.channel == "funding" and product.derivative:
        return Funding.name
    return Candles.name if hole.channel.removeprefix("candle_") in NATIVE_INTERVALS else None


def _refused(frame: Frame) -> Refusal | None:
    if frame.status != 200:
        return Refusal(f"HTTP {frame.status}", "again" if frame.status == _TOO_FREQUENT else "never")
    head = _head(frame.payload)
    if head.ret_code == 0:
        return None
    return Refusal(f"{head.ret_code}: {head.ret_msg}", "again" if head.ret_code in _BUSY else "never")
