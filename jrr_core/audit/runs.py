"""Numbers that go up by one, as runs without a hole, whatever order they come in."""

from bisect import bisect_right
from collections.abc import Iterator

from attrs import define

from .finding import Hole, Span

# More holes than this, and the numbering is not what the connector says: memory stays bounded.
MOST = 100_000


@define(weakref_slot=False)
class _Run:
    """The numbers `first`..`last` are all there; `begun` is the time of the first, `ended` of the last."""

    first: int
    last: int
    begun: int
    ended: int


class Runs:
    """The numbers of one stream that are there. Memory grows with its holes, not with its rows."""

    __slots__ = ("_firsts", "_runs", "example", "scattered", "twice")

    def __init__(self) -> None:
        """Start with none."""
        self._runs: list[_Run] = []
        self._firsts: list[int] = []
        self.twice = 0
        """How many numbers came again."""
        self.example: tuple[int, int] | None = None
        """The first number that came again, and when."""
        self.scattered = False
        """Whether there were too many holes to keep; then nothing else here means anything."""

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, first: int, last: int, when: Span) -> None:
        """Take the numbers `first`..`last` of a row of this time."""
        runs = self._runs
        if runs and runs[-1].last == first - 1:
            runs[-1].last, runs[-1].ended = last, when.early
            return
        if self.scattered:
            return
        start = bisect_right(self._firsts, first)
        if start and runs[start - 1].last >= first - 1:
            start -= 1
        new, end = _Run(first, last, when.late, when.early), start
        while end < len(runs) and runs[end].first <= last + 1:
            self._join(new, runs[end], first, last, when)
            end += 1
        runs[start:end] = [new]
        self._firsts[start:end] = [new.first]
        self.scattered = len(runs) > MOST

    def holes(self) -> Iterator[Hole]:
        """Yield what is missing between the lowest number and the highest."""
        for before, after in zip(self._runs, self._runs[1:], strict=False):
            first, last = before.last + 1, after.first - 1
            yield Hole(min(before.ended, after.begun), max(before.ended, after.begun), first, last, last - first + 1)

    def _join(self, new: _Run, known: _Run, first: int, last: int, when: Span) -> None:
        again = min(last, known.last) - max(first, known.first) + 1
        if again > 0:
            self.twice += again
            self.example = self.example or (max(first, known.first), when.early)
        if known.first < new.first:
            new.first, new.begun = known.first, known.begun
        if known.last > new.last:
            new.last, new.ended = known.last, known.ended
