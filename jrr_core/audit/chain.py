"""Book updates as a chain: each continues the one before, or something is missing between."""

from collections.abc import Iterable, Sequence

from ..events import BookDelta
from .finding import Hole, Span


class Chain:
    """The updates of one book, given in order of time; whole snapshots between them change nothing.

    An update may begin before the last one ended, for amounts are absolute.
    One that continues the last and has a lower number resets the count, as
    exchanges do in maintenance; any other lower number of a later time shows
    that the exchange counted anew while nobody listened.
    """

    __slots__ = ("_last", "_when")

    def __init__(self) -> None:
        """Start anywhere."""
        self._last: int | None = None
        self._when = Span(0, 0)

    @property
    def last(self) -> int | None:
        """The number of the last update."""
        return self._last

    def take(self, delta: BookDelta) -> Hole | None:
        """Take the next update; return what is missing before it."""
        last, when = self._last, Span.of(delta)
        hole = None
        if last is not None and not follows(delta, last):
            if delta.sequence <= last and when.early <= self._when.early:
                return None  # known, or out of order
            before = before_of(delta)
            hole = Hole(self._when.early, when.late, last + 1, delta.sequence if before is None else before, None)
        self._last, self._when = delta.sequence, when
        return hole


def before_of(delta: BookDelta) -> int | None:
    """Return the update that a delta is the change from, as far as the exchange tells."""
    if delta.previous_sequence is not None:
        return delta.previous_sequence
    return None if delta.first_sequence is None else delta.first_sequence - 1


def joins(delta: BookDelta, last: int) -> bool:
    """Whether a delta leads on from a snapshot that ends with update `last`; it may begin before it."""
    before = before_of(delta)
    return delta.sequence > last and (before is None or before <= last)


def follows(delta: BookDelta, last: int) -> bool:
    """Whether a delta continues update `last`; an exchange that tells no more than its number is believed.

    Where the exchange names the update before, it is that one and no other.
    """
    return delta.previous_sequence == last if delta.previous_sequence is not None else joins(delta, last)


def linked(deltas: Sequence[BookDelta], last: int | None) -> Iterable[BookDelta]:
    """Return deltas of one time in the order of their links, where they have links; stores give them by number."""
    if len(deltas) == 1 or any(delta.previous_sequence is None for delta in deltas):
        return deltas
    waiting, ordered = list(deltas), list[BookDelta]()
    while waiting:
        following = next((delta for delta in waiting if delta.previous_sequence == last), waiting[0])
        waiting.remove(following)
        ordered.append(following)
        last = following.sequence
    return ordered
