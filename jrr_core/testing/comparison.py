"""The rules by which what a store kept is held against what a simulator sent.

Trades, quotes, partial books, closed candles, funding, mark prices, open
interest and liquidations must be the same in every field but `ts_recv`. Book
deltas must all be there behind the first stored snapshot, and the book rebuilt
from the store must be the market's. What a standing Gap or a Disconnected in
the store accounts for is not a difference: the store said so itself.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

from ..book import Book
from ..events import BookDelta, BookSnapshot, Candle, Message, StreamEvent
from ..instrument import Instrument
from ..subscription import Subscription

Identity = tuple[Any, ...]
Event = Message | Instrument

# A Gap is dated by one clock reading, an event by another; on one machine they differ by scheduling alone.
SLACK_NS = 1_000_000_000
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
    excuses, floors = _Excuses(notes), _snapshots(kept.values())
    for same, event in kept.items():
        truth = must.get(same) or may.get(same)
        if truth is None:
            found.add("never sent", event)
        elif wrong := differing_fields(truth, event):
            found.add("different", event, f"{wrong[0]} {_show(event, wrong[0])} instead of {_show(truth, wrong[0])}")
    for same, event in must.items():
        if isinstance(event, Instrument) or (wanted is not None and _where(event) not in wanted):
            continue
        if same not in kept and not _legitimately_absent(event, floors, excuses):
            found.add("missing", event)
    return found.sentences(must.values()) + _book_differences(books, kept.values())


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


def _snapshots(events: Iterable[Event]) -> dict[tuple[str, str], list[int]]:
    """Return per symbol the sequences of the stored full-book snapshots, in order of receipt."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        if isinstance(event, BookSnapshot) and event.depth is None and event.sequence is not None:
            found[event.exchange, event.symbol].append((event.ts_recv, event.sequence))
    return {where: [sequence for _, sequence in sorted(rows)] for where, rows in found.items()}


def _legitimately_absent(event: Message, floors: dict[tuple[str, str], list[int]], excuses: "_Excuses") -> bool:
    """Whether the store need not have this event: before the first snapshot, or accounted for by a note."""
    if isinstance(event, BookDelta):
        snapshots = floors.get((event.exchange, event.symbol))
        if snapshots is not None and event.sequence <= snapshots[0]:
            return True
        # A later snapshot stands for the deltas before it, but only where the store says the book was interrupted.
        if excuses.ever(event) and (snapshots is None or event.sequence <= max(snapshots)):
            return True
    return excuses.cover(event)


class _Excuses:
    """Times for which the store itself says that a stream was not complete."""

    def __init__(self, notes: Iterable[StreamEvent]) -> None:
        spans: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
        mended: Counter[Identity] = Counter()
        notes = list(notes)
        for note in notes:
            if note.type == "backfilled":
                mended[(note.exchange, note.what, note.symbol, note.sequences)] += 1
        for note in notes:
            if note.type == "gap" and mended[(note.exchange, note.what, note.symbol, note.sequences)]:
                continue
            if note.type in ("gap", "disconnected"):
                start = note.ts_from if note.ts_from is not None else note.ts_to
                start = note.ts_recv if start is None else start
                end = max(start, note.ts_to if note.ts_to is not None else note.ts_recv)
                spans[note.exchange, note.what, note.symbol].append((start - SLACK_NS, end + SLACK_NS))
        self._spans = {where: sorted(rows) for where, rows in spans.items()}

    def ever(self, event: Message) -> bool:
        """Whether the event's stream was ever interrupted."""
        return (event.exchange, event.channel, event.symbol) in self._spans

    def cover(self, event: Message) -> bool:
        """Whether the event falls into an interruption of its stream."""
        rows = self._spans.get((event.exchange, event.channel, event.symbol), [])
        times = [event.ts_recv] if event.ts_event is None else [event.ts_event, event.ts_recv]
        return any(start <= ts <= end for ts in times for start, end in rows[: bisect_right(rows, (ts, ts))])


class _Differences:
    """What was found, counted per exchange, stream and kind, with the first example of each."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str, str, str]] = Counter()
        self._example: dict[tuple[str, str, str, str], str] = {}

    def add(self, kind: str, event: Event, detail: str = "") -> None:
        where = (event.exchange, _stream(event), event.symbol, kind)
        self._count[where] += 1
        if where not in self._example:
            key = ", ".join(str(part) for part in identity(event)[3:])
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


def _book_differences(books: Sequence[BookSnapshot], stored: Iterable[Event]) -> list[str]:
    """Rebuild each stored book from its last snapshot on and hold it against the market's."""
    events: dict[tuple[str, str], list[BookSnapshot | BookDelta]] = defaultdict(list)
    for event in stored:
        if isinstance(event, BookDelta) or (isinstance(event, BookSnapshot) and event.depth is None):
            events[event.exchange, event.symbol].append(event)
    found = []
    for final in books:
        rows = events.get((final.exchange, final.symbol))
        if rows:
            found += _book_difference(final, rows)
    return found


def _book_difference(final: BookSnapshot, rows: list[BookSnapshot | BookDelta]) -> list[str]:
    name = f"{final.exchange} book {final.symbol}"
    snapshots = [row for row in rows if isinstance(row, BookSnapshot)]
    if not snapshots:
        return [f"{name}: deltas are stored without any snapshot"]
    last = max(snapshots, key=lambda row: (row.ts_recv, row.sequence or 0))
    book = Book()
    book.apply(last)
    for row in _following(last, [row for row in rows if isinstance(row, BookDelta)]):
        book.apply(row)
    differing = []
    for side, levels in (("bid", final.bids), ("ask", final.asks)):
        have = book.bids if side == "bid" else book.asks
        want = dict(levels.decimals())
        differing += [f"{side} {price}" for price in have.keys() | want.keys() if have.get(price) != want.get(price)]
    if not differing:
        return []
    return [f"{name}: the rebuilt book differs from the market's in {len(differing)} levels, such as {differing[0]}"]


def _following(snapshot: BookSnapshot, deltas: list[BookDelta]) -> list[BookDelta]:
    """Return the deltas behind a snapshot, in order: by sequence, or by receipt where the numbering began anew."""
    if any(delta.previous_sequence is not None and delta.previous_sequence > delta.sequence for delta in deltas):
        return sorted((d for d in deltas if d.ts_recv > snapshot.ts_recv), key=lambda d: d.ts_recv)
    return sorted((d for d in deltas if d.sequence > (snapshot.sequence or 0)), key=lambda d: d.sequence)
