"""The market's book of one symbol over time: what it was at each number the exchange gave it.

A stored book that bears a number can so be held against the market's at that
very number. Written by simulators while they run, so noting a change costs a
microsecond; asking replays the changes and is meant for numbers in ascending
order.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..book_side import Level

# Changes on one line of a truth file.
_LINE = 1_000
Side = dict[Decimal, Decimal]


class BookLog:
    """A first book and the changes since, each under the number that stands for the book with it.

    Numbers need not ascend (an exchange may begin anew), but no number stands
    for two books. Times are int ns UTC.
    """

    def __init__(self, sequence: int, ts: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Begin with the book at `sequence`."""
        self._first: tuple[Side, Side] = (dict(bids), dict(asks))
        self._sequences = array("q", [sequence])
        self._times = array("q", [ts])
        self._changes = [_text((), ())]
        self._places: dict[int, int] = {}
        self._placed = 0
        self._reached = 0
        self._bids, self._asks = self._first[0].copy(), self._first[1].copy()

    def __len__(self) -> int:
        """Return how many numbers are known."""
        return len(self._sequences)

    def change(self, sequence: int, ts: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Note that from `ts` on the book, with these levels (0 removes), is known as `sequence`."""
        self._sequences.append(sequence)
        self._times.append(ts)
        self._changes.append(_text(bids, asks))

    def at(self, sequence: int) -> tuple[tuple[Level, ...], tuple[Level, ...]] | None:
        """Return the bids and asks, best first, that bore the number; None if none did."""
        place = self._place(sequence)
        if place is None:
            return None
        if place < self._reached:
            self._reached, self._bids, self._asks = 0, self._first[0].copy(), self._first[1].copy()
        for change in self._changes[self._reached + 1 : place + 1]:
            for side, levels in zip((self._bids, self._asks), _levels(change), strict=True):
                for price, amount in levels:
                    if amount:
                        side[price] = amount
                    else:
                        side.pop(price, None)
        self._reached = place
        return tuple(sorted(self._bids.items(), reverse=True)), tuple(sorted(self._asks.items()))

    def outdated(self, sequence: int, ts: int, trail_ns: int = 0, rest: int | None = None) -> bool:
        """Whether the book had, `trail_ns` before `ts`, changed since it bore the number; True for one it never bore.

        Time in which the market stood still does not count: a machine too
        busy to run it does not send its updates either. From `rest` on all
        that was to be sent is sent.
        """
        place, behind = self._place(sequence), bisect_right(self._times, ts)
        alive = ts if rest is not None and ts >= rest else self._times[max(behind, 1) - 1]
        return place is None or place < bisect_right(self._times, alive - trail_ns) - 1

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """Return the log as JSON values, the first book in the first."""
        bids, asks = (_side(levels.items()) for levels in self._first)
        yield {"bids": bids, "asks": asks, **self._line(0, 1)}
        for start in range(1, len(self), _LINE):
            yield self._line(start, start + _LINE)

    @classmethod
    def begun(cls, line: Mapping[str, Any]) -> "BookLog":
        """Make a log of its first line; raises KeyError or ValueError for what is none."""
        ((sequence,), (ts,)) = line["sequences"], line["times"]
        return cls(sequence, ts, _pairs(line["bids"]), _pairs(line["asks"]))

    def extend(self, line: Mapping[str, Any]) -> None:
        """Take a further line; raises KeyError, TypeError or ValueError for what is none."""
        rows: Sequence[str] = line["changes"]
        if not len(rows) == len(line["sequences"]) == len(line["times"]):
            raise ValueError("as many changes as sequences and times are needed")
        self._sequences.extend(line["sequences"])
        self._times.extend(line["times"])
        self._changes.extend(rows)

    def _line(self, start: int, end: int) -> dict[str, Any]:
        return {
            "sequences": list(self._sequences[start:end]), "times": list(self._times[start:end]),
            "changes": self._changes[start:end],
        }  # fmt: skip

    def _place(self, sequence: int) -> int | None:
        for place in range(self._placed, len(self)):
            self._places[self._sequences[place]] = place
        self._placed = len(self)
        return self._places.get(sequence)


def _text(bids: Iterable[Level], asks: Iterable[Level]) -> str:
    """Return a change as text, a third of the memory of its numbers."""
    return f"{_side(bids)}|{_side(asks)}"


def _side(levels: Iterable[Level]) -> str:
    return ";".join([f"{price},{amount}" for price, amount in levels])


def _levels(change: str) -> tuple[list[Level], list[Level]]:
    bids, _, asks = change.partition("|")
    return _pairs(bids), _pairs(asks)


def _pairs(side: str) -> list[Level]:
    rows = [row.partition(",") for row in side.split(";") if row]
    return [(Decimal(price), Decimal(amount)) for price, _, amount in rows]
