"""Where OKX keeps the past: one class per endpoint, that asks for a part of a hole and reads the answer.

Pure: what is asked next is the business of `jrr_core.backfill`. Answers come
newest first and may be of any age (caches), so each request is for so few
numbers that all fit one answer, and for one more behind them: what is listed
proves all below it. Rows of trades are single fills, whichever stream lacks
them.
"""

from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

from jrr_core.backfill import Backfill, Refusal
from jrr_core.endpoints import Answer, CandlesByTime, Endpoint, FundingByTime, TradesById
from jrr_core.frame import Frame, Hole, HttpGet, Request

from . import messages
from .products import (
    BAR_OF,
    CANDLES_POOL,
    FUNDING_HISTORY_POOL,
    HISTORY_CANDLES_POOL,
    HISTORY_TRADES_POOL,
    MOST_LATEST_CANDLES,
    TRADES_POOL,
)
from .refusal import refusal, refusal_if_any

_MS = 1_000_000
# Docs, "Get trades", "Get trades history", "Get candlesticks", "Get funding rate history": most rows of an answer.
_MOST_TRADES = 500
_MOST_OLD_TRADES = 100
_MOST_CANDLES = 300
_MOST_RATES = 400
# Docs, "Error code > General class": service unavailable, endpoint timed out, too many requests, system busy
# twice; "System is busy, please try again later".
_BUSY = frozenset({"50001", "50004", "50011", "50013", "50026"})
# What stands before OKX refuses bursts with it; later the same request passes.
_REFUSED_FOR_NOW = 403


class _At:
    """What all endpoints here have: a path, the pool it is charged to, and the address that serves it."""

    name: ClassVar[str]
    older: ClassVar[str | None] = None
    pool: ClassVar[str]

    def __init__(self, rest_url: str) -> None:
        self._rest_url = rest_url

    def _get(self, hole: Hole, query: str) -> HttpGet:
        return HttpGet(f"{self._rest_url}{self.name}?instId={quote(hole.symbol)}&{query}", "", 1, self.pool)


class OldTrades(_At, TradesById):
    """Fills by id, of the last three months."""

    name: ClassVar[str] = "/api/v5/market/history-trades"
    pool: ClassVar[str] = HISTORY_TRADES_POOL
    most: ClassVar[int] = _MOST_OLD_TRADES - 1

    def request(self, hole: Hole) -> HttpGet:
        """`after` is exclusive, and means older."""
        window = self.window(hole)
        return self._get(hole, f"type=1&after={window[-1] + 2}&limit={len(window) + 1}")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read fills."""
        found = messages.trades(hole.symbol, hole.id_space, frame.payload, frame.ts_recv)
        return self.answer(hole, [(messages.whole(trade.trade_id), trade) for trade in found])


class LatestTrades(OldTrades):
    """The newest fills, which cannot be chosen."""

    name: ClassVar[str] = "/api/v5/market/trades"
    older: ClassVar[str | None] = OldTrades.name
    pool: ClassVar[str] = TRADES_POOL
    most: ClassVar[int] = _MOST_TRADES

    def request(self, hole: Hole) -> HttpGet:
        """As many as there are."""
        return self._get(hole, f"limit={self.most}")


class OldCandles(_At, CandlesByTime):
    """Closed candles by time, years back (1s: three months)."""

    name: ClassVar[str] = "/api/v5/market/history-candles"
    pool: ClassVar[str] = HISTORY_CANDLES_POOL
    most: ClassVar[int] = _MOST_CANDLES - 1

    def request(self, hole: Hole) -> HttpGet:
        """`before` and `after` are exclusive, and mean newer and older."""
        window, bar = self.window(hole), BAR_OF.get(hole.channel.removeprefix("candle_"), "")
        newest, oldest = self.behind(hole, window[-1]) // _MS + 1, window[0] // _MS - 1
        return self._get(hole, f"bar={bar}&before={oldest}&after={newest}&limit={len(window) + 1}")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read candles, which say themselves whether they are closed."""
        interval = hole.channel.removeprefix("candle_")
        return self.answer(hole, messages.candles(hole.symbol, interval, frame.payload, frame.ts_recv))


class LatestCandles(OldCandles):
    """Candles of the last 1,440 intervals, from an endpoint that may be asked twice as often."""

    name: ClassVar[str] = "/api/v5/market/candles"
    older: ClassVar[str | None] = OldCandles.name
    pool: ClassVar[str] = CANDLES_POOL


class Funding(_At, FundingByTime):
    """Settled funding rates of the last three months."""

    name: ClassVar[str] = "/api/v5/public/funding-rate-history"
    pool: ClassVar[str] = FUNDING_HISTORY_POOL
    most: ClassVar[int] = _MOST_RATES

    def request(self, hole: Hole) -> HttpGet:
        """`before` and `after` are exclusive, and mean newer and older."""
        oldest, newest = hole.first // _MS - 1, self.window(hole)[-1] // _MS + 1000
        return self._get(hole, f"before={oldest}&after={newest}&limit={self.most}")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read settlements."""
        return self.answer(hole, messages.settlements(hole.symbol, frame.payload, frame.ts_recv))


def backfill(rest_url: str, ask: Callable[[Request], None], replay: bool) -> Backfill:
    """Return the way to OKX's past; `ask` takes requests, of which a replay makes none."""
    rest_url = rest_url.rstrip("/")
    endpoints: tuple[Endpoint, ...] = (
        LatestTrades(rest_url), OldTrades(rest_url), LatestCandles(rest_url), OldCandles(rest_url), Funding(rest_url)
    )  # fmt: skip
    return Backfill(endpoints, _first, _refused, ask, replay)


def _first(hole: Hole) -> str | None:
    """Return the endpoint to ask first: the newest of its kind where it may have it all."""
    if hole.channel == "trade" and hole.id_space in (None, "fill"):
        return LatestTrades.name if hole.last - hole.first < _MOST_TRADES else OldTrades.name
    if hole.channel == "funding":
        return Funding.name
    if hole.channel.startswith("candle_") and hole.channel.removeprefix("candle_") in BAR_OF:
        return LatestCandles.name if hole.count <= MOST_LATEST_CANDLES else OldCandles.name
    return None


def _refused(frame: Frame) -> Refusal | None:
    refused = refusal(frame.payload) if frame.status == 200 else refusal_if_any(frame.payload)
    if frame.status == 200 and refused is None:
        return None
    reason = " ".join([f"HTTP {frame.status}"] * (frame.status != 200) + [str(refused)] * (refused is not None))
    for_now = frame.status == _REFUSED_FOR_NOW or (refused is not None and refused.code in _BUSY)
    return Refusal(reason, "again" if for_now else "never")
