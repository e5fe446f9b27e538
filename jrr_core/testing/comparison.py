"""The rules by which what a store kept is held against what a simulator sent.

Trades, quotes, partial books, closed candles, funding, mark prices, open
interest and liquidations must be the same in every field but `ts_recv`. Book
deltas must all be there behind the first stored snapshot, and the book rebuilt
from the store must be the market's. What a standing Gap or a Disconnected in
the store accounts for is not a difference: the store said so itself. A merged
trade may also be stored as the fills it is made of, which is how some exchanges
tell of it when asked later.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from attrs import evolve

from ..book import Book
from ..events import (
    Backfilled,
    BookDelta,
    BookSnapshot,
    Candle,
    Connected,
    Disconnected,
    Gap,
    Message,
    StreamEvent,
    Trade,
)
from ..instrument import Instrument
from ..subscription import Subscription
from .fills import merging, numbers, space_of

Identity = tuple[Any, ...]
Event = Message | Instrument

# A Gap is dated by one clock reading, an event by another; on one machine they differ by scheduling alone.
SLACK_NS = 100_000_000
NEVER_NS = 1 << 63
_INSTRUMENT_FIELDS = ("base", "quote", "kind", "tick_size", "lot_size", "contract_size", "canonical")


def identity(event: Event) -> Identity:
    """Return what makes two events the same one: type, exchange, symbol and key."""
    if isinstance(event, Instrument):
        return (event.type, event.exchange, event.symbol)
    return (event.type, event.exchange, event.symbol, *event.key())


def compare(
    sent: Sequence[Event],
    offered: Sequence[Event],
    books: Sequence[BookSnapshot],
    stored: Iterable[Event],
    subscribed: Collection[Subscription] | None = None,
) -> list[str]:
    """Return the differences as sentences, grouped by exchange, stream and kind; empty when there are none.

    With `subscribed` only what belongs to those channels and symbols has to be in the store.
    """
    kept: dict[Identity, Event] = {}
    notes: list[StreamEvent] = []
    found = _Differences()
    for event in stored:
        if isinstance(event, StreamEvent):
            notes.append(event)
        elif _final(event):
            if identity(event) in kept:
                found.add("twice", event)
            kept[identity(event)] = event
    wanted = None if subscribed is None else {(item.exchange, item.channel, item.symbol) for item in subscribed}
    must = {identity(event): event for event in sent if _final(event)}
    may = {identity(event): event for event in offered}
    excuses, snapshots = _Excuses(notes), _snapshots(kept.values())
    for same, event in kept.items():
        truths = [row for row in (must.get(same), may.get(same)) if row is not None]
        wrong = [differing_fields(truth, event) for truth in truths]
        if not truths:
            found.add("never sent", event)
        elif all(wrong):
            name = wrong[0][0]
            found.add("different", event, f"{name} {_show(event, name)} instead of {_show(truths[0], name)}")
    merged = merging(event for event in must.values() if isinstance(event, Trade))
    for same, event in must.items():
        if isinstance(event, Instrument) or (wanted is not None and _where(event) not in wanted):
            continue
        if isinstance(event, Trade) and event.count > 1 and space_of(event) in merged:
            there = _fills(event, kept)
            if len(there) > 1 and event.count in [fill.count for fill in there]:
                found.add("twice", event)
            absent = sum(fill.count for fill in there) < event.count
        else:
            absent = same not in kept
        if absent and not _legitimately_absent(event, snapshots, excuses):
            found.add("missing", event)
    return found.sentences(must.values()) + _book_differences(books, kept.values(), excuses)


def _fills(merged: Trade, kept: Mapping[Identity, Event]) -> list[Trade]:
    """Return what is stored of a merged trade: itself, or its fills."""
    found = [kept.get(identity(evolve(merged, trade_id=str(number)))) for number in numbers(merged)]
    return [row for row in found if isinstance(row, Trade)]


def _final(event: Event) -> bool:
    return not isinstance(event, Candle) or event.closed


def _where(event: Message) -> tuple[str, str, str]:
    return (event.exchange, event.channel, event.symbol)


def differing_fields(truth: Event, event: Event) -> list[str]:
    """Return the names of the fields, `ts_recv` aside, in which two events differ."""
    if isinstance(truth, Instrument) or isinstance(event, Instrument):
        return [name for name in _INSTRUMENT_FIELDS if getattr(truth, name) != getattr(event, name)]
    names = ("ts_event", *truth.fields())
    return [name for name in names if getattr(truth, name) != getattr(event, name)]


def _show(event: Event, name: str) -> str:
    return repr(getattr(event, name)) if not isinstance(getattr(event, name), Decimal) else str(getattr(event, name))


Snapshots = dict[tuple[str, str], list[tuple[int, int]]]


def _snapshots(events: Iterable[Event]) -> Snapshots:
    """Return (sequence, ts_recv) of the stored full-book snapshots per symbol, by sequence."""
    found: Snapshots = defaultdict(list)
    for event in events:
        if isinstance(event, BookSnapshot) and event.depth is None and event.sequence is not None:
            found[event.exchange, event.symbol].append((event.sequence, event.ts_recv))
    return {where: sorted(rows) for where, rows in found.items()}


def _legitimately_absent(event: Message, snapshots: Snapshots, excuses: "_Excuses") -> bool:
    """Whether the store need not have this event: before the first snapshot, or accounted for by a note."""
    if not isinstance(event, BookDelta):
        return excuses.cover(event)
    known = snapshots.get((event.exchange, event.symbol))
    if known is None:
        return excuses.interrupted(event, 0)
    behind = bisect_left(known, (event.sequence, 0))
    # A book is invalid from an interruption to the next snapshot, which stands for all updates up to its own.
    return behind == 0 or excuses.interrupted(event, known[behind - 1][1])


class _Excuses:
    """Times for which the store itself says that a stream was not complete."""

    def __init__(self, notes: Sequence[StreamEvent]) -> None:
        spans: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
        mended = {(_where(note), note.sequences) for note in notes if isinstance(note, Backfilled)}
        begun: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for note in notes:
            if isinstance(note, Connected):
                begun[_where(note)].append(note.ts_recv if note.ts_from is None else note.ts_from)
        for note in notes:
            if isinstance(note, Disconnected):
                # Complete up to `ts_to`, and again from where the next connection says.
                start = note.ts_recv if note.ts_to is None else note.ts_to
                end = min((ts for ts in begun[_where(note)] if ts > start), default=NEVER_NS)
            elif isinstance(note, Gap) and (_where(note), note.sequences) not in mended:
                known = [ts for ts in (note.ts_from, note.ts_to) if ts is not None] or [note.ts_recv]
                start, end = min(known), max(known)
            else:
                continue
            spans[_where(note)].append((start, end))
        self._spans = {where: sorted(rows) for where, rows in spans.items()}

    def interrupted(self, event: Message, since_ns: int, slack_ns: int = SLACK_NS) -> bool:
        """Whether the event's stream was interrupted between `since_ns` and the event."""
        rows = self._spans.get(_where(event), [])
        # An interruption dated by the exchange may seem to begin before the snapshot it follows was received.
        return any((start >= since_ns or end > since_ns) and start <= event.ts_recv + slack_ns for start, end in rows)

    def cover(self, event: Message) -> bool:
        """Whether the event falls into an interruption of its stream."""
        rows = self._spans.get(_where(event), [])
        times = [event.ts_recv] if event.ts_event is None else [event.ts_event, event.ts_recv]
        return any(start - SLACK_NS <= ts <= end + SLACK_NS for ts in times for start, end in rows)


