"""What earlier runs left missing in a store, as the next run asks for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from attrs import define

from jrr_core.events import Backfilled, Gap
from jrr_core.sink import StreamKey
from jrr_core.store import EVERYTHING, Range, Selection
from jrr_core.unhealed import AGE_NS, candle_points, unhealed

S = 10**9
NOW = 10**6 * S


@define
class Kept:
    """A store that holds these words and ranges; what is chosen by is noted."""

    ranges: Sequence[Range]
    words: Sequence[Any]

    async def coverage(self) -> Sequence[Range]:
        return self.ranges

    async def read(self, type: type[Any], chosen: Selection = EVERYTHING) -> AsyncIterator[Any]:
        for event in self.words:
            if isinstance(event, type) and (chosen.ts_from or 0) <= event.ts_recv and event.symbol == chosen.symbol:
                yield event

    async def counts(self) -> Any:
        return {}


def told(first: int, last: int, at: int, step: int = 1) -> Gap:
    count = (last - first) // step + 1
    return Gap("x", "A", None, NOW - at * S, "trade", "s", "sequence", count, NOW - at * S - 5, NOW - at * S,
               (first, last))  # fmt: skip


def found(first: int, last: int, at: int, count: int | None = None) -> Backfilled:
    number = last - first + 1 if count is None else count
    return Backfilled("x", "A", None, NOW - at * S, "trade", "s", "fetched", number, None, None, (first, last))


def gap_range(at: int, missing: int | None, state: Any = "gap") -> Range:
    return Range("x", "trade", "A", NOW - at * S - 5, NOW - at * S, state, "sequence", missing)


def ask(ranges: Sequence[Range], *words: Any) -> list[tuple[tuple[int, int] | None, int | None]]:
    return [(gap.sequences, gap.count) for gap in asyncio.run(unhealed(Kept(ranges, words), NOW))]


def test_what_stands_is_returned_with_its_numbers() -> None:
    assert ask([gap_range(50, 3)], told(10, 12, 50)) == [((10, 12), 3)]


def test_a_gap_within_one_instant_is_returned_too() -> None:
    gap = told(10, 10, 50)
    gap.ts_from = gap.ts_to
    instant = Range("x", "trade", "A", NOW - 50 * S, NOW - 50 * S + 1, "gap", "sequence", 1)
    assert ask([instant], gap) == [((10, 10), 1)]


def test_what_has_been_found_since_is_left_out() -> None:
    assert ask([gap_range(50, 2)], told(10, 14, 50), found(11, 13, 40)) == [((10, 10), 1), ((14, 14), 1)]
    assert ask([gap_range(50, 1)], told(10, 12, 50), found(10, 11, 40), found(12, 12, 30)) == []


def test_what_was_found_without_saying_which_leaves_nothing_to_ask() -> None:
    assert ask([gap_range(50, 3)], told(10, 14, 50), found(10, 14, 40, count=2)) == []


def test_a_gap_that_coverage_no_longer_shows_or_cannot_size_is_left_alone() -> None:
    assert ask([gap_range(50, 0, "backfilled")], told(10, 12, 50)) == []
    assert ask([gap_range(50, None)], told(10, 12, 50)) == []
    assert ask([gap_range(90, 3)], told(10, 12, 50)) == []


def test_a_gap_too_old_to_be_given_out_is_left_alone() -> None:
    days = AGE_NS // S + 1
    assert ask([gap_range(days, 3)], told(10, 12, days)) == []


def test_candles_are_counted_by_their_step() -> None:
    first, last = 60 * S, 240 * S
    gap = told(first, last, 50, step=60 * S)
    assert ask([gap_range(50, 4)], gap, found(120 * S, 120 * S, 40)) == [((first, first), 1), ((180 * S, last), 2)]


def test_candles_that_had_not_closed_yet_are_missing_from_where_coverage_began() -> None:
    minute = 60 * S
    ranges = [
        Range("x", channel, "A", start * minute + 7, (start + 1) * minute, "complete")
        for channel, start in (("candle_1m", 10), ("candle_1m", 12), ("candle_5m", 11), ("candle_1M", 11),
                               ("candle_1d@+08:00", 11), ("trade", 11), ("candle_3m", 50))
    ]  # fmt: skip
    known = {StreamKey("x", "candle_5m", "A")}
    points = asyncio.run(candle_points(Kept(ranges, ()), known, 40 * minute))
    assert points == {StreamKey("x", "candle_1m", "A"): 9 * minute}
