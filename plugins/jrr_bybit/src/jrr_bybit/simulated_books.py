"""The simulated Bybit's books: the best bid and ask, and the book with its updates."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from jrr_core.events import BookDelta, BookSnapshot, Quote
from jrr_core.exact import plain
from jrr_core.levels import Levels
from jrr_core.testing.market import Happening, Row

from .products import DERIVED_DEPTHS
from .simulated_feeds import MS, Feed, S, Trading

# Docs, "Orderbook" topic: time between two pushes.
_BOOK_EVERY_NS = {50: 20 * MS, 200: 100 * MS, 1000: 200 * MS}
_QUOTE_EVERY_NS = 10 * MS
_QUOTE_AGAIN_NS = 3 * S
Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


class QuoteFeed(Feed):
    """`orderbook.1`: a snapshot when the best level changed, and again every 3 s while it does not."""

    def __init__(self, topic: str, trading: Trading) -> None:
        """Start with a quote to tell."""
        super().__init__(topic, trading)
        self._u = 700
        self._dirty = True

    def happen(self, happening: Happening) -> None:
        """Note a change."""
        self._dirty |= happening.top

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Tell a change, or the same once more."""
        if not self.listeners:
            return
        if self._dirty and (at_once or now_ns - self.sent_ns >= _QUOTE_EVERY_NS):
            self.refresh(now_ns)
        elif self.last is not None and now_ns - self.sent_ns >= _QUOTE_AGAIN_NS:
            self.publish(self.last, (), now_ns)

    def refresh(self, now_ns: int) -> None:
        """Tell the best level of each side if it changed."""
        if not self._dirty:
            return
        self._dirty = False
        (bid,), (ask,) = self.market.top(self.symbol, 1)
        self._u += 1
        data = {"s": self.symbol, "b": _rows([bid]), "a": _rows([ask]), "u": self._u, "seq": self.trading.sequence}
        event = Quote(*self.trading.place(now_ns), *bid, *ask, self.trading.sequence)
        self.publish(self.push("snapshot", data, now_ns, cts=now_ns // MS), (event,), now_ns)


class BookFeed(Feed):
    """`orderbook.<depth>`: the book on joining, then what changed, `u` one higher each time.

    Faults, read from `faults` while they last: `gap` is the chance that an
    update is lost, `restart` the seconds between two restarts, each of which
    sends everyone the whole book with `u` 1.
    """

    def __init__(self, topic: str, trading: Trading, depth: int, faults: Mapping[str, float], now_ns: int) -> None:
        """Start with the book as it is."""
        super().__init__(topic, trading)
        self._depth = depth
        self._every_ns = _BOOK_EVERY_NS[depth]
        self._faults = faults
        self._restarted_ns = now_ns
        self._u = 1000
        self._dirty = False
        self._shown: Sides = ({}, {})
        self._sequence = 0
        self._kept: tuple[tuple[int, int], str] | None = None

    def happen(self, happening: Happening) -> None:
        """Note a change."""
        self._dirty = True

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Send what changed when it is due, or the whole book after a restart."""
        if not self.listeners:
            return
        restart_ns = int(self._faults.get("restart", 0) * S)
        if restart_ns and now_ns - self._restarted_ns >= restart_ns:
            self._restarted_ns = now_ns
            self._u = 0
            self._begin(now_ns)
            self.publish(self._snapshot(now_ns), (), now_ns)
        elif self._dirty and (at_once or now_ns - self.sent_ns >= self._every_ns):
            self._update(now_ns)

    def refresh(self, now_ns: int) -> None:
        """Bring those who listen up to date, then put the whole book ready for the one that joins."""
        if not self.listeners:
            self._begin(now_ns)
        elif self._dirty:
            self._update(now_ns)
        self.last = self._snapshot(now_ns)

    def _begin(self, now_ns: int) -> None:
        """Show the whole book under the next number."""
        self._u += 1
        self._dirty = False
        self._shown = self._book()
        self._sequence = self.trading.sequence

    def _snapshot(self, now_ns: int) -> str:
        """Return the whole book as it was last shown, the same text under the same number, and note it."""
        if self._kept is not None and self._kept[0] == (self._u, self._sequence):
            return self._kept[1]
        bids, asks = (_rows(side.items()) for side in self._shown)
        place = self.trading.place(now_ns)
        self.truth.record(BookSnapshot(*place, Levels(bids), Levels(asks), None, self._sequence))
        self._offer_tops(now_ns)
        self._kept = (self._u, self._sequence), self._text("snapshot", bids, asks, now_ns)
        return self._kept[1]

    def _update(self, now_ns: int) -> None:
        before, self._shown = self._shown, self._book()
        self._dirty = False
        bids, asks = (_changes(old, new) for old, new in zip(before, self._shown, strict=True))
        if not bids and not asks:
            return
        previous, self._sequence = self._sequence, self.trading.sequence
        self._u += 1
        place = self.trading.place(now_ns)
        event = BookDelta(*place, Levels(bids), Levels(asks), None, self._sequence, previous)
        gap = self._faults.get("gap", 0.0)
        if gap and self.trading.random.random() < gap:
            self.truth.record(event)
            return
        self._offer_tops(now_ns)
        self.publish(self._text("delta", bids, asks, now_ns), (event,), now_ns)

    def _book(self) -> Sides:
        bids, asks = self.market.top(self.symbol, self._depth)
        return dict(bids), dict(asks)

    def _text(self, kind: str, bids: list[tuple[str, str]], asks: list[tuple[str, str]], now_ns: int) -> str:
        data = {"s": self.symbol, "b": bids, "a": asks, "u": self._u, "seq": self._sequence}
        return self.push(kind, data, now_ns, cts=now_ns // MS)

    def _offer_tops(self, now_ns: int) -> None:
        """Note what a client may read off the book: its best levels."""
        for depth in DERIVED_DEPTHS.values() if self.truth.kept else ():
            bids, asks = (Levels(_rows(side)) for side in self.market.top(self.symbol, depth))
            self.truth.offer(BookSnapshot(*self.trading.place(now_ns), bids, asks, depth, self._sequence))


def _rows(levels: Iterable[Row]) -> list[tuple[str, str]]:
    return [(plain(price), plain(amount)) for price, amount in levels]


def _changes(before: Mapping[Decimal, Decimal], now: Mapping[Decimal, Decimal]) -> list[tuple[str, str]]:
    """Return the levels that are other than before; those that are gone have the amount 0."""
    changed = [(plain(price), plain(amount)) for price, amount in now.items() if before.get(price) != amount]
    return changed + [(plain(price), "0") for price in before if price not in now]
