"""What a store claims of one stream: from its coverage, which times are whole and which are gaps.

Gaps that nearly touch are one here: what is missing at the seam may lie in
either, so they can only be counted together.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from attrs import Factory, define

from ..store import Range
from .comparison import SLACK_NS


@define(eq=False)
class Hole:
    """Gaps of a stream that nearly touch, and how many missing numbers of the truth were found in them."""

    ranges: list[Range] = Factory(list)
    missing: int = 0

    @property
    def claimed(self) -> int | None:
        """How many events the store says are missing, None where it does not know."""
        counts = [item.missing for item in self.ranges]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def span(self) -> tuple[int, int]:
        """From when to when, int ns UTC."""
        return self.ranges[0].ts_from, self.ranges[-1].ts_to


class Claims:
    """The coverage of one stream; times are compared with 100 ms of slack, in the store's favour."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        """Take the stream's ranges in any order."""
        self._ranges = sorted(ranges, key=lambda item: item.ts_from)
        self.holes: list[Hole] = []
        for item in self._ranges:
            if item.state != "gap":
                continue
            if not self.holes or item.ts_from > self.holes[-1].span[1] + 2 * SLACK_NS:
                self.holes.append(Hole())
            self.holes[-1].ranges.append(item)
        self._starts = [hole.span[0] for hole in self.holes]

    def __bool__(self) -> bool:
        """Whether the store says anything of the stream."""
        return bool(self._ranges)

    @property
    def span(self) -> tuple[int, int]:
        """From when to when the store says anything of the stream."""
        return self._ranges[0].ts_from, max(item.ts_to for item in self._ranges)

    def hole(self, times: Sequence[int]) -> Hole | None:
        """Return the gap in which one of an event's times lies; the first time counts for most."""
        for slack_ns in (0, SLACK_NS):
            for ts in times:
                at = bisect_right(self._starts, ts + slack_ns) - 1
                if at >= 0 and ts - slack_ns <= self.holes[at].span[1]:
                    return self.holes[at]
        return None

    def outside(self, ts: int) -> bool:
        """Whether an event lies before or behind all that the store speaks of: nothing is claimed there.

        What is said of a stream that was never heard of is nothing at all, so nothing lies outside of it.
        """
        if not self._ranges:
            return False
        start, end = self.span
        return ts < start or ts > end - SLACK_NS
