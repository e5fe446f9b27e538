"""Keeps one symbol's `book` as Kraken has it, and proves it by the checksum.

1. A snapshot replaces the book, an update sets and removes levels, in the order they stand in.
2. What then lies beyond the subscribed depth is cut off. Kraken does not say so,
   so the levels cut are added to the update as removals, for those who only apply it.
3. The ten best levels a side must give the checksum: their digits, prices and
   amounts, without the point and leading zeros, asks before bids, CRC-32.
   Where they do not, nothing more can be believed until the book has been
   subscribed anew. What is wrong below the ten best levels shows only later.

The last update once more, word for word, is none of these and changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from zlib import crc32

from jrr_core.events import BookDelta, BookSnapshot, Message
from jrr_core.ladder import Ladder
from jrr_core.levels import Levels
from jrr_core.resync import Resync
from jrr_core.rising import Rising

from .messages import BookRow, levels, moment
from .products import CHECKED_DEPTH, DERIVED_DEPTHS, EXCHANGE


class BookStream:
    """The book of one symbol on one connection; `channels` and `ask` are those of core's `book_stream`."""

    def __init__(self, symbol: str, depth: int, channels: Sequence[str], ask: Callable[[], None]) -> None:
        """Start without a book of `depth` levels a side."""
        self._symbol = symbol
        self._depth = depth
        self._whole = "book" in channels
        depths = [DERIVED_DEPTHS[channel] for channel in channels if channel in DERIVED_DEPTHS]
        self._ladder = Ladder(EXCHANGE, symbol, depths)
        self._resync = Resync(EXCHANGE, symbol, channels, ask)
        self._numbers = Rising()
        self._begun = False
        self._told: tuple[object, ...] = ()

    def receive(self, row: BookRow, snapshot: bool, ts_recv: int) -> list[Message]:
        """Return what a row means for the book; raises ParseError and then has changed nothing."""
        bids, asks = levels(row.bids), levels(row.asks)
        ts_event = None if row.timestamp is None else moment(row.timestamp)
        told = (snapshot, ts_event, row.checksum, bids, asks)
        if self._begun and told == self._told:
            return []
        number = self._numbers.next(ts_recv if ts_event is None else ts_event)
        previous = self._numbers.last
        sequences = None if previous is None else (previous, number)
        if not snapshot and (self._resync.broken or not self._begun):
            return self._resync.refuse("an update came before the first snapshot", ts_event, ts_recv, sequences)
        if snapshot:
            self._ladder.clear()
        self._ladder.apply(bids, asks)
        gone = self._ladder.cut(self._depth)
        if checksum(*self._ladder.best(CHECKED_DEPTH)) != row.checksum:
            self._begun = False
            return self._resync.refuse("the checksum does not agree", ts_event, ts_recv, sequences)
        self._begun, self._told = True, told
        self._numbers.take(number)
        events: list[Message] = []
        if snapshot:
            events += self._resync.mend(ts_event, ts_recv, sequences)
        self._resync.good(ts_event)
        if self._whole:
            place = (EXCHANGE, self._symbol, ts_event, ts_recv)
            if snapshot:
                events.append(BookSnapshot(*place, bids, asks, None, number, checksum_ok=True))
            else:
                bids, asks = (_joined(*sides) for sides in zip((bids, asks), gone, strict=True))
                events.append(BookDelta(*place, bids, asks, None, number, previous))
        return [*events, *self._ladder.tops(ts_event, ts_recv, number)]


def _joined(changed: Levels, gone: Levels) -> Levels:
    return Levels([*changed, *gone]) if gone else changed


def checksum(bids: Iterable[tuple[str, str]], asks: Iterable[tuple[str, str]]) -> int:
    """Return the CRC-32 of the best levels of a book (docs, "Book checksum"), each side best first."""
    digits = [text.replace(".", "").lstrip("0") for side in (asks, bids) for level in side for text in level]
    return crc32("".join(digits).encode())
