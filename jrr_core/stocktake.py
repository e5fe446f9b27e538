"""What a store took of each stream per day, from what it holds and the time it covers, beside what was planned.

Called by `jrr plan --from-store`.
"""

import math
from collections.abc import Iterable, Mapping

from attrs import define

from .plan import DAY_S, PlanSettings, Stream, costs, total
from .sink import StreamKey
from .store import Range
from .volume import RowBytes, StreamVolume

HOUR_S = 3600.0


@define(frozen=True)
class Taken:
    """Rows and bytes stored of a stream, and for how many seconds it was collected."""

    rows: int
    bytes: int
    covered_s: float

    @property
    def rows_per_day(self) -> float:
        """Rows in 24 hours at this pace; 0 where no time is covered."""
        return self.rows * DAY_S / self.covered_s if self.covered_s else 0.0

    @property
    def bytes_per_day(self) -> float:
        """Bytes in 24 hours at this pace; 0 where no time is covered."""
        return self.bytes * DAY_S / self.covered_s if self.covered_s else 0.0


@define(frozen=True)
class Compared:
    """One subscription: what was planned of its streams and what came, per day.

    Of `streams`, `measured` were collected for an hour at least, the least
    of them for `covered_s`; only those are planned and counted here. With
    none, the plan is of all, and `rows` and `bytes` are None: less than an
    hour says nothing of a day.
    """

    subscription: str
    streams: int
    measured: int
    covered_s: float
    planned_rows: float
    planned_fresh: float | None
    planned_kept: float | None
    rows: float | None
    bytes: float | None

    @property
    def ratio(self) -> float | None:
        """How many times the planned rows came, None where it cannot be told."""
        return None if self.rows is None or not self.planned_rows else self.rows / self.planned_rows

    @property
    def rate(self) -> float | None:
        """The events per second of one symbol that would have fitted."""
        return None if self.rows is None else self.rows / self.measured / DAY_S


_NOTHING = Taken(0, 0, 0.0)


def stocktake(volumes: Iterable[StreamVolume], ranges: Iterable[Range]) -> dict[StreamKey, Taken]:
    """Return what was taken of each stream; also of one that is covered and brought nothing.

    Time counts while the coverage (`ranges`) calls it complete or backfilled.
    A stream without any coverage is taken to be covered from its first row to
    its last. Coverage outlives rows that were deleted for their age, so time
    before the oldest row there is does not count, but for the usual distance
    of two rows.
    """
    held: dict[StreamKey, StreamVolume] = {}
    for volume in volumes:
        key = StreamKey(volume.exchange, volume.channel, volume.symbol)
        held[key] = _added(held[key], volume) if key in held else volume
    covered: dict[StreamKey, list[Range]] = {}
    for item in ranges:
        if item.state != "gap":
            covered.setdefault(StreamKey(item.exchange, item.channel, item.symbol), []).append(item)
    return {key: _taken(held.get(key), covered.get(key, ())) for key in {**held, **covered}}


def compare(
    streams: Iterable[Stream],
    taken: Mapping[StreamKey, Taken],
    settings: PlanSettings,
    fixed: Mapping[str, Mapping[str, float]],
    row_bytes: Mapping[str, RowBytes],
) -> list[Compared]:
    """Return plan and store side by side for each subscription."""
    by_subscription: dict[str, list[Stream]] = {}
    for stream in streams:
        by_subscription.setdefault(str(stream.subscription), []).append(stream)
    compared = []
    for text, members in by_subscription.items():
        found = {stream: taken.get(stream.key, _NOTHING) for stream in members}
        enough = {stream: one for stream, one in found.items() if one.covered_s >= HOUR_S}
        planned = costs(enough or found, settings, fixed, row_bytes)
        shortest = min([one.covered_s for one in enough.values()] or [max(one.covered_s for one in found.values())])
        compared.append(Compared(
            text, len(members), len(enough), shortest,
            sum(cost.rows for cost in planned), total(cost.fresh for cost in planned),
            total(cost.kept for cost in planned),
            sum(one.rows_per_day for one in enough.values()) if enough else None,
            sum(one.bytes_per_day for one in enough.values()) if enough else None,
        ))  # fmt: skip
    return compared


def _added(one: StreamVolume, other: StreamVolume) -> StreamVolume:
    return StreamVolume(
        one.exchange, one.channel, one.symbol, one.rows + other.rows, one.bytes + other.bytes,
        min(one.ts_from, other.ts_from), max(one.ts_to, other.ts_to),
    )  # fmt: skip


def _taken(volume: StreamVolume | None, ranges: Iterable[Range]) -> Taken:
    spans = [(item.ts_from, item.ts_to) for item in ranges]
    if volume is None:
        return Taken(0, 0, sum(end - start for start, end in spans) / 1e9)
    if not spans:
        return Taken(volume.rows, volume.bytes, (volume.ts_to - volume.ts_from) / 1e9)
    usual = (volume.ts_to - volume.ts_from) / (volume.rows - 1) if volume.rows > 1 else math.inf
    oldest = volume.ts_from - usual
    return Taken(volume.rows, volume.bytes, sum(max(end - max(start, oldest), 0) for start, end in spans) / 1e9)
