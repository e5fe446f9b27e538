"""Where Binance keeps the past: one class per endpoint, that asks for a part of a hole and reads the answer.

Pure: what is asked next is the business of `jrr_core.backfill`. Answers are
taken as proof for what lies up to their highest number, since all of them
ascend from where they were asked to begin.
"""

from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

from jrr_core.backfill import Backfill, Refusal
from jrr_core.endpoints import Answer, CandlesByTime, Endpoint, FundingByTime, TradesById
from jrr_core.frame import Frame, Hole, HttpGet, Request

from . import messages, past
from .products import Product

_MS = 1_000_000
# Of trades, aggregates, klines and funding rates alike (fact sheet of 2026-11-22, documentation).
_MOST_ROWS = 1000
# The firewall refuses bursts with it; later the same request passes.
_REFUSED_FOR_NOW = 403
# "Search window is restricted to recent 2 days": later parts of the hole may lie within them.
_TOO_OLD = -4166


class _OfProduct:
    """What all endpoints here have: a product whose weights and limits count, and the address that serves it."""

    name: ClassVar[str]
    older: ClassVar[str | None] = None
    most: ClassVar[int] = _MOST_ROWS

    def __init__(self, product: Product, url: str) -> None:
        self._product, self._url = product, url

    def _get(self, query: str, weight: int, pool: str) -> HttpGet:
        return HttpGet(f"{self._url}{self._product.api}/{self.name}?{query}", "", weight, pool)


class OldTrades(_OfProduct, TradesById):
    """Single trades by id: `historicalTrades`, without key on spot only."""

    name: ClassVar[str] = "historicalTrades"

    def request(self, hole: Hole) -> HttpGet:
        """From the first id on."""
        query = f"symbol={quote(hole.symbol)}&fromId={hole.first}&limit={len(self.window(hole))}"
        return self._get(query, self._product.trades_weight or 0, self._product.pool)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of trades."""
        exchange = self._product.exchange
        rows = past.read_old_trades(frame.payload)
        return self.answer(hole, [(row.id, past.old_trade(row, hole.symbol, exchange, frame.ts_recv)) for row in rows])


class LatestTrades(OldTrades):
    """The newest trades, `trades`: the market data host serves them, and it does not serve the old ones."""

    name: ClassVar[str] = "trades"
    older: ClassVar[str | None] = OldTrades.name

    def request(self, hole: Hole) -> HttpGet:
        """As many as there are: they cannot be chosen."""
        query = f"symbol={quote(hole.symbol)}&limit={self.most}"
        return self._get(query, self._product.trades_weight or 0, self._product.pool)


class Aggregates(_OfProduct, TradesById):
    """Aggregate trades by id: `aggTrades`; of the last 48 h on USD-M, 24 h on COIN-M."""

    name: ClassVar[str] = "aggTrades"

    def request(self, hole: Hole) -> HttpGet:
        """From the first id on; the weight is the same whatever the limit."""
        query = f"symbol={quote(hole.symbol)}&fromId={hole.first}&limit={len(self.window(hole))}"
        return self._get(query, self._product.aggregates_weight, self._product.pool)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of aggregates."""
        exchange = self._product.exchange
        rows = past.read_old_aggregates(frame.payload)
        found = [(row.a, past.old_aggregate(row, hole.symbol, exchange, frame.ts_recv)) for row in rows]
        return self.answer(hole, found)


class Candles(_OfProduct, CandlesByTime):
    """Closed candles by time: `klines`.

    One more than the window is asked for: a row behind another proves it
    closed, whatever our clock says.
    """

    name: ClassVar[str] = "klines"
    most: ClassVar[int] = _MOST_ROWS - 1

    def __init__(self, product: Product, url: str) -> None:
        """Take whose weights and limits count, and the address."""
        super().__init__(product, url)
        self.span_ns = product.candle_span_ns

    def request(self, hole: Hole) -> HttpGet:
        """Times are UTC's also where the boundaries are not (`timeZone`); more rows weigh more on futures."""
        window, (interval, _, offset) = self.window(hole), hole.channel.removeprefix("candle_").partition("@")
        zone = f"&timeZone={quote(offset.removeprefix('+'))}" if offset else ""
        times = f"&startTime={window[0] // _MS}&endTime={self.behind(hole, window[-1]) // _MS}"
        limit = len(window) + 1
        query = f"symbol={quote(hole.symbol)}&interval={interval}{times}&limit={limit}{zone}"
        return self._get(query, self._product.candles_weight(limit), self._product.pool)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of candles; of the last one only our clock can say whether it is closed."""
        interval = hole.channel.removeprefix("candle_")
        found = [
            past.old_candle(row, hole.symbol, self._product.exchange, frame.ts_recv, interval)
            for row in past.read_old_candles(frame.payload)
        ]
        if found:
            last = max(found, key=lambda candle: candle.open_time)
            last.closed = (last.close_time or 0) < frame.ts_recv
        return self.answer(hole, found)


class Funding(_OfProduct, FundingByTime):
    """Settled funding rates by time: `fundingRate`, futures only."""

    name: ClassVar[str] = "fundingRate"

    def request(self, hole: Hole) -> HttpGet:
        """Settlements are listed a few ms late; the budget is one of its own on USD-M."""
        times = f"startTime={hole.first // _MS}&endTime={self.window(hole)[-1] // _MS + 999}"
        pool, weight = self._product.funding or ("", 0)
        return self._get(f"symbol={quote(hole.symbol)}&{times}&limit={self.most}", weight, pool)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of settlements."""
        exchange = self._product.exchange
        rows = past.read_settlements(frame.payload)
        return self.answer(hole, [past.settlement(row, hole.symbol, exchange, frame.ts_recv) for row in rows])


def backfill(
    product: Product, rest_url: str, history_url: str, ask: Callable[[Request], None], replay: bool
) -> Backfill:
    """Return the way to the past of one product; `history_url` is the REST address that serves old trades."""
    endpoints: tuple[Endpoint, ...] = (
        LatestTrades(product, rest_url), OldTrades(product, history_url), Aggregates(product, rest_url),
        Candles(product, rest_url), Funding(product, rest_url),
    )  # fmt: skip

    def first(hole: Hole) -> str | None:
        return _first(product, hole, history_url != rest_url)

    return Backfill(endpoints, first, _refused, ask, replay)


def _first(product: Product, hole: Hole, old_elsewhere: bool) -> str | None:
    """Return the endpoint to ask first; where another host serves old trades, the newest cost one request here."""
    if hole.channel == "trade":
        if hole.id_space == "agg":
            return Aggregates.name
        if hole.id_space is not None or product.trades_weight is None:
            return None
        near = old_elsewhere and hole.last - hole.first < _MOST_ROWS
        return LatestTrades.name if near else OldTrades.name
    if hole.channel == "funding":
        return Funding.name if product.funding is not None else None
    interval, _, offset = hole.channel.removeprefix("candle_").partition("@")
    known = interval in product.intervals and (not offset or offset in product.candle_offsets)
    return Candles.name if known and hole.channel.startswith("candle_") else None


def _refused(frame: Frame) -> Refusal | None:
    if frame.status == 200:
        return None
    reason = f"HTTP {frame.status}: {messages.problem(frame.payload)}"
    if frame.status == _REFUSED_FOR_NOW:
        return Refusal(reason, "again")
    return Refusal(reason, "behind" if messages.problem_code(frame.payload) == _TOO_OLD else "never")
