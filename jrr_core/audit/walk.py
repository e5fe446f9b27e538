"""Reads a store stream by stream and puts together what `jrr audit` says. Holds no rows."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from attrs import evolve

from ..events import BookDelta, BookSnapshot, Candle, Trade
from ..store import Range, Selection, Store
from .chain import Chain, linked
from .finding import Finding, Hole, Rules, Span, StreamAudit
from .grid import Grid, step_of
from .kept import KeptBook
from .ledger import Outside, Seen, compare
from .made import Made
from .numbered import Numbered
from .unused import Unused

Stream = tuple[str, str, str]
_UNNUMBERED = "no numbers here tell of holes"
_CROSSED = "do not use the book of this time; the next whole snapshot mends it"
_OUTSIDE = "a choice of complete ranges leaves them out"


async def audit(
    store: Store,
    streams: Iterable[Stream],
    rules: Mapping[str, Rules],
    ts_from: int | None = None,
    ts_to: int | None = None,
) -> AsyncIterator[StreamAudit]:
    """Yield what is found of each stream (exchange, channel, symbol) between two times, int ns UTC.

    `rules` are by exchange; where an exchange has none, its ids are not
    judged. Raises as the store's methods do.
    """
    before = _by_stream(await store.coverage())
    channels: dict[tuple[str, str], list[str]] = {}
    for exchange, channel, symbol in sorted(streams):
        channels.setdefault((exchange, symbol), []).append(channel)
    for (exchange, symbol), named in channels.items():
        chosen = Selection(exchange, symbol, ts_from, ts_to)
        walk = _Walk(store, chosen, exchange, symbol, before)
        for result in await walk.results(named, rules.get(exchange)):
            yield result


class _Walk:
    """One symbol of one exchange."""

    def __init__(
        self, store: Store, chosen: Selection, exchange: str, symbol: str, ranges: Mapping[Stream, Sequence[Range]]
    ) -> None:
        self._store, self._chosen = store, chosen
        self._exchange, self._symbol = exchange, symbol
        self._ranges = ranges
        self._results: dict[str, StreamAudit] = {}

    async def results(self, channels: Sequence[str], rules: Rules | None) -> Iterable[StreamAudit]:
        """Judge these channels, trades first: they find candles that are wrong."""
        intervals = [name.removeprefix("candle_") for name in channels if name.startswith("candle_")]
        if "trade" in channels:
            await self._trades(rules, [interval for interval in intervals if "@" not in interval])
        for interval in intervals:
            await self._candles(interval)
        if "book" in channels:
            await self._book()
        for channel in channels:
            if channel not in ("trade", "book") and not channel.startswith("candle_"):
                self._stream(channel).unjudged = _UNNUMBERED
        return [self._results[name] for name in sorted(self._results)]

    async def _trades(self, rules: Rules | None, intervals: Sequence[str]) -> None:
        """Judge the trades: each numbering by itself, all by one ledger."""
        outside = Outside(self._known("trade"))
        spaces: dict[str | None, Numbered] = {}
        made: dict[str | None, list[Made]] = {}
        async for trade in self._store.read(Trade, self._chosen):
            name = trade.id_space
            if name not in spaces:
                spaces[name] = Numbered(self._stream("trade" if name is None else f"trade@{name}"), rules, name)
                compared = intervals if rules is not None and name in rules.candle_trades else ()
                made[name] = [self._made(interval) for interval in compared]
            when = Span.of(trade)
            outside.take(when)
            ids = spaces[name].take(trade, when)
            if ids is not None:
                for candles in made[name]:
                    await candles.take(*ids, trade)
        unused = await Unused.of(self._store, *self._name("trade"))
        for name, space in spaces.items():
            for candles in made[name]:
                await candles.end()
            before = unused.count
            seen = space.seen("trade", unused, alone=len(spaces) == 1)
            space.result.unused = unused.count - before
            if seen is not None:
                await self._hold(space.result, "trade", seen)
        first = next(iter(spaces.values())).result if spaces else self._stream("trade")
        first.rows = first.rows or 0
        self._outside(first, outside)

    async def _candles(self, interval: str) -> None:
        """Judge the closed candles of one interval by their grid."""
        channel = f"candle_{interval}"
        result, outside, step = self._stream(channel), Outside(self._known(channel)), step_of(interval)
        grid = None if step is None else Grid(step)
        holes: list[Hole] = []
        span: Span | None = None
        rows = 0
        async for candle in self._store.read(Candle, evolve(self._chosen, interval=interval)):
            if not candle.closed:
                continue
            rows += 1
            when = Span.of(candle)
            outside.take(Span(min(when.early, candle.open_time), when.late))
            if grid is not None:
                hole, close = grid.take(candle), candle.open_time + grid.step
                holes += [] if hole is None else [hole]
                span = Span(close if span is None else span.early, close)
        result.rows = rows
        if grid is None:
            result.unjudged = "candles of this interval differ in length"
        else:
            unused = await Unused.of(self._store, *self._name(channel))
            holes = [*unused.without(holes, grid.step)]
            result.runs, result.unused = (rows > 0) + len(holes), unused.count
            await self._hold(result, channel, Seen(*self._name(channel), "candles", holes, span))
        self._outside(result, outside)

    async def _book(self) -> None:
        """Judge the updates of the whole book by their chain, and the book by its sides."""
        result, outside = self._stream("book"), Outside(self._known("book"))
        chain, kept = Chain(), KeptBook()
        holes: list[Hole] = []
        span: Span | None = None
        rows = 0
        async for event in self._book_events(chain):
            rows += 1
            when = Span.of(event)
            outside.take(when)
            if isinstance(event, BookSnapshot):
                kept.snapshot(event)
                continue
            hole = chain.take(event)
            holes += [] if hole is None else [hole]
            span = Span(when.early if span is None else span.early, when.late)
            kept.delta(event)
        kept.end()
        result.rows, result.runs = rows, (span is not None) + len(holes)
        await self._hold(result, "book", Seen(*self._name("book"), "book updates", holes, span))
        for start, end in kept.crossings:
            if not any(gap.ts_from <= end and gap.ts_to >= start for gap in self._known("book") if gap.state == "gap"):
                text = f"the best bid is at or above the best ask for {(end - start) / 1e9:.3f} s"
                result.find("crossed book", start, end, text, _CROSSED)
        self._outside(result, outside)

    async def _book_events(self, chain: Chain) -> AsyncIterator[BookSnapshot | BookDelta]:
        """Yield snapshots and deltas of the whole book in order of time, a snapshot before deltas of its time."""
        snapshots = aiter(self._store.read(BookSnapshot, self._chosen))
        waiting = await _whole(snapshots)
        group: list[BookDelta] = []
        async for delta in self._store.read(BookDelta, self._chosen):
            if group and _time(delta) != _time(group[0]):
                for known in linked(group, chain.last):
                    yield known
                group.clear()
            while waiting is not None and _time(waiting) <= _time(delta):
                for known in linked(group, chain.last):
                    yield known
                group.clear()
                yield waiting
                waiting = await _whole(snapshots)
            group.append(delta)
        for known in linked(group, chain.last):
            yield known
        while waiting is not None:
            yield waiting
            waiting = await _whole(snapshots)

    async def _hold(self, result: StreamAudit, channel: str, seen: Seen) -> None:
        """Compare with the ledger as it was before the rows were read and, where it does not agree, as it is now.

        A store that is being written changes meanwhile: only what fits neither is a finding.
        """
        counts = [hole.count for hole in seen.holes]
        result.holes = len(counts)
        result.missing = None if None in counts else sum(count for count in counts if count is not None)
        result.recorded, findings = compare(seen, self._known(channel))
        if findings:
            now = _by_stream(await self._store.coverage()).get(self._name(channel), [])
            if now != self._known(channel):
                recorded, later = compare(seen, now)
                same = {_identity(finding) for finding in later}
                result.recorded = max(result.recorded, recorded)
                findings = [finding for finding in findings if _identity(finding) in same]
        for finding in findings:
            result.add(finding)

    def _outside(self, result: StreamAudit, outside: Outside) -> None:
        if outside.count:
            known = "outside every range of the ledger" if outside.ranges else "of which the ledger says nothing"
            text = f"{outside.count:,} rows are stored {known}"
            result.find("outside coverage", outside.first, outside.last, text, _OUTSIDE, count=outside.count, note=True)

    def _known(self, channel: str) -> Sequence[Range]:
        return self._ranges.get(self._name(channel), ())

    def _name(self, channel: str) -> Stream:
        return self._exchange, channel, self._symbol

    def _made(self, interval: str) -> Made:
        return Made(self._store, self._chosen, interval, self._stream(f"candle_{interval}"))

    def _stream(self, channel: str) -> StreamAudit:
        return self._results.setdefault(channel, StreamAudit(*self._name(channel)))


async def _whole(snapshots: AsyncIterator[BookSnapshot]) -> BookSnapshot | None:
    """Return the next snapshot of a whole book."""
    async for snapshot in snapshots:
        if snapshot.depth is None:
            return snapshot
    return None


def _time(event: BookSnapshot | BookDelta) -> int:
    return event.ts_recv if event.ts_event is None else event.ts_event


def _by_stream(ranges: Iterable[Range]) -> dict[Stream, list[Range]]:
    found: dict[Stream, list[Range]] = {}
    for item in ranges:
        found.setdefault((item.exchange, item.channel, item.symbol), []).append(item)
    return found


def _identity(finding: Finding) -> tuple[str, int, int]:
    return finding.kind, finding.ts_from, finding.ts_to
