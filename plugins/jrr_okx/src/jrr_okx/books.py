"""Keeps one instrument's `books` channel in sequence, by OKX's rules.

1. A snapshot replaces the book; its seqId is the last one.
2. An update whose prevSeqId is the last one continues it; steps are arbitrary.
3. An update without levels whose seqId is its prevSeqId is a heartbeat.
4. An update whose seqId is below its prevSeqId, and which continues the last
   one, is a maintenance reset: it applies, and counting goes on from it.
5. Anything else is a break: nothing more can be believed until the topic has
   been subscribed anew and its snapshot has come. A break never mends itself,
   and no REST answer carries a seqId to mend it with.
6. An update without prevSeqId is a break as well.

The last update once more, word for word, is none of these and changes nothing.

The checksum is the constant 0 since 2026-06-23 and is not looked at.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from attrs import define

from jrr_core.events import BookDelta, BookSnapshot, Gap, Message
from jrr_core.levels import Levels

from .messages import BookRow, Payload, book_push, levels, moment, sequence_number
from .products import EXCHANGE, RESYNC_FIRST_S, RESYNC_MOST_S

_S = 1_000_000_000
_WAITING = "updates until the new snapshot"


@define(weakref_slot=False)
class _Change:
    """A row of a push, checked: nothing of it can fail any more."""

    bids: Levels
    asks: Levels
    ts_event: int | None
    ts_recv: int
    sequence: int
    previous: int | None


class BookStream:
    """The book of one instrument on one connection.

    `channels` are the jrr channels that want it: "book" for every snapshot
    and update, `book_snapshot_<depth>` for the best levels whenever they
    change. `resubscribe` is called when the topic must be subscribed anew;
    at most once in five seconds, and less often the more it is needed.
    """

    def __init__(
        self, symbol: str, channels: Sequence[str], depths: Iterable[int], resubscribe: Callable[[], None]
    ) -> None:
        """Start without a book."""
        self._symbol = symbol
        self._channels = tuple(channels)
        self._whole = "book" in channels
        self._ladder = Ladder(symbol, depths) if depths else None
        self._resubscribe = resubscribe
        self._last: int | None = None
        self._previous: int | None = None
        self._ts_last: int | None = None
        self._broken = False
        self._told_at = 0
        self._resync_at = 0
        self._delay = RESYNC_FIRST_S

    def receive(self, payload: Payload, ts_recv: int) -> Sequence[Message]:
        """Return what a push means for the book; raises ParseError and then has changed nothing."""
        push = book_push(payload)
        changes = [_checked(row, ts_recv) for row in push.data]
        take = self._replace if push.action == "snapshot" else self._continue
        events: list[Message] = []
        for change in changes:
            take(change, events)
        return events

    def _replace(self, change: _Change, events: list[Message]) -> None:
        if self._broken:
            self._report(_WAITING, change, change.sequence, events)
        self._broken = False
        self._last = change.sequence
        self._previous = change.previous
        self._ts_last = change.ts_event
        if self._whole:
            events.append(
                BookSnapshot(
                    EXCHANGE, self._symbol, change.ts_event, change.ts_recv,
                    change.bids, change.asks, None, change.sequence,
                )
            )  # fmt: skip
        if self._ladder is not None:
            self._ladder.clear()
            self._ladder.apply(change.bids, change.asks)
            events.extend(self._ladder.tops(change.ts_event, change.ts_recv, change.sequence))

    def _continue(self, change: _Change, events: list[Message]) -> None:
        previous = change.previous
        if not self._broken and change.sequence == self._last and previous == self._previous:
            return
        if self._broken or self._last is None or previous != self._last:
            self._refuse(change, events)
            return
        self._ts_last = change.ts_event
        if change.sequence == previous and not change.bids and not change.asks:
            return
        self._last = change.sequence
        self._previous = previous
        if self._whole:
            events.append(
                BookDelta(
                    EXCHANGE, self._symbol, change.ts_event, change.ts_recv,
                    change.bids, change.asks, None, change.sequence, previous,
                )
            )  # fmt: skip
        if self._ladder is not None:
            self._ladder.apply(change.bids, change.asks)
            events.extend(self._ladder.tops(change.ts_event, change.ts_recv, change.sequence))

    def _refuse(self, change: _Change, events: list[Message]) -> None:
        if self._broken:
            # Should the connection end now, the ledger must not take the time since the break for complete.
            if change.ts_recv - self._told_at >= _S:
                self._report(_WAITING, change, change.sequence, events)
        else:
            if self._last is None:
                reason = "an update came before the first snapshot"
            elif change.previous is None:
                reason = "an update came without prevSeqId"
            else:
                reason = "prevSeqId is not the last seqId"
            upto = change.sequence if change.previous is None else change.previous
            self._report(reason, change, upto, events)
            self._broken = True
            if change.ts_recv > self._resync_at + RESYNC_MOST_S * _S:
                self._delay = RESYNC_FIRST_S
        if change.ts_recv >= self._resync_at:
            self._resubscribe()
            self._resync_at = change.ts_recv + self._delay * _S
            self._delay = min(self._delay * 2, RESYNC_MOST_S)

    def _report(self, reason: str, change: _Change, upto: int, events: list[Message]) -> None:
        """Add a Gap for each channel, from where the last one ended, or the last good moment, to this one."""
        sequences = None if self._last is None else (self._last, upto)
        for channel in self._channels:
            events.append(
                Gap(
                    EXCHANGE, self._symbol, change.ts_event, change.ts_recv, what=channel, session="", reason=reason,
                    ts_from=self._ts_last, ts_to=change.ts_event, sequences=sequences,
                )
            )  # fmt: skip
        self._ts_last = change.ts_event
        self._told_at = change.ts_recv


def _checked(row: BookRow, ts_recv: int) -> _Change:
    previous = row.prev_seq_id
    return _Change(
        levels(row.bids), levels(row.asks), moment(row.ts), ts_recv, sequence_number(row.seq_id),
        None if previous is None or previous < 0 else sequence_number(previous),
    )  # fmt: skip


class _Side:
    """One side of a book, best price first: keys ascend, those of bids are negated."""

    __slots__ = ("_ascending", "_keys", "_rows")

    def __init__(self, ascending: bool) -> None:
        self._ascending = ascending
        self._keys: list[Decimal] = []
        self._rows: dict[Decimal, tuple[str, str]] = {}

    def clear(self) -> None:
        self._keys.clear()
        self._rows.clear()

    def set(self, price: str, amount: str) -> None:
        key = Decimal(price) if self._ascending else Decimal(price).copy_negate()
        if Decimal(amount):
            if key not in self._rows:
                insort(self._keys, key)
            self._rows[key] = (price, amount)
        elif self._rows.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def best(self, depth: int) -> tuple[tuple[str, str], ...]:
        return tuple([self._rows[key] for key in self._keys[:depth]])


class Ladder:
    """A synchronised book kept sorted, for its best levels: OKX has no channels of ten and twenty."""

    def __init__(self, symbol: str, depths: Iterable[int]) -> None:
        """Start empty; `depths` are the numbers of levels a side asked for."""
        self._symbol = symbol
        self._bids = _Side(ascending=False)
        self._asks = _Side(ascending=True)
        self._told: dict[int, object] = dict.fromkeys(depths)

    def clear(self) -> None:
        """Forget the book, so that the next `tops` tells every depth."""
        self._bids.clear()
        self._asks.clear()
        self._told = dict.fromkeys(self._told)

    def apply(self, bids: Levels, asks: Levels) -> None:
        """Set and remove levels."""
        for price, amount in bids:
            self._bids.set(price, amount)
        for price, amount in asks:
            self._asks.set(price, amount)

    def tops(self, ts_event: int | None, ts_recv: int, sequence: int) -> list[BookSnapshot]:
        """Return the best levels of each depth that changed since they were last told."""
        events = []
        for depth, told in self._told.items():
            now = (self._bids.best(depth), self._asks.best(depth))
            if now != told:
                self._told[depth] = now
                events.append(
                    BookSnapshot(
                        EXCHANGE, self._symbol, ts_event, ts_recv, Levels(now[0]), Levels(now[1]), depth, sequence
                    )
                )
        return events
