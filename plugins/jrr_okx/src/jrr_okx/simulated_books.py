"""The simulated OKX's books: the best bid and ask, the best five levels, and the whole book with its updates."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from jrr_core.events import BookDelta, BookSnapshot, Message, Quote
from jrr_core.testing.market import Happening, Row

from .products import DERIVED_DEPTHS, EXCHANGE
from .simulated_feed import MS, Feed, S, Trading, level_rows, levels

Rates = Mapping[str, float]


class QuoteFeed(Feed):
    """`bbo-tbt`: the best level of each side, at most every 10 ms, when it changed."""

    every_ns = 10 * MS
    depth = 1
    _dirty = True

    def happen(self, happening: Happening) -> None:
        if happening.top:
            self._dirty = True

    def tick(self, now_ns: int, at_once: bool) -> None:
        if self._dirty and self.listeners and (at_once or now_ns - self.sent_ns >= self.every_ns):
            self.refresh(now_ns)

    def refresh(self, now_ns: int) -> None:
        if not self._dirty:
            return
        self._dirty = False
        bids, asks = self.trading.market.top(self.symbol, self.depth)
        if not self.changed(bids, asks):
            return
        ms, sequence = now_ns // MS, self.trading.sequence
        body = (
            f'"data":[{{"asks":[{level_rows(asks)}],"bids":[{level_rows(bids)}],{self.extra}'
            f'"ts":"{ms}","seqId":{sequence}}}]'
        )  # fmt: skip
        self.publish(body, (self.event(bids, asks, ms * MS, now_ns, sequence),), now_ns)

    extra = ""

    def changed(self, bids: list[Row], asks: list[Row]) -> bool:
        """Whether the levels are worth a push."""
        return True

    def event(self, bids: list[Row], asks: list[Row], ts: int, now_ns: int, sequence: int) -> Message:
        """Return what the push means."""
        return Quote(EXCHANGE, self.symbol, ts, now_ns, *bids[0], *asks[0], sequence)


class TopBookFeed(QuoteFeed):
    """`books5`: the best five levels, at most every 100 ms, when they changed."""

    every_ns = 100 * MS
    depth = 5

    def __init__(self, channel: str, trading: Trading) -> None:
        super().__init__(channel, trading)
        self.extra = f'"instId":"{self.symbol}",'
        self._shown: tuple[list[Row], list[Row]] | None = None

    def happen(self, happening: Happening) -> None:
        self._dirty = True

    def changed(self, bids: list[Row], asks: list[Row]) -> bool:
        before, self._shown = self._shown, (bids, asks)
        return before != self._shown

    def event(self, bids: list[Row], asks: list[Row], ts: int, now_ns: int, sequence: int) -> Message:
        return BookSnapshot(EXCHANGE, self.symbol, ts, now_ns, levels(bids), levels(asks), 5, sequence)


class BookFeed(Feed):
    """`books`: the whole book on joining, then changes every 100 ms, empty heartbeats after 60 s without any.

    Faults: `gap` is the chance that an update is lost, `maintenance` the
    seconds between two restarts of the sequence at a smaller number; they end
    when they are taken out of `faults`.
    """

    every_ns = 100 * MS
    heartbeat_ns = 60 * S

    def __init__(self, channel: str, trading: Trading, faults: Rates, now_ns: int) -> None:
        super().__init__(channel, trading)
        self._faults = faults
        self._restarted_ns = now_ns
        self._restart = trading.sequence
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._sequence = trading.sequence
        self._snapshot: tuple[int, str] | None = None

    def happen(self, happening: Happening) -> None:
        if self.listeners:
            self._bids.update(happening.bids)
            self._asks.update(happening.asks)

    def tick(self, now_ns: int, at_once: bool) -> None:
        if not self.listeners:
            return
        if self._bids or self._asks:
            if at_once or now_ns - self.sent_ns >= self.every_ns:
                self._update(now_ns)
        elif now_ns - self.sent_ns >= self.heartbeat_ns:
            self._send("update", "", "", self._sequence, self._sequence, (), now_ns)

    def _update(self, now_ns: int) -> None:
        maintenance_ns = int(self._faults.get("maintenance", 0) * S)
        if maintenance_ns and now_ns - self._restarted_ns >= maintenance_ns:
            self._restarted_ns = now_ns
            # Each restart is at a number of its own, so that no sequence is used twice.
            self._restart = self.trading.sequence = self._restart // 2
            self.trading.log(now_ns)
        bids, asks = list(self._bids.items()), list(self._asks.items())
        self._bids.clear()
        self._asks.clear()
        previous, self._sequence = self._sequence, self.trading.sequence
        event = BookDelta(
            EXCHANGE, self.symbol, now_ns // MS * MS, now_ns, levels(bids), levels(asks),
            None, self._sequence, previous,
        )  # fmt: skip
        gap = self._faults.get("gap", 0.0)
        if gap and self.trading.random.random() < gap:
            self.trading.truth.record(event)
            return
        self._offer_tops(now_ns)
        self._send("update", level_rows(bids), level_rows(asks), self._sequence, previous, (event,), now_ns)

    def refresh(self, now_ns: int) -> None:
        """Bring the subscribers up to date, then put the whole book ready for the one that joins."""
        if not self.listeners:
            self._bids.clear()
            self._asks.clear()
            self._sequence = self.trading.sequence
        elif self._bids or self._asks:
            self._update(now_ns)
        if self._snapshot is not None and self._snapshot[0] == self._sequence:
            self.last = self._snapshot[1]
            return
        bids, asks = self.trading.market.book(self.symbol)
        ms = now_ns // MS
        body = self._body("snapshot", level_rows(bids), level_rows(asks), self._sequence, -1, ms)
        self.last = f'{{"arg":{self.head},{body}}}'
        self._snapshot = (self._sequence, self.last)
        self.sent_ns = now_ns
        self.trading.truth.record(
            BookSnapshot(EXCHANGE, self.symbol, ms * MS, now_ns, levels(bids), levels(asks), None, self._sequence)
        )
        self._offer_tops(now_ns)

    def _offer_tops(self, now_ns: int) -> None:
        """Note what a client may read off the book: its best levels, in the depths OKX has no channel for."""
        truth, ts = self.trading.truth, now_ns // MS * MS
        for depth in DERIVED_DEPTHS.values() if truth.kept else ():
            bids, asks = (levels(side) for side in self.trading.market.top(self.symbol, depth))
            truth.offer(BookSnapshot(EXCHANGE, self.symbol, ts, now_ns, bids, asks, depth, self._sequence))

    def _send(
        self, action: str, bids: str, asks: str, sequence: int, previous: int, events: Iterable[Message], now_ns: int
    ) -> None:
        self.publish(self._body(action, bids, asks, sequence, previous, now_ns // MS), events, now_ns)

    def _body(self, action: str, bids: str, asks: str, sequence: int, previous: int, ms: int) -> str:
        return (
            f'"action":"{action}","data":[{{"asks":[{asks}],"bids":[{bids}],"ts":"{ms}",'
            f'"checksum":0,"seqId":{sequence},"prevSeqId":{previous}}}]'
        )
