"""Plain-int counters: what came in, what was stored, how long it took. Counting never fails and never waits."""

import math
from typing import Any

from attrs import Factory, define

# Upper edges of a histogram in seconds: half a millisecond to a minute.
_EDGES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@define
class ExchangeCounters:
    """What one exchange's sessions did; always frames == parsed + control + rejected.

    Of `gaps`, `breaks` are of unknown size; the others miss `missing` events
    together, of which `backfilled` have been found. `interruptions` count
    streams cut off whose past nobody gives out. `disconnects` are the
    `reconnects` by kind of reason.
    """

    frames: int = 0
    parsed: int = 0
    control: int = 0
    rejected: int = 0
    connections: int = 0
    reconnects: int = 0
    rotations: int = 0
    connect_failures: int = 0
    refused: int = 0
    gaps: int = 0
    breaks: int = 0
    missing: int = 0
    backfilled: int = 0
    interruptions: int = 0
    silent: int = 0
    disconnects: dict[str, int] = Factory(dict)


@define
class SinkCounters:
    """What became of the events published to one sink.

    Always published == written + duplicate + dropped + quarantined + spooled
    + what is still waiting.
    """

    published: int = 0
    written: int = 0
    duplicate: int = 0
    dropped: int = 0
    quarantined: int = 0
    spooled: int = 0
    batches: int = 0
    retries: int = 0


class Latency:
    """A histogram of durations in ns with 1/8-octave buckets (at most 12.5 % wide); constant memory."""

    __slots__ = ("_buckets", "_sum_ns", "total")

    def __init__(self) -> None:
        """Start empty."""
        self._buckets = [0] * 512
        self._sum_ns = 0
        self.total = 0

    def add(self, duration_ns: int, weight: int = 1) -> None:
        """Count a duration `weight` times; a negative one (clock set back) counts as 0."""
        if duration_ns < 8:
            index = 0
        else:
            self._sum_ns += duration_ns * weight
            octave = duration_ns.bit_length()
            index = octave * 8 + ((duration_ns >> (octave - 4)) & 7)
        self._buckets[min(index, 511)] += weight
        self.total += weight

    def histogram(self) -> dict[str, Any]:
        """Return count, sum in s, and pairs of an upper edge in s and how many are at or below it."""
        edges, below, counted = iter(_EDGES_S), [], 0
        edge = next(edges)
        for index, count in enumerate(self._buckets):
            while edge < math.inf and _upper_s(index) > edge:
                below.append((edge, counted))
                edge = next(edges, math.inf)
            counted += count
        return {"count": self.total, "sum_s": self._sum_ns / 1e9, "buckets": below}

    def quantile_s(self, q: float) -> float | None:
        """Return the upper edge, in seconds, of the bucket holding quantile `q`; None while empty."""
        if not self.total:
            return None
        wanted, seen = q * self.total, 0
        for index, count in enumerate(self._buckets):
            seen += count
            if count and seen >= wanted:
                return _upper_s(index)
        return None


def _upper_s(index: int) -> float:
    """Return the upper edge of a bucket in seconds."""
    if not index:
        return 8 / 1e9
    octave, eighth = divmod(index, 8)
    return float((9 + eighth) * 2.0 ** (octave - 4)) / 1e9
