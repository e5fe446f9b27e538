"""Where Gate keeps the past: candles and settled funding, by time, oldest first.

Pure: what is asked next is the business of `jrr_core.backfill`. Trade ids of a
market leave most out on spot, where all pairs share them, and nothing is
documented of futures, so trades are not asked for.
"""

from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

from jrr_core.backfill import Backfill, Refusal
from jrr_core.endpoints import Answer, CandlesByTime, FundingByTime
from jrr_core.errors import ParseError
from jrr_core.frame import Frame, Hole, HttpGet, Request
from jrr_core.wire import Struct, decoder

from . import candles, messages
from .frames import NS_PER_S
from .products import API, FUNDING_PATH, INTERVALS, MOST_CANDLES, MOST_RATES, Product


class _At:
    """What both endpoints have: a path, and the product's headers and budget."""

    older: ClassVar[str | None] = None

    def __init__(self, product: Product, rest_url: str) -> None:
        self._product = product
        self._rest_url = rest_url

    def _get(self, path: str, hole: Hole, query: str) -> HttpGet:
        product = self._product
        url = f"{self._rest_url}{API}{path}?{product.symbol_field}={quote(hole.symbol)}&{query}"
        return HttpGet(url, "", 1, product.exchange, headers=product.headers)


class Candles(_At, CandlesByTime):
    """Candles by open time."""

    name: ClassVar[str] = "candlesticks"
    most: ClassVar[int] = MOST_CANDLES - 1

    def request(self, hole: Hole) -> HttpGet:
        """`from` and `to` are inclusive; one candle more is asked for, which proves those below it."""
        window, interval = self.window(hole), hole.channel.removeprefix("candle_")
        bounds = f"from={window[0] // NS_PER_S}&to={self.behind(hole, window[-1]) // NS_PER_S}"
        return self._get(self._product.candles_path, hole, f"interval={interval}&{bounds}")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read candles."""
        interval = hole.channel.removeprefix("candle_")
        found = candles.past_candles(self._product, hole.symbol, interval, frame.payload, frame.ts_recv)
        return self.answer(hole, found)


class Funding(_At, FundingByTime):
    """Settled funding rates."""

    name: ClassVar[str] = "funding_rate"
    most: ClassVar[int] = MOST_RATES

    def request(self, hole: Hole) -> HttpGet:
        """`from` and `to` are inclusive."""
        bounds = f"from={hole.first // NS_PER_S}&to={self.window(hole)[-1] // NS_PER_S + 1}"
        return self._get(FUNDING_PATH, hole, f"{bounds}&limit={self.most}")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read settlements."""
        return self.answer(hole, messages.settlements(self._product, hole.symbol, frame.payload, frame.ts_recv))


class _Refused(Struct):
    """`{"label":"INVALID_CURRENCY_PAIR","message":".."}`."""

    label: str
    message: str = ""


_refusal = decoder(_Refused)


def backfill(product: Product, rest_url: str, ask: Callable[[Request], None], replay: bool) -> Backfill:
    """Return the way to a product's past; `ask` takes requests, of which a replay makes none."""
    endpoints = Candles(product, rest_url), Funding(product, rest_url)
    return Backfill(endpoints, lambda hole: _first(product, hole), _refused, ask, replay)


def _first(product: Product, hole: Hole) -> str | None:
    if hole.channel == "funding" and product.futures:
        return Funding.name
    return Candles.name if hole.channel.removeprefix("candle_") in INTERVALS else None


def _refused(frame: Frame) -> Refusal | None:
    if frame.status == 200:
        return None
    try:
        words = _refusal(frame.payload)
    except ParseError:
        return Refusal(f"HTTP {frame.status}")
    return Refusal(f"HTTP {frame.status}: {words.label} {words.message}".rstrip())
