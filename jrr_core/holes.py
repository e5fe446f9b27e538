"""Which numbers of a densely numbered stream have come, and which are missing.

Pure and per numbering. Numbers are trade ids, or open times of candles; each is
`step` behind the one before.
"""

from bisect import bisect_left, bisect_right

from attrs import define, evolve

# Holes remembered; the oldest are forgotten first, and stay what the ledger says of them.
_MOST_HOLES = 10_000


@define(eq=False, weakref_slot=False)
class Missing:
    """Numbers `first` to `last`, all of which were skipped and have not come since.

    `ts_from` and `ts_to` (int ns) are the times of what came before and
    behind when the hole was noticed, `ts_from` None where that is not known.
    `absent` is set once it is known that nobody will give them, `earlier`
    where another run noticed it.
    """

    first: int
    last: int
    ts_from: int | None
    ts_to: int
    absent: bool = False
    earlier: bool = False


class Numbers:
    """The numbers seen: everything from `bottom` to `top` but what is in `holes`; None before the first."""

    __slots__ = ("bottom", "holes", "step", "top")

    def __init__(self, step: int = 1) -> None:
        """Start with nothing seen."""
        self.step = step
        self.bottom: int | None = None
        self.top: int | None = None
        self.holes: list[Missing] = []

    def begin(self, first: int, last: int) -> None:
        """Begin, or begin anew, with `first` to `last`; what was missing before is forgotten."""
        self.bottom, self.top = first, last
        self.holes.clear()

    def count(self, first: int, last: int) -> int:
        """Return how many numbers there are from `first` to `last`."""
        return (last - first) // self.step + 1

    def skip(self, hole: Missing) -> None:
        """Note that the numbers of `hole` did not come."""
        self.holes.insert(bisect_right(self.holes, hole.first, key=_first), hole)
        if len(self.holes) > _MOST_HOLES:
            del self.holes[0]

    def hole_of(self, first: int, last: int) -> Missing | None:
        """Return the hole in which all of `first` to `last` are missing."""
        at = bisect_right(self.holes, first, key=_first) - 1
        return self.holes[at] if at >= 0 and last <= self.holes[at].last else None

    def fill(self, hole: Missing, first: int, last: int) -> list[Missing]:
        """Take `first` to `last`, which lie in it, out of the hole; return the pieces of it that stay."""
        rest = []
        if hole.first < first:
            rest.append(evolve(hole, last=first - self.step))
        if last < hole.last:
            rest.append(evolve(hole, first=last + self.step))
        at = bisect_left(self.holes, hole.first, key=_first)
        self.holes[at : at + 1] = rest
        return rest

    def lacking(self, first: int, last: int) -> list[Missing]:
        """Return the holes that meet `first` to `last`, lowest first."""
        at = bisect_right(self.holes, first, key=_first)
        begin = at - 1 if at and self.holes[at - 1].last >= first else at
        return self.holes[begin : bisect_right(self.holes, last, key=_first)]


def _first(hole: Missing) -> int:
    return hole.first
