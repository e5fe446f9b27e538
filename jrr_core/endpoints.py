"""Where an exchange keeps the past: endpoints that give a part of a hole at a time, and what their answers tell.

Pure: what is asked next is the business of `backfill`. An exchange derives
its endpoints from the three kinds here and adds how to ask and how to read.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol

from attrs import define, evolve

from .events import Candle, FundingRate, Message, Trade
from .frame import Frame, Hole, HttpGet
from .pages import Grid

# The shortest time between two settlements of any exchange.
_HOUR_NS = 3600 * 10**9


@define(frozen=True)
class Answer:
    """What an answer says: its events, and the numbers of the hole it tells of, `known`, from the first on.

    Of these it lists `listed`; the others of `known` do not exist there.
    Listed numbers in `unused` bear no event. `settled` is how many of the
    missing are done with. `ts_reached` (int ns) is when the last of `known`
    happened: where the next request begins, for endpoints that go by time.
    """

    events: Sequence[Message]
    known: Sequence[int]
    listed: Sequence[int]
    settled: int
    unused: Sequence[int] = ()
    ts_reached: int | None = None


class Endpoint(Protocol):
    """One endpoint: its `name` in tags and logs, and the name of that which reaches further back, if there is one."""

    name: ClassVar[str]
    older: ClassVar[str | None]

    def request(self, hole: Hole) -> HttpGet:
        """Return the GET for the beginning of a hole, with pool and weight; its tag is filled in later."""

    def window(self, hole: Hole) -> Sequence[int]:
        """Return which numbers of the hole such a request asks for, ascending, never none."""

    def behind(self, hole: Hole, number: int) -> int:
        """Return the number behind the last one of a window."""

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read the answer to `request`; raises ParseError for what is none."""


class TradesById:
    """Trades in the order of their ids, at most `most` an answer, without a hole between the first and the last row."""

    most: ClassVar[int]

    def window(self, hole: Hole) -> Sequence[int]:
        """As many ids as an answer has room for."""
        return range(hole.first, min(hole.last, hole.first + self.most - 1) + 1)

    def behind(self, hole: Hole, number: int) -> int:
        """The next id."""
        return number + 1

    def answer(self, hole: Hole, rows: Iterable[tuple[int, Trade | None]]) -> Answer:
        """Return what (id, trade) rows in any order tell; None is an id used up without a trade."""
        found = sorted([row for row in rows if row[0] >= hole.first], key=lambda row: row[0])
        reached = min(hole.last, found[-1][0]) if found else hole.first - 1
        known = range(hole.first, reached + 1)
        inside = [row for row in found if row[0] <= reached]
        return Answer(
            [trade for _, trade in inside if trade is not None],
            known,
            [number for number, _ in inside],
            len(known),
            [number for number, trade in inside if trade is None],
        )


class TradesByTime(TradesById):
    """The same, asked for from a time on: for holes whose `ts_from` is known."""

    def answer(self, hole: Hole, rows: Iterable[tuple[int, Trade | None]]) -> Answer:
        """Return what rows tell, and when the last one that belongs to the hole happened."""
        found = list(rows)
        answer = super().answer(hole, found)
        last = answer.known[-1] if answer.known else None
        reached = [trade.ts_event for number, trade in found if number == last and trade is not None]
        return evolve(answer, ts_reached=reached[0] if reached else None)


class CandlesByTime:
    """Candles by open time, at most `most` an answer; from the first opening to the last close at most `span_ns`."""

    most: ClassVar[int]
    span_ns: int | None = None

    def window(self, hole: Hole) -> Sequence[int]:
        """As many open times as an answer has room for."""
        return Grid.of(hole.channel).times(hole, self.most, self.span_ns)

    def behind(self, hole: Hole, number: int) -> int:
        """The next open time."""
        return Grid.of(hole.channel).next(number)

    def answer(self, hole: Hole, candles: Iterable[Candle]) -> Answer:
        """Return what candles in any order tell: one still open is left out, and all before it is settled."""
        found = sorted(candles, key=lambda candle: candle.open_time)
        reached = max([candle.open_time if candle.closed else candle.open_time - 1 for candle in found], default=-1)
        window = self.window(hole)
        known = window[: bisect_right(window, reached)]
        closed = [candle for candle in found if candle.closed and hole.first <= candle.open_time <= window[-1]]
        return Answer(closed, known, [candle.open_time for candle in closed], len(known))


class FundingByTime:
    """Settled funding rates by time, at most `most` an answer."""

    most: ClassVar[int]

    def window(self, hole: Hole) -> Sequence[int]:
        """The bounds of what an answer has room for: settlements are an hour apart or more."""
        return sorted({hole.first, min(hole.last, hole.first + (self.most - 1) * _HOUR_NS)})

    def behind(self, hole: Hole, number: int) -> int:
        """Any later time."""
        return number + 1

    def answer(self, hole: Hole, rates: Iterable[FundingRate]) -> Answer:
        """Return what settlements tell: fewer than are missing say that the newest are not listed yet."""
        window = self.window(hole)
        inside = [rate for rate in rates if window[0] <= (rate.next_funding_time or 0) <= window[-1]]
        enough = len(inside) >= (hole.count if window[-1] == hole.last else 1)
        # Nobody knows when settlements were, so only those listed are settled.
        known = window if enough else ()
        return Answer(inside, known, known, len(inside))
