"""Where Binance keeps the past: one class per endpoint, that asks for a part of a hole and reads the answer.

Pure: what is asked next is the business of `backfill`. Answers are taken as
proof for what lies up to their highest number, since all of them ascend from
where they were asked to begin.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol
from urllib.parse import quote

from attrs import define

from jrr_core.events import Message
from jrr_core.frame import Frame, Hole
from jrr_core.pages import Grid

from . import past
from .products import Product

_MS = 1_000_000
# Of trades, aggregates, klines and funding rates alike (fact sheet of 2026-11-22, documentation).
MOST_ROWS = 1000
# The shortest time between two settlements.
_HOUR_NS = 3600 * 10**9


@define(frozen=True)
class Answer:
    """What an answer says: events, the `numbers` it lists, and up to which one it tells (-1: of none).

    Of the numbers, those in `unused` bear no event.
    """

    events: Sequence[Message]
    numbers: Sequence[int]
    reached: int
    unused: Sequence[int] = ()


class Source(Protocol):
    """One endpoint."""

    name: ClassVar[str]

    def weight(self, hole: Hole) -> tuple[str, int]:
        """Return the pool that is charged, and how much."""

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


class _Ids:
    """What endpoints that go by id have in common."""

    name: ClassVar[str]

    def __init__(self, product: Product) -> None:
        self._product = product

    def window(self, hole: Hole) -> Sequence[int]:
        return range(hole.first, min(hole.last, hole.first + MOST_ROWS - 1) + 1)

    def behind(self, hole: Hole, number: int) -> int:
        return number + 1

    def settled(self, known: Sequence[int], answer: Answer) -> int:
        return len(known)

    def query(self, hole: Hole) -> str:
        return f"symbol={quote(hole.symbol)}&fromId={hole.first}&limit={len(self.window(hole))}"

    def weight(self, hole: Hole) -> tuple[str, int]:
        return self._product.pool, self._product.trades_weight or 0


class OldTrades(_Ids):
    """Single trades by id: `historicalTrades`, without key on spot only."""

    name: ClassVar[str] = "historicalTrades"

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of trades."""
        rows = [row for row in past.read_old_trades(frame.payload) if row.id >= hole.first]
        inside = [row for row in rows if row.id <= hole.last]
        found = [past.old_trade(row, hole.symbol, self._product.exchange, frame.ts_recv) for row in inside]
        return Answer(
            [event for event in found if event is not None],
            [row.id for row in inside],
            max([row.id for row in rows], default=-1),
            [row.id for row, event in zip(inside, found, strict=True) if event is None],
        )


class LatestTrades(OldTrades):
    """The newest trades, `trades`: the market data host serves them, and it does not serve the old ones."""

    name: ClassVar[str] = "trades"

    def query(self, hole: Hole) -> str:
        """Ask for as many as there are: they cannot be chosen."""
        return f"symbol={quote(hole.symbol)}&limit={MOST_ROWS}"


class Aggregates(_Ids):
    """Aggregate trades by id: `aggTrades`; of the last 48 h on USD-M, 24 h on COIN-M."""

    name: ClassVar[str] = "aggTrades"

    def weight(self, hole: Hole) -> tuple[str, int]:
        """The same whatever the limit."""
        return self._product.pool, self._product.aggregates_weight

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of aggregates."""
        rows = [row for row in past.read_old_aggregates(frame.payload) if row.a >= hole.first]
        inside = [row for row in rows if row.a <= hole.last]
        found = [past.old_aggregate(row, hole.symbol, self._product.exchange, frame.ts_recv) for row in inside]
        return Answer(
            [event for event in found if event is not None],
            [row.a for row in inside],
            max([row.a for row in rows], default=-1),
            [row.a for row, event in zip(inside, found, strict=True) if event is None],
        )


class Candles:
    """Closed candles by time: `klines`.

    One more than the window is asked for: a row behind another proves it
    closed, whatever our clock says.
    """

    name: ClassVar[str] = "klines"

    def __init__(self, product: Product) -> None:
        """Take whose weights and limits count."""
        self._product = product

    def window(self, hole: Hole) -> Sequence[int]:
        """As many open times as an answer has rows, but for the one that proves the last closed."""
        return Grid.of(hole.channel).times(hole, MOST_ROWS - 1, self._product.candle_span_ns)

    def behind(self, hole: Hole, number: int) -> int:
        """The next open time."""
        return Grid.of(hole.channel).next(number)

    def settled(self, known: Sequence[int], answer: Answer) -> int:
        """All of them."""
        return len(known)

    def query(self, hole: Hole) -> str:
        """Times are UTC's also where the boundaries are not (`timeZone`)."""
        window, (interval, _, offset) = self.window(hole), hole.channel.removeprefix("candle_").partition("@")
        zone = f"&timeZone={quote(offset.removeprefix('+'))}" if offset else ""
        times = f"&startTime={window[0] // _MS}&endTime={self.behind(hole, window[-1]) // _MS}"
        return f"symbol={quote(hole.symbol)}&interval={interval}{times}&limit={len(window) + 1}{zone}"

    def weight(self, hole: Hole) -> tuple[str, int]:
        """More rows weigh more on futures."""
        return self._product.pool, self._product.candles_weight(len(self.window(hole)) + 1)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of candles; one still open is left out, and all before it is settled."""
        interval = hole.channel.removeprefix("candle_")
        found = [
            past.old_candle(row, hole.symbol, self._product.exchange, frame.ts_recv, interval)
            for row in past.read_old_candles(frame.payload)
        ]
        found.sort(key=lambda candle: candle.open_time)
        reached = found[-1].open_time if found else -1
        if found and (found[-1].close_time or 0) >= frame.ts_recv:
            reached -= 1
        last = min(self.window(hole)[-1], reached)
        closed = [candle for candle in found if hole.first <= candle.open_time <= last]
        return Answer(closed, [candle.open_time for candle in closed], reached)


class Funding:
    """Settled funding rates by time: `fundingRate`, futures only."""

    name: ClassVar[str] = "fundingRate"

    def __init__(self, product: Product) -> None:
        """Take whose weights and limits count."""
        self._product = product

    def window(self, hole: Hole) -> Sequence[int]:
        """The bounds of what an answer has room for: settlements are an hour apart or more."""
        end = min(hole.last, hole.first + (MOST_ROWS - 1) * _HOUR_NS)
        return sorted({hole.first, end})

    def behind(self, hole: Hole, number: int) -> int:
        """Any later time."""
        return number + 1

    def settled(self, known: Sequence[int], answer: Answer) -> int:
        """Only what is listed: nobody knows when settlements were."""
        return len(answer.events)

    def query(self, hole: Hole) -> str:
        """Settlements are listed a few ms late."""
        last = self.window(hole)[-1]
        return (
            f"symbol={quote(hole.symbol)}&startTime={hole.first // _MS}&endTime={last // _MS + 999}&limit={MOST_ROWS}"
        )

    def weight(self, hole: Hole) -> tuple[str, int]:
        """A budget of its own on USD-M."""
        return self._product.funding or ("", 0)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read rows of settlements; fewer than are missing say that the newest are not listed yet."""
        window = self.window(hole)
        rates = [
            past.settlement(row, hole.symbol, self._product.exchange, frame.ts_recv)
            for row in past.read_settlements(frame.payload)
        ]
        rates = [rate for rate in rates if window[0] <= (rate.next_funding_time or 0) <= window[-1]]
        enough = len(rates) >= (hole.count if window[-1] == hole.last else 1)
        return Answer(rates, window if enough else (), window[-1] if enough else -1)
