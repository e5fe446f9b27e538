"""The verdict on a run with faults: is every event stored exactly once, or recorded as missing, and nothing else?

Stricter than `comparison` where it matters here and silent elsewhere: it looks
at trades, closed candles and books, and holds the store's coverage against the
truth in both directions. What is missing must lie in a recorded gap, and a
recorded gap must be missing something.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from random import Random

from attrs import Factory, define

from ..connector import Connector, Numbering
from ..events import Backfilled, Candle, Message, Trade
from ..store import QueryStore, Range, Selection
from ..subscription import Subscription
from .claims import Claims, Hole
from .comparison import SLACK_NS, Identity, differing_fields, identity
from .fills import merging, numbers, space_of
from .truth import Truth

Numberings = Mapping[str, Mapping[str | None, Numbering]]
Stream = tuple[str, str, str]
# How far a stored book may trail the market's: the slowest updates come once a second.
_TRAIL_NS = 2 * 10**9
# How long after an interruption something must have come for numbers to tell that nothing is missing.
_PROOF_NS = 10**9
_SHOWN = 3


@define
class Verdict:
    """What was found, in events unless said otherwise.

    `sent` is what the truth holds of the subscribed streams. Each is stored,
    lost in silence, missing within a recorded gap, or outside: before the
    first or behind the last thing the store says of its stream. `backfilled`
    of them were fetched later, as the store's events say. Gaps are counted in
    holes: gaps that nearly touch are one. `unproved_gaps` lack nothing, but
    nobody could know: numbers do not tell, or nothing came afterwards.
    """

    sent: int = 0
    stored: int = 0
    lost: int = 0
    in_gaps: int = 0
    outside: int = 0
    backfilled: int = 0
    duplicates: int = 0
    invented: int = 0
    different: int = 0
    gaps: int = 0
    false_gaps: int = 0
    unproved_gaps: int = 0
    wrong_counts: int = 0
    books_checked: int = 0
    books_wrong: int = 0
    books_not_intact: int = 0
    findings: list[str] = Factory(list)

    @property
    def clean(self) -> bool:
        """Whether there is nothing to object to."""
        return not self.findings


def numberings_of(connectors: Mapping[str, type[Connector]]) -> Numberings:
    """Return which trade ids leave none out, by exchange, as the connectors say."""
    return {exchange: getattr(connector, "trade_numbering", {}) for exchange, connector in connectors.items()}


async def judge(
    truth: Truth,
    store: QueryStore,
    subscribed: Collection[Subscription],
    *,
    numberings: Numberings,
    instants: int = 100,
    seed: int = 1,
) -> Verdict:
    """Hold what a store kept of `subscribed` (native symbols) against the truth.

    `numberings` are those of the connectors (`numberings_of`): where ids leave
    none out, a gap in which nothing is missing is a false one. Books are looked
    at in `instants` random moments of each symbol, the same for a `seed`.
    """
    streams = sorted({(item.exchange, item.channel, item.symbol) for item in subscribed})
    ranges: dict[Stream, list[Range]] = defaultdict(list)
    for item in await store.coverage():
        ranges[item.exchange, item.channel, item.symbol].append(item)
    events = _by_stream(truth.events)
    offered = {identity(event): event for event in truth.offered if isinstance(event, Trade | Candle)}
    verdict, random = Verdict(), Random(seed)
    async for note in store.read(Backfilled):
        if _stream(note) in streams:
            verdict.backfilled += note.count or 0
    for stream in streams:
        claims = Claims(ranges[stream])
        if stream[1] == "book":
            await _judge_books(verdict, truth, store, stream, claims, [random.random() for _ in range(instants)])
        elif stream[1] == "trade" or stream[1].startswith("candle_"):
            check = _Check(verdict, stream, claims, events[stream], offered)
            await check.run(store, numberings.get(stream[0], {}))
    return verdict


def _stream(event: Message) -> Stream:
    return (event.exchange, event.channel, event.symbol)


def _by_stream(events: Iterable[object]) -> dict[Stream, list[Trade | Candle]]:
    found: dict[Stream, list[Trade | Candle]] = defaultdict(list)
    for event in events:
        if isinstance(event, Trade) or (isinstance(event, Candle) and event.closed):
            found[_stream(event)].append(event)
    return found


class _Check:
    """One stream of trades or candles: the truth, what is stored, and what is claimed."""

    def __init__(
        self,
        verdict: Verdict,
        stream: Stream,
        claims: Claims,
        sent: Sequence[Trade | Candle],
        offered: Mapping[Identity, Trade | Candle],
    ) -> None:
        self._verdict, self._stream, self._claims = verdict, stream, claims
        self._sent = {identity(event): event for event in sent}
        self._offered = offered
        self._merged = merging(event for event in sent if isinstance(event, Trade))
        self._stored: dict[Identity, Trade | Candle] = {}
        # Times of what is there, for each numbering of the stream.
        self._there: dict[str | None, list[int]] = defaultdict(list)
        self._found: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = defaultdict(list)

    async def run(self, store: QueryStore, numbering: Mapping[str | None, Numbering]) -> None:
        async for event in _read(store, self._stream):
            same = identity(event)
            if same in self._stored:
                self._object("duplicates", "stored twice", event)
            self._stored[same] = event
        self._verdict.sent += len(self._sent)
        known = {same for event in self._sent.values() for same in self._look(event)}
        for same, event in self._stored.items():
            if same not in known:
                self._judge_unsent(same, event)
        self._judge_gaps(numbering)
        for kind, examples in self._examples.items():
            self._verdict.findings.append(f"{_name(self._stream)}: {self._found[kind]} {kind}: {'; '.join(examples)}")

    def _look(self, event: Trade | Candle) -> Iterator[Identity]:
        """Judge one event of the truth; yield what of the store belongs to it."""
        there = [same for same in self._identities(event) if same in self._stored]
        rows = [self._stored[same] for same in there]
        covered = sum(self._weight(row) for row in rows)
        missing = max(0, self._weight(event) - covered)
        if covered > self._weight(event):
            self._object("duplicates", "stored as itself and as fills", event)
        if rows and not missing:
            self._verdict.stored += 1
            self._there[_space(event)].append(_times(event)[0])
            wrong = self._wrong(event, rows)
            if wrong:
                self._object("different", "stored with another content", event, wrong)
        elif missing:
            self._judge_missing(event, missing)
        yield from there

    def _identities(self, event: Trade | Candle) -> Iterator[Identity]:
        if isinstance(event, Trade) and event.count > 1 and space_of(event) in self._merged:
            for number in numbers(event):
                yield (event.type, event.exchange, event.symbol, str(number), event.id_space)
        else:
            yield identity(event)

    def _weight(self, event: Trade | Candle) -> int:
        """Return how many numbers an event takes."""
        return event.count if isinstance(event, Trade) and space_of(event) in self._merged else 1

    def _wrong(self, event: Trade | Candle, rows: Sequence[Trade | Candle]) -> str:
        """Return in what the stored rows differ from the truth, empty where they do not."""
        if isinstance(event, Trade) and len(rows) > 1:
            fills = [row for row in rows if isinstance(row, Trade)]
            if any((row.price, row.side, row.kind, row.ts_event) !=
                   (event.price, event.side, event.kind, event.ts_event) for row in fills):  # fmt: skip
                return "the fills are not of one price, side, kind and time"
            total = sum(row.amount for row in fills)
            return "" if total == event.amount else f"the fills add up to {total} instead of {event.amount}"
        names = differing_fields(event, rows[0])
        if isinstance(event, Candle):
            # The moment a candle was told of is not part of it.
            names = [name for name in names if name != "ts_event"]
        elif names and (told := self._offered.get(identity(rows[0]))) is not None:
            names = differing_fields(told, rows[0])
        return f"{names[0]} is {getattr(rows[0], names[0])}" if names else ""

    def _judge_missing(self, event: Trade | Candle, missing: int) -> None:
        times = _times(event)
        hole = self._claims.hole(times)
        if hole is not None:
            hole.missing += missing
            self._verdict.in_gaps += 1
        elif self._claims.outside(times[0]):
            self._verdict.outside += 1
        else:
            self._object("lost", "lost in silence", event)

    def _judge_unsent(self, same: Identity, event: Trade | Candle) -> None:
        told = self._offered.get(same)
        if told is None:
            self._object("invented", "never sent", event)
        elif [name for name in differing_fields(told, event) if not (isinstance(event, Candle) and name == "ts_event")]:
            self._object("different", "stored with another content", event)

    def _judge_gaps(self, numbering: Mapping[str | None, Numbering]) -> None:
        candles = self._stream[1] != "trade"
        spaces = {_space(event) for event in self._sent.values()}
        for hole in self._claims.holes:
            self._verdict.gaps += 1
            if hole.missing:
                if hole.claimed is not None and hole.claimed != hole.missing:
                    self._verdict.wrong_counts += 1
                    self._say(
                        "gaps with a wrong count", f"{_when(hole)} says {hole.claimed}, {hole.missing} are missing"
                    )
            elif hole.claimed or (
                spaces and all((candles or space in numbering) and self._proved(space, hole) for space in spaces)
            ):
                self._verdict.false_gaps += 1
                self._say("gaps in which nothing is missing", f"{_when(hole)} ({hole.ranges[0].reason})")
            else:
                self._verdict.unproved_gaps += 1

    def _proved(self, space: str | None, hole: Hole) -> bool:
        """Whether events are stored before and behind a gap, whose numbers tell that none is between."""
        start, end = hole.span
        there = self._there[space]
        return bool(there) and min(there) < start - SLACK_NS and max(there) > end + _PROOF_NS

    def _object(self, kind: str, words: str, event: Trade | Candle, detail: str = "") -> None:
        setattr(self._verdict, kind, getattr(self._verdict, kind) + 1)
        key = ", ".join(str(part) for part in identity(event)[3:] if part is not None)
        self._say(words, f"{key} at {_times(event)[0]}{f' ({detail})' if detail else ''}")

    def _say(self, words: str, example: str) -> None:
        self._found[words] += 1
        if len(self._examples[words]) < _SHOWN:
            self._examples[words].append(example)


async def _read(store: QueryStore, stream: Stream) -> AsyncIterator[Trade | Candle]:
    exchange, channel, symbol = stream
    if channel == "trade":
        async for trade in store.read(Trade, Selection(exchange, symbol)):
            yield trade
        return
    async for candle in store.read(Candle, Selection(exchange, symbol, interval=channel.removeprefix("candle_"))):
        if candle.closed:
            yield candle


def _space(event: Trade | Candle) -> str | None:
    return event.id_space if isinstance(event, Trade) else None


def _times(event: Trade | Candle) -> list[int]:
    """Return the times by which an event may be looked for in the coverage, the surest first."""
    known = [event.ts_event, event.ts_recv]
    if isinstance(event, Candle):
        known.append(event.open_time)
    return [ts for ts in known if ts is not None]


def _name(stream: Stream) -> str:
    return " ".join(stream)


def _when(hole: Hole) -> str:
    return "{}..{}".format(*hole.span)


async def _judge_books(
    verdict: Verdict, truth: Truth, store: QueryStore, stream: Stream, claims: Claims, moments: Sequence[float]
) -> None:
    """Look at a symbol's stored book at moments, each a share of the time that its coverage spans."""
    if not claims:
        return
    exchange, _, symbol = stream
    start, end = claims.span
    wrong: list[str] = []
    for share in sorted(moments):
        ts = start + int(share * (end - start))
        book = await store.book_at(exchange, symbol, ts)
        if book is None or not book.intact:
            verdict.books_not_intact += 1
            continue
        verdict.books_checked += 1
        market = None if book.sequence is None else truth.book_at(exchange, symbol, book.sequence)
        if market is None:
            wrong.append(f"at {ts} number {book.sequence}, which the market never had")
        elif market != (book.bids, book.asks):
            levels = len(set(market[0]) ^ set(book.bids)) + len(set(market[1]) ^ set(book.asks))
            wrong.append(f"at {ts} number {book.sequence} differs in {levels} levels")
        elif truth.book_outdated(exchange, symbol, book.sequence or 0, ts, _TRAIL_NS):
            wrong.append(f"at {ts} number {book.sequence}, which the market had left {_TRAIL_NS / 1e9:g} s before")
    verdict.books_wrong += len(wrong)
    if wrong:
        verdict.findings.append(
            f"{_name(stream)}: {len(wrong)} books are not the market's: {'; '.join(wrong[:_SHOWN])}"
        )
