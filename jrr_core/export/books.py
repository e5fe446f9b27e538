"""A stored book as rows: whole, then change by change; or its best levels at regular times.

What is shown is known: while an update is missing there are no rows, until the
next whole book.
"""

from collections.abc import AsyncIterator
from typing import Any

from attrs import define

from ..book import BookState, TrackedBook
from ..events import BookDelta, BookSnapshot, Message
from ..exact import plain
from ..levels import Levels
from ..store import QueryStore, Selection
from .kind import Row


@define
class LeftOut:
    """How many rows were left out because the book was not known."""

    rows: int = 0


async def changes(store: QueryStore, chosen: Selection, left_out: LeftOut) -> AsyncIterator[Row]:
    """Yield a symbol's book between two times: the whole book first, then each change."""
    book = await _begun(store, chosen)
    if book is not None:
        yield _row(book.snapshot(), True)
    async for event in _events(store, chosen):
        if isinstance(event, BookSnapshot):
            book = _applied(book, event)
            yield _row(event, True)
            continue
        if book is None:
            left_out.rows += 1
            continue
        before = book.sequence
        book.apply(event)
        if not book.intact:
            left_out.rows += 1
        elif book.sequence != before:
            yield _row(event, False)


async def samples(
    store: QueryStore, chosen: Selection, every_ns: int, depth: int, left_out: LeftOut
) -> AsyncIterator[BookState]:
    """Yield a symbol's book at each multiple of `every_ns` between two times, its best `depth` levels a side."""
    book = await _begun(store, chosen)
    assert chosen.ts_from is not None
    assert chosen.ts_to is not None
    due = -(-chosen.ts_from // every_ns) * every_ns
    async for event in _events(store, chosen):
        at = event.ts_recv if event.ts_event is None else event.ts_event
        while due < min(at, chosen.ts_to):
            if book is not None and book.intact:
                yield _state(book, due, depth)
            else:
                left_out.rows += 1
            due += every_ns
        if isinstance(event, BookSnapshot):
            book = _applied(book, event)
        elif book is not None:
            book.apply(event)


def _state(book: TrackedBook, ts: int, depth: int) -> BookState:
    state = book.state(depth)
    return BookState(state.exchange, state.symbol, ts, state.sequence, state.bids, state.asks, True, None)


def _applied(book: TrackedBook | None, snapshot: BookSnapshot) -> TrackedBook:
    if book is None:
        return TrackedBook(snapshot)
    book.apply(snapshot)
    return book


async def _begun(store: QueryStore, chosen: Selection) -> TrackedBook | None:
    """Return the book as it stood just before the first time, None where that is not known."""
    if chosen.ts_from is None or not chosen.ts_from:
        return None
    state = await store.book_at(chosen.exchange or "", chosen.symbol or "", chosen.ts_from - 1)
    if state is None or not state.intact:
        return None
    bids, asks = (Levels([(plain(p), plain(a)) for p, a in side]) for side in (state.bids, state.asks))
    start = BookSnapshot(state.exchange, state.symbol, state.ts, state.ts, bids, asks, None, state.sequence)
    return TrackedBook(start)


async def _events(store: QueryStore, chosen: Selection) -> AsyncIterator[BookSnapshot | BookDelta]:
    """Yield whole books and changes in order of time; a whole book before a change of its time."""
    wholes, deltas = store.read(BookSnapshot, chosen), store.read(BookDelta, chosen)
    whole, delta = await _next_whole(wholes), await anext(deltas, None)
    while whole is not None or delta is not None:
        if delta is None or (whole is not None and _order(whole) <= _order(delta)):
            assert whole is not None
            yield whole
            whole = await _next_whole(wholes)
        else:
            yield delta
            delta = await anext(deltas, None)


async def _next_whole(found: AsyncIterator[BookSnapshot]) -> BookSnapshot | None:
    async for snapshot in found:
        if snapshot.depth is None:
            return snapshot
    return None


def _order(event: Message) -> tuple[int, int]:
    return (event.ts_recv if event.ts_event is None else event.ts_event), getattr(event, "sequence", None) or 0


def _row(event: Any, whole: bool) -> Row:
    return {
        "exchange": event.exchange, "symbol": event.symbol, "ts_event": event.ts_event, "ts_recv": event.ts_recv,
        "is_snapshot": whole, "sequence": event.sequence, "bids": event.bids, "asks": event.asks,
    }  # fmt: skip
