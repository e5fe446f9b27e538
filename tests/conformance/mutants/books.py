"""Wrong parsers of order books: what comes first, what is missing, what is kept."""

from collections import deque
from collections.abc import Sequence

import attrs

from jrr_core.events import BookDelta, BookSnapshot, Message
from jrr_core.frame import Frame
from jrr_core.levels import Levels
from tests.conformance.reference.parser import Base, Book, HarbourParser, Shape


class IgnoresTheSnapshot(HarbourParser):
    """The whole book is noted and not given, so that deltas begin in the air."""

    rule = "snapshot-first"

    def whole(self, base: Base, shape: Shape) -> Sequence[Message]:
        return [event for event in super().whole(base, shape) if not isinstance(event, BookSnapshot)]


class PartialSnapshot(HarbourParser):
    """The whole book is given as its best 1,000 levels."""

    rule = "snapshot-first"

    def whole(self, base: Base, shape: Shape) -> Sequence[Message]:
        events = super().whole(base, shape)
        return [attrs.evolve(event, depth=1000) if isinstance(event, BookSnapshot) else event for event in events]


class EarlyDeltas(HarbourParser):
    """Deltas are given at once, before the whole book came."""

    rule = "snapshot-first"

    def follow(self, book: Book, update: BookDelta) -> Sequence[Message]:
        return super().follow(book, update) if book.last is not None else [update, *super().follow(book, update)]


class ForgetsWaiting(HarbourParser):
    """Deltas that came before the whole book are thrown away, also those that belong behind it."""

    rule = "recorded-events"

    def whole(self, base: Base, shape: Shape) -> Sequence[Message]:
        self.books.setdefault(base[1], Book()).waiting.clear()
        return super().whole(base, shape)


class RepeatsOldDeltas(HarbourParser):
    """Deltas that the whole book holds already are given behind it."""

    rule = "whole-books"

    def whole(self, base: Base, shape: Shape) -> Sequence[Message]:
        waiting = list(self.books.setdefault(base[1], Book()).waiting)
        snapshot, *_ = super().whole(base, shape)
        return [snapshot, *waiting]


class SidesSwapped(HarbourParser):
    """Bids are asks."""

    rule = "whole-books"

    def update(self, base: Base, shape: Shape) -> Sequence[Message]:
        events = super().update(base, shape)
        return [
            attrs.evolve(event, bids=event.asks, asks=event.bids) if isinstance(event, BookDelta) else event
            for event in events
        ]


class KeepsDeletes(HarbourParser):
    """Levels of amount 0, which remove a price, are left out."""

    rule = "whole-books"

    def follow(self, book: Book, update: BookDelta) -> Sequence[Message]:
        return super().follow(book, attrs.evolve(update, bids=_there(update.bids), asks=_there(update.asks)))


def _there(levels: Levels) -> Levels:
    return Levels([(price, amount) for price, amount in levels if float(amount)])


class KeepsTheBest(HarbourParser):
    """Of the levels of a whole book only the best is kept."""

    rule = "recorded-events"

    def whole(self, base: Base, shape: Shape) -> Sequence[Message]:
        events = super().whole(base, shape)
        return [
            attrs.evolve(event, bids=Levels(event.bids[:1])) if isinstance(event, BookSnapshot) else event
            for event in events
        ]


class WrongLinks(HarbourParser):
    """A delta names itself as the one it continues."""

    rule = "recorded-events"

    def follow(self, book: Book, update: BookDelta) -> Sequence[Message]:
        events = super().follow(book, update)
        return [attrs.evolve(e, previous_sequence=e.sequence) if isinstance(e, BookDelta) else e for e in events]


class SwallowsTheGap(HarbourParser):
    """A break is taken for the next update."""

    rule = "sequence-break"

    def lose(self, book: Book, update: BookDelta) -> Sequence[Message]:
        book.last = update.sequence
        return [update]


class HealsInSilence(HarbourParser):
    """A break fetches the book anew and says nothing."""

    rule = "sequence-break"

    def lose(self, book: Book, update: BookDelta) -> Sequence[Message]:
        super().lose(book, update)
        return ()


class AsksForNothing(HarbourParser):
    """A break is told, and nothing done about it."""

    rule = "sequence-break"

    def lose(self, book: Book, update: BookDelta) -> Sequence[Message]:
        book.asked = True
        return super().lose(book, update)


class GoesOnAfterTheGap(HarbourParser):
    """Deltas go on behind a break as if the book still held."""

    rule = "sequence-break"

    def lose(self, book: Book, update: BookDelta) -> Sequence[Message]:
        events = super().lose(book, update)
        book.last = update.sequence
        return [*events, update]


class IgnoresTheReset(HarbourParser):
    """An exchange that counts anew is taken for one that repeats itself."""

    rule = "sequence-break"

    def follow(self, book: Book, update: BookDelta) -> Sequence[Message]:
        if book.last is not None and update.sequence <= book.last:
            return ()
        return super().follow(book, update)


class NamelessGap(HarbourParser):
    """A Gap does not say which stream it is in."""

    rule = "sequence-break"

    def lose(self, book: Book, update: BookDelta) -> Sequence[Message]:
        return [attrs.evolve(event, what="") for event in super().lose(book, update)]  # type: ignore[call-arg]


class UnboundedBuffer(HarbourParser):
    """Deltas are kept without end while the whole book does not come."""

    rule = "bounded-memory"

    def follow(self, book: Book, update: BookDelta) -> Sequence[Message]:
        if book.waiting.maxlen is not None:
            book.waiting = deque(book.waiting)
        return super().follow(book, update)


class KeepsEveryFrame(HarbourParser):
    """Every frame is kept, in case somebody should ask."""

    rule = "bounded-memory"

    def receive(self, frame: Frame) -> Sequence[Message]:
        self.past = [*getattr(self, "past", ())[-100_000:], frame]
        return super().receive(frame)


class RequestStorm(HarbourParser):
    """With each delta the whole book is asked for again."""

    rule = "bounded-memory"

    def ask(self, book: Book, symbol: str) -> None:
        book.asked = False
        super().ask(book, symbol)
