"""Where OKX keeps the past: one class per endpoint, that asks for a part of a hole and reads the answer.

Pure: what is asked next is the business of `backfill`. Answers come newest
first and may be of any age (caches), so each request is for so few numbers
that all fit one answer, and for one more behind them: what is listed proves
all below it. Rows of trades are single fills, whichever stream lacks them.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol
from urllib.parse import quote

from attrs import define

from jrr_core.events import Message
from jrr_core.frame import Frame, Hole
from jrr_core.pages import Grid

from . import messages
from .products import (
    BAR_OF,
    CANDLES_POOL,
    FUNDING_HISTORY_POOL,
    HISTORY_CANDLES_POOL,
    HISTORY_TRADES_POOL,
    TRADES_POOL,
)

_MS = 1_000_000
# Docs, "Get trades", "Get trades history", "Get candlesticks", "Get funding rate history": most rows of an answer.
MOST_TRADES = 500
_MOST_OLD_TRADES = 100
_MOST_CANDLES = 300
_MOST_RATES = 400
# The shortest time between two settlements.
_HOUR_NS = 3600 * 10**9


@define(frozen=True)
class Answer:
    """What an answer says: events, the `numbers` it lists, and up to which one it tells (-1: of none)."""

    events: Sequence[Message]
    numbers: Sequence[int]
    reached: int


class Source(Protocol):
    """One endpoint: its `path`, the pool its requests are counted in, the endpoint to ask for what it lacks."""

    path: ClassVar[str]
    pool: ClassVar[str]
    older: ClassVar[str | None]

    def query(self, hole: Hole) -> str:
        """Return the parameters that ask for the beginning of a hole."""

    def window(self, hole: Hole) -> Sequence[int]:
        """Return which numbers such a request asks for."""

    def behind(self, hole: Hole, number: int) -> int:
        """Return the number behind the last one of a window."""

    def settled(self, known: Sequence[int], answer: Answer) -> int:
        """Return how many of the missing an answer settles that tells of `known`."""

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read the answer; raises ParseError."""


class OldTrades:
    """Fills by id, of the last three months."""

    path: ClassVar[str] = "/api/v5/market/history-trades"
    pool: ClassVar[str] = HISTORY_TRADES_POOL
    older: ClassVar[str | None] = None
    most: ClassVar[int] = _MOST_OLD_TRADES - 1

    def window(self, hole: Hole) -> Sequence[int]:
        """As many ids as an answer has rows, but for the one behind them."""
        return range(hole.first, min(hole.last, hole.first + self.most - 1) + 1)

    def behind(self, hole: Hole, number: int) -> int:
        """The next id."""
        return number + 1

    def settled(self, known: Sequence[int], answer: Answer) -> int:
        """All of them."""
        return len(known)

    def query(self, hole: Hole) -> str:
        """`after` is exclusive, and means older."""
        window = self.window(hole)
        return f"instId={quote(hole.symbol)}&type=1&after={window[-1] + 2}&limit={len(window) + 1}"

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read fills."""
        last = self.window(hole)[-1]
        found = messages.trades(hole.symbol, hole.id_space, frame.payload, frame.ts_recv)
        numbered = [(messages.whole(trade.trade_id), trade) for trade in found]
        inside = [(number, trade) for number, trade in numbered if hole.first <= number <= last]
        inside.sort(key=lambda pair: pair[0])
        reached = max([number for number, _ in numbered], default=-1)
        return Answer([trade for _, trade in inside], [number for number, _ in inside], reached)


class LatestTrades(OldTrades):
    """The newest fills, which cannot be chosen."""

    path: ClassVar[str] = "/api/v5/market/trades"
    pool: ClassVar[str] = TRADES_POOL
    older: ClassVar[str | None] = OldTrades.path
    most: ClassVar[int] = MOST_TRADES

    def query(self, hole: Hole) -> str:
        """Ask for as many as there are."""
        return f"instId={quote(hole.symbol)}&limit={MOST_TRADES}"


class OldCandles:
    """Closed candles by time, years back (1s: three months)."""

    path: ClassVar[str] = "/api/v5/market/history-candles"
    pool: ClassVar[str] = HISTORY_CANDLES_POOL
    older: ClassVar[str | None] = None

    def window(self, hole: Hole) -> Sequence[int]:
        """As many open times as an answer has rows, but for the one behind them."""
        return Grid.of(hole.channel).times(hole, _MOST_CANDLES - 1)

    def behind(self, hole: Hole, number: int) -> int:
        """The next open time."""
        return Grid.of(hole.channel).next(number)

    def settled(self, known: Sequence[int], answer: Answer) -> int:
        """All of them."""
        return len(known)

    def query(self, hole: Hole) -> str:
        """`before` and `after` are exclusive, and mean newer and older."""
        window, bar = self.window(hole), BAR_OF.get(hole.channel.removeprefix("candle_"), "")
        newest, oldest = self.behind(hole, window[-1]) // _MS + 1, window[0] // _MS - 1
        return f"instId={quote(hole.symbol)}&bar={bar}&before={oldest}&after={newest}&limit={len(window) + 1}"

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read candles; one still open is left out, and all before it is settled."""
        last = self.window(hole)[-1]
        interval = hole.channel.removeprefix("candle_")
        found = messages.candles(hole.symbol, interval, frame.payload, frame.ts_recv)
        found.sort(key=lambda candle: candle.open_time)
        closed = [candle for candle in found if candle.closed]
        reached = max([candle.open_time if candle.closed else candle.open_time - 1 for candle in found], default=-1)
        inside = [candle for candle in closed if hole.first <= candle.open_time <= last]
        return Answer(inside, [candle.open_time for candle in inside], reached)


class LatestCandles(OldCandles):
    """Candles of the last 1,440 intervals, from an endpoint that may be asked twice as often."""

    path: ClassVar[str] = "/api/v5/market/candles"
    pool: ClassVar[str] = CANDLES_POOL
    older: ClassVar[str | None] = OldCandles.path


class Funding:
    """Settled funding rates of the last three months."""

    path: ClassVar[str] = "/api/v5/public/funding-rate-history"
    pool: ClassVar[str] = FUNDING_HISTORY_POOL
    older: ClassVar[str | None] = None

    def window(self, hole: Hole) -> Sequence[int]:
        """The bounds of what an answer has room for: settlements are an hour apart or more."""
        return sorted({hole.first, min(hole.last, hole.first + (_MOST_RATES - 1) * _HOUR_NS)})

    def behind(self, hole: Hole, number: int) -> int:
        """Any later time."""
        return number + 1

    def settled(self, known: Sequence[int], answer: Answer) -> int:
        """Only what is listed: nobody knows when settlements were."""
        return len(answer.events)

    def query(self, hole: Hole) -> str:
        """`before` and `after` are exclusive, and mean newer and older."""
        oldest, newest = hole.first // _MS - 1, self.window(hole)[-1] // _MS + 1000
        return f"instId={quote(hole.symbol)}&before={oldest}&after={newest}&limit={_MOST_RATES}"

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read settlements; fewer than are missing say that the newest are not listed yet."""
        window = self.window(hole)
        rates = [
            rate
            for rate in messages.settlements(hole.symbol, frame.payload, frame.ts_recv)
            if window[0] <= (rate.next_funding_time or 0) <= window[-1]
        ]
        enough = len(rates) >= (hole.count if window[-1] == hole.last else 1)
        return Answer(rates, window if enough else (), window[-1] if enough else -1)
