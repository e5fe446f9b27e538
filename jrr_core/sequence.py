"""Sequence trackers: the rules by which exchanges number what they send, and what a break looks like.

Pure and per stream; parsers own one per stream and turn a Break into a Gap.
"""

from attrs import define


@define(frozen=True, weakref_slot=False)
class Break:
    """Something did not come.

    Dense ids: `first`..`last` are missing, `count` of them. Linked ids:
    `first` is the last one seen, `last` the one that should have been, and
    `count` is None, since nobody knows how many lay between.
    """

    first: int
    last: int
    count: int | None


class DenseIds:
    """Ids that go up by one: a trade id, an aggregate id, ranges of update ids.

    Out-of-order and repeated ids are normal (reconnects, equal timestamps)
    and are no break: an id at or below the highest seen is simply old.
    """

    __slots__ = ("last",)

    def __init__(self, last: int | None = None) -> None:
        """Start behind `last`, or anywhere."""
        self.last = last

    def take(self, first: int, last: int) -> Break | None:
        """Note that `first`..`last` came; return what is missing before them."""
        known = self.last
        if known is None:
            self.last = last
            return None
        if last <= known:
            return None
        self.last = last
        if first <= known + 1:
            return None
        return Break(known + 1, first - 1, first - 1 - known)


class LinkedIds:
    """Updates that each name the one before: `previous` must be the last one seen."""

    __slots__ = ("last",)

    def __init__(self, last: int | None = None) -> None:
        """Start behind `last`, or anywhere."""
        self.last = last

    def take(self, previous: int, sequence: int) -> Break | None:
        """Note that `sequence`, which continues `previous`, came; return the break before it."""
        known, self.last = self.last, sequence
        if known is None or previous == known:
            return None
        return Break(known, previous, None)
