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

from collections.abc import Callable, Iterable, Sequence

from jrr_core import book_stream
from jrr_core.book_stream import Change
from jrr_core.events import Message

from .messages import BookRow, Payload, book_push, levels, moment, sequence_number
from .products import EXCHANGE, RESYNC_FIRST_S, RESYNC_MOST_S


class BookStream:
    """The book of one instrument on one connection; `channels`, `depths` and `ask` are those of core's."""

    def __init__(self, symbol: str, channels: Sequence[str], depths: Iterable[int], ask: Callable[[], None]) -> None:
        """Start without a book."""
        self._book = book_stream.BookStream(EXCHANGE, symbol, channels, depths, ask, RESYNC_FIRST_S, RESYNC_MOST_S)
        self._previous: int | None = None

    def receive(self, payload: Payload, ts_recv: int) -> Sequence[Message]:
        """Return what a push means for the book; raises ParseError and then has changed nothing."""
        push = book_push(payload)
        changes = [_checked(row, ts_recv) for row in push.data]
        take = self._replace if push.action == "snapshot" else self._continue
        return [event for change in changes for event in take(change)]

    def _replace(self, change: Change) -> list[Message]:
        self._previous = change.previous
        return self._book.replace(change)

    def _continue(self, change: Change) -> list[Message]:
        book, previous = self._book, change.previous
        if not book.broken and change.sequence == book.last and previous == self._previous:
            return []
        if book.broken or book.last is None or previous != book.last:
            return self._refuse(change)
        if change.sequence == previous and not change.bids and not change.asks:
            book.rest(change)
            return []
        self._previous = previous
        return book.follow(change)

    def _refuse(self, change: Change) -> list[Message]:
        if self._book.last is None:
            reason = "an update came before the first snapshot"
        elif change.previous is None:
            reason = "an update came without prevSeqId"
        else:
            reason = "prevSeqId is not the last seqId"
        return self._book.refuse(reason, change, change.sequence if change.previous is None else change.previous)


def _checked(row: BookRow, ts_recv: int) -> Change:
    previous = row.prev_seq_id
    return Change(
        levels(row.bids), levels(row.asks), moment(row.ts), ts_recv, sequence_number(row.seq_id), None,
        None if previous is None or previous < 0 else sequence_number(previous),
    )  # fmt: skip