class _Differences:
    """What was found, counted per exchange, stream and kind, with the first example of each."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str, str, str]] = Counter()
        self._example: dict[tuple[str, str, str, str], str] = {}

    def add(self, kind: str, event: Event, detail: str = "") -> None:
        where = (event.exchange, _stream(event), event.symbol, kind)
        self._count[where] += 1
        if where not in self._example:
            key = ", ".join(str(part) for part in identity(event)[3:] if part is not None)
            self._example[where] = f"{key}: {detail}" if detail else key

    def sentences(self, sent: Iterable[Event]) -> list[str]:
        totals = Counter((event.exchange, _stream(event), event.symbol) for event in sent)
        return [
            f"{exchange} {stream} {symbol}: {count} {kind}, {totals[exchange, stream, symbol]} were sent; "
            f"first {self._example[exchange, stream, symbol, kind]}"
            for (exchange, stream, symbol, kind), count in sorted(self._count.items())
        ]


def _stream(event: Event) -> str:
    return event.type if isinstance(event, Instrument | BookDelta) else event.channel


def _book_differences(books: Sequence[BookSnapshot], stored: Iterable[Event], excuses: _Excuses) -> list[str]:
    """Rebuild each stored book from its last snapshot on and hold it against the market's."""
    events: dict[tuple[str, str], list[BookSnapshot | BookDelta]] = defaultdict(list)
    for event in stored:
        if isinstance(event, BookDelta) or (isinstance(event, BookSnapshot) and event.depth is None):
            events[event.exchange, event.symbol].append(event)
    found = []
    for final in books:
        rows = events.get((final.exchange, final.symbol), [])
        snapshots = [row for row in rows if isinstance(row, BookSnapshot)]
        if not snapshots and rows:
            found.append(
                f"{final.exchange} book {final.symbol}: {len(rows)} updates but no whole book to apply them to"
            )
        elif snapshots:
            last = max(snapshots, key=lambda row: (row.ts_recv, row.sequence or 0))
            if not excuses.interrupted(final, last.ts_recv, 0):
                found += _book_difference(final, last, [row for row in rows if isinstance(row, BookDelta)])
    return found


def _book_difference(final: BookSnapshot, last: BookSnapshot, deltas: list[BookDelta]) -> list[str]:
    book = Book()
    book.apply(last)
    for row in _following(last, deltas):
        book.apply(row)
    differing = []
    for side, levels in (("bid", final.bids), ("ask", final.asks)):
        have = book.bids if side == "bid" else book.asks
        want = dict(levels.decimals())
        differing += [f"{side} {price}" for price in have.keys() | want.keys() if have.get(price) != want.get(price)]
    if not differing:
        return []
    name = f"{final.exchange} book {final.symbol}"
    return [f"{name}: the rebuilt book differs from the market's in {len(differing)} levels, such as {differing[0]}"]


def _following(snapshot: BookSnapshot, deltas: list[BookDelta]) -> list[BookDelta]:
    """Return the deltas behind a snapshot, in order: by sequence, or by receipt where the numbering began anew."""
    if any(delta.previous_sequence is not None and delta.previous_sequence > delta.sequence for delta in deltas):
        return sorted((d for d in deltas if d.ts_recv > snapshot.ts_recv), key=lambda d: d.ts_recv)
    return sorted((d for d in deltas if d.sequence > (snapshot.sequence or 0)), key=lambda d: d.sequence)
