"""A book that begins with a snapshot over REST and goes on with numbered updates, of which some come before it.

Sans-IO: updates and snapshots in, publishable events out; what it wants
fetched it says through `ask`. Nothing is published before a snapshot, and
nothing behind a break: a Gap comes first, then a new snapshot. Numbers are the
only proof, and how they link is the exchange's rule:

1. buffer updates; 2. fetch the snapshot after the first one has arrived;
3. snapshot older than the first update: fetch again; 4. drop the updates that
the snapshot holds; 5. the first one kept must join it; 6. each later one must
continue the one before, else start again from 2.
"""

from collections import deque
from collections.abc import Callable, Sequence

from attrs import define

from .events import BookDelta, BookSnapshot, Gap, Message

# Updates kept per symbol while no snapshot comes: over three minutes at 100 ms.
BUFFER = 2000
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0
# A book this long in step has earned an immediate snapshot at its next break.
_STEADY_NS = 10 * 10**9
# A break that lasts is told in pieces of this length, so that a connection's end hides at most one of them.
_PIECE_NS = 5 * 10**9


def _held(update: BookDelta, last: int) -> bool:
    return update.sequence <= last


def _reaches(update: BookDelta, last: int) -> bool:
    return update.first_sequence is not None and update.first_sequence <= last + 1


def _below(update: BookDelta, last: int) -> bool:
    return update.sequence < last


def _spans(update: BookDelta, last: int) -> bool:
    spans = update.first_sequence is not None and update.first_sequence <= last <= update.sequence
    return spans or update.previous_sequence == last


def _linked(update: BookDelta, last: int) -> bool:
    return update.previous_sequence == last


Rule = Callable[[BookDelta, int], bool]


@define(frozen=True)
class Rules:
    """How updates link to a snapshot and to each other.

    `before`: contained in the snapshot. `joins`: may be the first behind it.
    `old`: already applied. `follows`: continues the last one.
    """

    before: Rule
    joins: Rule
    old: Rule
    follows: Rule


CONTIGUOUS = Rules(_held, _reaches, _held, _reaches)
"""Each update begins with the number behind the last: dropped up to the snapshot's, joins with its next one."""
LINKED = Rules(_below, _spans, _held, _linked)
"""Each update names the one it continues; numbers are shared by symbols, so the first one kept spans the snapshot's."""


