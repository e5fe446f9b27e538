"""The coverage ledger: stream events in, ranges of time out that say what is stored and what is missing.

Pure and per stream. A store keeps one Timeline per stream it hears of, feeds
it the stream events it stores, and writes `changes()` in the same
transaction, so ledger and data never disagree.

The ranges of a stream never overlap, are in order, and touch: together they
are its history, from the first proof of life to the last. Times are int ns UTC.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from attrs import evolve

from .events import Backfilled, Connected, Disconnected, Gap, StreamEvent
from .store import Range, State

CRASH = "crash"
"""Reason of the gap after a range that nobody ended."""
NOT_RUNNING = "not running"
"""Reason of the gap after a store was closed in order while streams were still live."""
STOPPED = "stopped"
UNSUBSCRIBED = "unsubscribed"
ROTATED = "rotated"
END_OF_CAPTURE = "end of the capture"
NO_EVENT = "no event bears these numbers"
"""Reason of a Backfilled that says so of `count` of its `sequences`, or, with count 0, of all of them."""
EARLIER = "fetched for an earlier run"
"""Reason of a Backfilled that fills what another run told as missing."""
_IN_ORDER = frozenset({NOT_RUNNING, STOPPED, UNSUBSCRIBED, ROTATED, END_OF_CAPTURE})
# A gap is dated by one clock reading, the event that ends it by another.
_CLOCKS_NS = 100_000_000
# What a killed run had received last may be a little older than the last that was stored.
_BEFORE_NS = 10**9
# A live range trails what is stored by its heartbeat and the age of a batch.
_TRAIL_NS = 5 * 10**9


class Timeline:
    """The coverage of one stream (exchange, channel, symbol), resumable from its stored ranges.

    Sessions are told apart by name, so a successor connection must not bear
    the name of the one it replaces. A range is live while at least one
    session is; only live ranges grow.
    """

    __slots__ = ("_clean", "_live", "_stream", "_sure", "ranges")

    def __init__(self, exchange: str, channel: str, symbol: str, stored: Iterable[Range] = ()) -> None:
        """Resume from `stored`, in order of time. No session is live until it says so."""
        self._stream = (exchange, channel, symbol)
        self.ranges = list(stored)
        self._live: dict[str, int] = {}
        self._sure = 0  # up to here the sessions that ended since the range began have covered it
        self._clean = len(self.ranges)

    @property
    def live(self) -> bool:
        """Whether a session of the stream is connected, so that its last range is still growing."""
        return bool(self._live)

    def copy(self) -> "Timeline":
        """Return an independent copy, for a transaction that may fail."""
        twin = Timeline(*self._stream, self.ranges)
        twin._live, twin._sure, twin._clean = dict(self._live), self._sure, self._clean
        return twin

    def apply(self, event: StreamEvent) -> None:
        """Take one event of this stream. Where it names no time, the time of its receipt stands in."""
        take = _TAKES.get(type(event))
        if take is not None:
            take(self, event)

    def heartbeat(self, ts: int) -> None:
        """Let a live range reach to `ts`: everything received before is stored."""
        if self._live and ts > self.ranges[-1].ts_to:
            self._replace(len(self.ranges) - 1, [evolve(self.ranges[-1], ts_to=ts)])

    def close(self, reason: str = NOT_RUNNING) -> None:
        """End a live range where it stands: the store closes in order and knows no more."""
        if self._live:
            self._live.clear()
            self._cut(self.ranges[-1].ts_to, reason)

    def changes(self) -> tuple[int | None, list[Range]] | None:
        """Return what to store since the last call, None for nothing.

        The pair (after, ranges) means: `ranges` take the place of every
        stored range that begins later than `after` (None: of all).
        """
        if self._clean == len(self.ranges):
            return None
        after = self.ranges[self._clean - 1].ts_from if self._clean else None
        changed = self.ranges[self._clean :]
        self._clean = len(self.ranges)
        return after, changed

    def _connect(self, event: StreamEvent) -> None:
        start = event.ts_recv if event.ts_from is None else event.ts_from
        joined = bool(self._live)
        self._live[event.session] = start
        if joined:
            return
        last = self.ranges[-1] if self.ranges else None
        if last is None:
            self._replace(0, [self._range(start, start)])
        elif last.state == "complete" and start <= last.ts_to:
            self._replace(len(self.ranges) - 1, [evolve(last, reason=None)])
        else:
            if start > last.ts_to:
                self._bridge(start)
            start = self.ranges[-1].ts_to
            self._replace(len(self.ranges), [self._range(start, start)])
        self._sure = self.ranges[-1].ts_to

    def _disconnect(self, event: StreamEvent) -> None:
        start = self._live.pop(event.session, None)
        if start is None:
            return
        end = event.ts_recv if event.ts_to is None else event.ts_to
        self._sure = max(self._sure, start, end)
        reason = event.reason or "disconnected"
        if not self._live:
            self._cut(self._sure, reason)
            return
        first = min(self._live.values())
        if first > self._sure:  # the old session fell silent before its successor was there
            self._hole(self._sure, first, reason, None)
            self._sure = first

    def _gap(self, event: StreamEvent) -> None:
        start, end = self._span(event)
        if event.ts_from is None and self.ranges:
            start = max(start - _BEFORE_NS, min(start, self.ranges[0].ts_from))
        if event.count == 0:
            self._explain(start, end, event.reason or "gap")
        else:
            self._hole(start, end, event.reason or "gap", event.count, event.sequences is not None)

    def _explain(self, start: int, end: int, reason: str) -> None:
        """Say of gaps that stand why they will not be filled."""
        for at, item in enumerate(self.ranges):
            if item.state == "gap" and item.ts_from < end and item.ts_to > start:
                self._replace(at, [evolve(item, reason=reason), *self.ranges[at + 1 :]])

    def _span(self, event: StreamEvent) -> tuple[int, int]:
        """Return the time an event speaks of; at least 1 ns, so that a gap within one instant still shows.

        Without `ts_from` the event speaks of an interruption whose beginning
        its sender does not know: that of the last gap before `ts_to`.
        """
        end = event.ts_to if event.ts_to is not None else event.ts_from if event.ts_from is not None else event.ts_recv
        start = event.ts_from
        if start is None:
            before = [r for r in self.ranges if r.state != "complete" and r.ts_from < end] if event.ts_to else []
            start = before[-1].ts_from if before else end
        return start, max(end, start + 1)

    def _backfill(self, event: StreamEvent) -> None:
        gaps = [item for item in self.ranges if item.state == "gap"]
        if event.ts_from is None and event.ts_to is None:
            gaps = gaps[-1:]
            start, end = (gaps[0].ts_from, gaps[0].ts_to) if gaps else (0, 0)
        else:
            start, end = self._span(event)
        # An event found again may bear the very time of the one that showed the gap, which is the gap's end.
        met = [item for item in gaps if item.ts_from < end and item.ts_to > start]
        met = met or [item for item in gaps if item.ts_to == start]
        if not met:
            return
        at = self.ranges.index(met[0])
        left = event.count
        kept: list[Range] = []
        for item in self.ranges[at:]:
            if item not in met:
                kept.append(item)
            elif item.missing is None and left and event.sequences is not None:
                kept.append(item)  # what was found may not be all of it
            elif left is None or item.missing is None:
                kept += _closed(item, start, end)
            elif left < item.missing:
                kept.append(evolve(item, missing=item.missing - left))
                left = 0
            else:
                kept.append(evolve(item, state="backfilled", missing=0))
                left -= item.missing
        self._replace(at, kept)

    def _hole(self, start: int, end: int, reason: str, missing: int | None, exact: bool = False) -> None:
        """Mark `start`..`end` as a gap, stretched to touch the history and to take in the gaps it meets.

        An `exact` one counts by the exchange's own numbers, so it also tells
        the size of an interruption it meets.
        """
        if not self.ranges:
            self._replace(0, [self._range(start, end, "gap", reason, missing)])
            return
        first, last = self.ranges[0], self.ranges[-1]
        end = max(end, first.ts_from)
        if self._live:
            self.heartbeat(end)
        else:
            start = min(start, last.ts_to)
        at = self._first_after(start)
        tail = self.ranges[at:]
        for item in [item for item in tail if item.state == "gap" and item.ts_from < end]:
            if item.ts_from <= start or (exact and item.missing is None):
                reason = item.reason or reason
            start, end = min(start, item.ts_from), max(end, item.ts_to)
            if item.missing is not None and missing is not None:
                missing += item.missing
            elif not exact:
                missing = None
        hole = self._range(start, end, "gap", reason, missing)
        before = [evolve(r, ts_to=start, reason=_inner(r)) for r in tail if r.ts_from < start]
        after = [evolve(r, ts_from=max(r.ts_from, end)) for r in tail if r.ts_to > end]
        if self._live and not after:
            after = [self._range(end, end)]
        self._replace(at, [*before, hole, *after])

    def _cut(self, end: int, reason: str) -> None:
        """End the history at `end`, or at the end of the gap that stands there."""
        at = len(self.ranges) - 1
        while at > 0 and self.ranges[at].ts_from > end:
            at -= 1
        last = self.ranges[at]
        if last.state == "complete":
            last = evolve(last, ts_to=max(last.ts_from, end), reason=reason)
        self._replace(at, [last])

    def _bridge(self, start: int) -> None:
        """Put a gap between the end of the history and `start`, for the reason it ended."""
        last = self.ranges[-1]
        at = len(self.ranges)
        if last.ts_from == last.ts_to:
            at -= 1  # nothing was received in it
        before = self.ranges[at - 1] if at else None
        if before is not None and before.state == "gap" and before.missing is None:
            self._replace(at - 1, [evolve(before, ts_to=start, missing=None)])
        else:
            reason = last.reason or CRASH
            self._replace(at, [self._range(last.ts_to, start, "gap", reason)])

    def _range(
        self, start: int, end: int, state: State = "complete", reason: str | None = None, missing: int | None = None
    ) -> Range:
        return Range(*self._stream, start, end, state, reason, missing)

    def _first_after(self, ts: int) -> int:
        """Return the index of the first range that ends after `ts` or begins there."""
        at = len(self.ranges)
        while at and (self.ranges[at - 1].ts_to > ts or self.ranges[at - 1].ts_from >= ts):
            at -= 1
        return at

    def _replace(self, at: int, ranges: list[Range]) -> None:
        """Put `ranges` in the place of everything from index `at` on."""
        self.ranges[at:] = ranges
        self._clean = min(self._clean, at)


_TAKES: dict[type, Callable[[Timeline, StreamEvent], None]] = {
    Connected: Timeline._connect,
    Disconnected: Timeline._disconnect,
    Gap: Timeline._gap,
    Backfilled: Timeline._backfill,
}


def _inner(item: Range) -> str | None:
    """Return the reason left to the piece of a range that something else now follows."""
    return None if item.state == "complete" else item.reason


def _closed(gap: Range, start: int, end: int) -> list[Range]:
    """Return a gap with the part in `start`..`end` backfilled; what sticks out stays a gap of unknown size."""
    if start >= gap.ts_to:
        return [gap]
    inside = evolve(gap, ts_from=max(gap.ts_from, start), ts_to=min(gap.ts_to, end), state="backfilled", missing=0)
    pieces = [inside]
    if gap.ts_from < inside.ts_from:
        pieces.insert(0, evolve(gap, ts_to=inside.ts_from, missing=None))
    if gap.ts_to > inside.ts_to:
        pieces.append(evolve(gap, ts_from=inside.ts_to, missing=None))
    return pieces


def broken_off(ranges: Iterable[Range]) -> list[Range]:
    """Return the last range of each stream that ended out of order and has not been resumed since."""
    last = {(item.exchange, item.channel, item.symbol): item for item in ranges}
    return [item for item in last.values() if item.state != "gap" and item.reason not in (None, *_IN_ORDER)]


def interruption(ranges: Iterable[Range], since: int, until: int) -> str | None:
    """Return why one stream is not known to be complete from `since` (int ns, by our clock) to `until`; None if it is.

    A store that holds no coverage of the stream says nothing against it.
    """
    end, ended = None, None
    for item in ranges:
        if item.state == "gap" and item.ts_from <= until and item.ts_to > since + _CLOCKS_NS:
            return f"the stream was interrupted at {_moment(item.ts_from)}: {item.reason or 'no reason known'}"
        if end is None or item.ts_to > end:
            end, ended = item.ts_to, item.reason
    if end is not None and until > end + _TRAIL_NS:
        return f"the stream is not stored after {_moment(end)}: {ended or 'no later data'}"
    return None


def _moment(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
