"""Numbers that bear no event: the exchange said so while collecting, and the store keeps that it did."""

from collections.abc import Iterable, Iterator

from attrs import define, evolve

from ..coverage import NO_EVENT
from ..events import Backfilled
from ..store import Selection, Store
from .finding import Hole


@define(weakref_slot=False)
class _Said:
    """Of the numbers `first` to `last`, `count` bear no event."""

    first: int
    last: int
    count: int


class Unused:
    """The numbers of one stream that bear no event; `count` is how many of them were taken out of holes."""

    def __init__(self, said: Iterable[_Said]) -> None:
        """Take what was said."""
        self._said = list(said)
        self.count = 0

    @classmethod
    async def of(cls, store: Store, exchange: str, channel: str, symbol: str) -> "Unused":
        """Read what a store keeps of a stream."""
        said = []
        async for event in store.read(Backfilled, Selection(exchange, symbol)):
            if (event.what, event.reason) == (channel, NO_EVENT) and event.sequences:
                first, last = event.sequences
                # Without a count all of them, which were never told as missing.
                said.append(_Said(first, last, event.count or last - first + 1))
        return cls(said)

    def without(self, holes: Iterable[Hole], step: int = 1) -> Iterator[Hole]:
        """Yield the holes in which more is missing than these, `count` less by them; numbers are `step` apart."""
        for hole in holes:
            left = hole.count or 0
            for said in self._said:
                met = (min(hole.last, said.last) - max(hole.first, said.first)) // step + 1
                taken = max(0, min(left, said.count, met))
                said.count -= taken
                left -= taken
            self.count += (hole.count or 0) - left
            if left:
                yield evolve(hole, count=left)