class SeededBook:
    """One symbol's book on one connection.

    `ask(delay_s)` requests a snapshot; None where nobody could answer
    (replay), then snapshots come when they come.
    """

    __slots__ = (
        "_ask", "_asked", "_buffer", "_delay_s", "_fresh", "_last", "_missing_since", "_rules", "_storm_s",
        "_synced_ns", "_when",
    )  # fmt: skip

    def __init__(self, rules: Rules, ask: Callable[[float], None] | None) -> None:
        """Start without a book."""
        self._rules = rules
        self._ask = ask
        self._asked = False
        self._delay_s = 0.0
        self._storm_s = 0.0
        self._buffer: deque[BookDelta] = deque()
        self._last: int | None = None
        self._fresh = False
        self._when = 0
        self._synced_ns = 0
        self._missing_since: int | None = None

    def update(self, update: BookDelta) -> Sequence[Message]:
        """Take an update; return it if it continues the book, a Gap if it shows a break, else ()."""
        last = self._last
        if last is None:
            return self._keep(update)
        rules = self._rules
        # Old by number but young by the clock: the exchange counts anew, or the snapshot's number was wrong.
        if self._fresh:
            old, follows = rules.before, rules.joins
            young = update.ts_recv - self._synced_ns > _STEADY_NS
        else:
            old, follows = rules.old, rules.follows
            young = _when(update) > self._when
        if not young and old(update, last):
            return ()
        if update.sequence < last or not follows(update, last):
            return self._broken(update, last)
        self._last, self._fresh, self._when = update.sequence, False, _when(update)
        return (update,)

    def snapshot(self, snapshot: BookSnapshot) -> Sequence[Message]:
        """Take a whole book; return it and the buffered updates behind it if they join, else () and ask again."""
        self._asked = False
        sequence = snapshot.sequence
        if self._last is not None:
            return ()
        if sequence is None or sequence < 0:
            # A freshly listed symbol may answer a number of -1 with an empty book.
            self._request()
            return ()
        rules = self._rules
        behind = [update for update in self._buffer if not rules.before(update, sequence)]
        if behind and not rules.joins(behind[0], sequence):
            self._request()
            return ()
        self._buffer.clear()
        self._last, self._fresh, self._when = sequence, True, _when(snapshot) if snapshot.ts_event else 0
        self._synced_ns = snapshot.ts_recv
        events: list[Message] = []
        if self._missing_since is not None:
            events.append(_gap(snapshot, "resync", None, self._missing_since, _when(snapshot), None))
            self._missing_since = None
        events.append(snapshot)
        for update in behind:
            events.extend(self.update(update))
        return events

    def failed(self, retry_s: float) -> None:
        """Take note that no snapshot came; ask again after `retry_s`."""
        self._asked = False
        self._request(retry_s)

    def _keep(self, update: BookDelta) -> Sequence[Message]:
        events = [*self._drop_oldest(), *self._still_missing(update)]
        self._buffer.append(update)
        self._request()
        return events

    def _drop_oldest(self) -> Sequence[Message]:
        """Give up the older half of a full buffer, and say so."""
        if len(self._buffer) < BUFFER:
            return ()
        dropped = [self._buffer.popleft() for _ in range(BUFFER // 2)]
        first, last = dropped[0], dropped[-1]
        if self._missing_since is None:
            self._missing_since = _when(last)
        ids = (first.first_sequence if first.first_sequence is not None else first.sequence, last.sequence)
        return (_gap(last, "buffer full", len(dropped), _when(first), _when(last), ids),)

    def _still_missing(self, update: BookDelta) -> Sequence[Message]:
        """Say that a broken book is still broken; in replay also that a recording begins without a snapshot."""
        since = self._missing_since
        if since is None and self._ask is None and self._buffer:
            since = _when(self._buffer[0])
        now = _when(update)
        if since is None or now - since < _PIECE_NS:
            return ()
        self._missing_since = now
        return (_gap(update, "no snapshot", None, since, now, None),)

    def _broken(self, update: BookDelta, last: int) -> Sequence[Message]:
        """Stop publishing: say what is missing, keep the update and ask for a snapshot."""
        steady = update.ts_recv - self._synced_ns > _STEADY_NS
        self._storm_s = 0.0 if steady else min(max(self._storm_s * 2, _FIRST_RETRY_S), _LAST_RETRY_S)
        self._delay_s = self._storm_s
        here = _when(update)
        before = update.previous_sequence
        if before is None and update.first_sequence is not None:
            before = update.first_sequence - 1
        ids = None if before is None or before <= last else (last + 1, before)
        gap = _gap(update, "sequence", None, self._when or self._synced_ns, here, ids)
        self._last = None
        self._missing_since = here
        self._keep(update)
        return (gap,)

    def _request(self, least_s: float = 0.0) -> None:
        if self._asked or self._ask is None:
            return
        self._asked = True
        self._ask(max(self._delay_s, least_s))
        self._delay_s = min(max(self._delay_s * 2, _FIRST_RETRY_S), _LAST_RETRY_S)


def _when(event: BookDelta | BookSnapshot) -> int:
    return event.ts_recv if event.ts_event is None else event.ts_event


def _gap(
    at: BookDelta | BookSnapshot, reason: str, count: int | None, since: int, until: int, ids: tuple[int, int] | None
) -> Gap:
    return Gap(at.exchange, at.symbol, at.ts_event, at.ts_recv, "book", "", reason, count,
               min(since, until), until, ids)  # fmt: skip
