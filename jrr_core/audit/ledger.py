"""What was found missing, held against what the store says is missing.

The ledger dates a gap by one clock and the rows beside a hole by another, so
times are compared with slack.
"""

from collections.abc import Sequence
from typing import Any

from attrs import define

from ..store import Range
from .finding import Finding, Hole, Kind, Span

SLACK_NS = 100_000_000
# A live range trails what is stored by its heartbeat and the age of a batch, and begins with the first receipt.
OUTSIDE_NS = 5 * 10**9

_UNRECORDED = "do not rely on this time, and report it: the ledger should have known"
_MISCOUNTED = "rely on the numbers counted here, and report it"
_NEEDLESS = "the time can be used: all its rows are there"


@define(frozen=True)
class Seen:
    """What was read of one stream: the holes in it, and from when to when its numbers were seen (None: none were).

    `exact`: every hole's count is in events, as `missing` is; otherwise it is
    the most that can be missing. `whole`: nothing else of the stream has
    numbers of its own, so that a gap without a hole is none.
    """

    exchange: str
    channel: str
    symbol: str
    what: str
    holes: Sequence[Hole]
    span: Span | None
    exact: bool = True
    whole: bool = True


@define(frozen=True)
class _Group:
    """Holes and gaps that can stand for each other."""

    holes: list[Hole]
    gaps: list[Range]


def compare(seen: Seen, ranges: Sequence[Range]) -> tuple[int, list[Finding]]:
    """Return how many holes lie in a gap of the stream's ranges, and what does not fit."""
    gaps = [item for item in ranges if item.state == "gap"]
    groups = _groups(sorted(seen.holes, key=lambda hole: hole.ts_from), gaps)
    findings: list[Finding] = []
    for group in groups:
        if not group.gaps:
            findings += [_unrecorded(seen, hole, ranges) for hole in group.holes]
        elif group.holes:
            findings += _miscounted(seen, group)
        elif seen.whole and _inside(seen.span, group.gaps[0]):
            findings.append(_needless(seen, group.gaps[0]))
    return sum(len(group.holes) for group in groups if group.gaps), findings


class Outside:
    """Rows that no range of their stream takes in, whatever the clock: counted, for the ledger says nothing of them."""

    __slots__ = ("_at", "_spans", "count", "first", "last", "ranges")

    def __init__(self, ranges: Sequence[Range]) -> None:
        """Take the stream's ranges, in order of time."""
        self.ranges = len(ranges)
        self._spans: list[tuple[int, int]] = []
        for item in ranges:
            start, end = item.ts_from - OUTSIDE_NS, item.ts_to + OUTSIDE_NS
            if self._spans and start <= self._spans[-1][1]:
                self._spans[-1] = (self._spans[-1][0], max(end, self._spans[-1][1]))
            else:
                self._spans.append((start, end))
        self._at = 0
        self.count, self.first, self.last = 0, 0, 0

    def take(self, when: Span) -> None:
        """Take the time of a row; rows come in order of time, or nearly."""
        spans, at = self._spans, self._at
        while at < len(spans) and spans[at][1] < when.early:
            at += 1
        self._at = at
        if at < len(spans) and spans[at][0] <= when.late:
            return
        self.first = when.early if not self.count else min(self.first, when.early)
        self.last = max(self.last, when.late)
        self.count += 1


def _groups(holes: Sequence[Hole], gaps: Sequence[Range]) -> list[_Group]:
    """Return holes and gaps by what they meet; holes are in order of their beginning, gaps in order and disjoint."""
    groups: list[_Group] = []
    met = _Group([], [])  # the last one with both
    low, free = 0, 0  # the first gap that a hole can still meet, the first one in no group
    for hole in holes:
        while low < len(gaps) and gaps[low].ts_to < hole.ts_from - SLACK_NS:
            low += 1
        groups += [_Group([], [gap]) for gap in gaps[free:low]]
        free = high = max(free, low)
        while high < len(gaps) and gaps[high].ts_from <= hole.ts_to + SLACK_NS:
            high += 1
        if low < free and gaps[low].ts_from <= hole.ts_to + SLACK_NS:
            met.holes.append(hole)
            met.gaps.extend(gaps[free:high])
        else:
            groups.append(_Group([hole], [*gaps[free:high]]))
            met = groups[-1] if high > free else met
        free = high
    return [*groups, *[_Group([], [gap]) for gap in gaps[free:]]]


def _inside(span: Span | None, gap: Range) -> bool:
    """Whether rows on both sides of a gap were seen."""
    return span is not None and span.early <= gap.ts_from + SLACK_NS and gap.ts_to - SLACK_NS <= span.late


def _unrecorded(seen: Seen, hole: Hole, ranges: Sequence[Range]) -> Finding:
    met = [item.state for item in ranges if item.ts_from <= hole.ts_to and item.ts_to > hole.ts_from]
    state = f"the ledger calls the time {' and '.join(dict.fromkeys(met))}" if met else "the ledger knows nothing of it"
    many = f"{hole.count:,} {seen.what}" if hole.count is not None else f"unknown many {seen.what}"
    # What was missed before the stream was first heard of, nobody promised.
    before = bool(ranges) and hole.ts_from < ranges[0].ts_from - OUTSIDE_NS
    numbers = f"{hole.first}" if hole.first == hole.last else f"{hole.first} to {hole.last}"
    return _finding(
        seen, "unrecorded gap", hole.ts_from, hole.ts_to, f"{many} missing ({numbers}), and {state}", _UNRECORDED,
        first=hole.first, last=hole.last, count=hole.count, note=before,
    )  # fmt: skip


def _miscounted(seen: Seen, group: _Group) -> list[Finding]:
    counts = [hole.count for hole in group.holes]
    if not seen.whole or None in counts or not all(_inside(seen.span, gap) for gap in group.gaps):
        return []
    found = sum(count for count in counts if count is not None)
    told = [gap.missing for gap in group.gaps if gap.missing is not None]
    recorded = sum(told)
    if recorded == found or (recorded < found and (not seen.exact or len(told) < len(group.gaps))):
        return []
    first, last = min(hole.first for hole in group.holes), max(hole.last for hole in group.holes)
    text = f"{recorded:,} {seen.what} recorded as missing, of the numbers {first} to {last} {found:,} are"
    return [
        _finding(
            seen, "wrong count", group.gaps[0].ts_from, group.gaps[-1].ts_to, text, _MISCOUNTED,
            first=first, last=last, count=found,
        )
    ]  # fmt: skip


def _needless(seen: Seen, gap: Range) -> Finding:
    text = (
        f"gap recorded where nothing is missing ({gap.reason or 'no reason known'}): {seen.what} go on without a hole"
    )
    return _finding(seen, "needless gap", gap.ts_from, gap.ts_to, text, _NEEDLESS, count=0)


def _finding(seen: Seen, kind: Kind, ts_from: int, ts_to: int, text: str, cure: str, **more: Any) -> Finding:
    return Finding(seen.exchange, seen.channel, seen.symbol, kind, ts_from, ts_to, text, cure, **more)
