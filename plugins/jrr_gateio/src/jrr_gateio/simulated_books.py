"""The simulated Gate's books: `obu`, whole in the stream, and `order_book_update`, which begins over REST."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.exact import plain
from jrr_core.levels import Levels
from jrr_core.testing.market import Happening, Row

from .products import DERIVED_DEPTHS
from .simulated_feeds import MS, Feed, Trading, push

# Docs, "Order book v2 channel" and "Order book update channel": time between two pushes.
_OBU_EVERY_NS = {50: 20 * MS, 400: 100 * MS}
_DIFF_EVERY_NS = 100 * MS
Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


class _BookFeed(Feed):
    """What both have: the levels as they were last shown, and the number of that.

    The fault `gap`, read from `faults` while it lasts, is the chance that an
    update is lost.
    """

    depth: int
    every_ns: int

    def __init__(self, trading: Trading, depth: int, every_ns: int, faults: Mapping[str, float]) -> None:
        """Start with the book as it is."""
        super().__init__(trading)
        self.depth = depth
        self.every_ns = every_ns
        self._faults = faults
        self._dirty = False
        self.show()

    def happen(self, happening: Happening) -> None:
        """Note a change."""
        self._dirty = True

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Send what changed when it is due."""
        if self.listeners and self._dirty and (at_once or now_ns - self.sent_ns >= self.every_ns):
            self.update(now_ns)

    def show(self) -> None:
        """Take the book as it is."""
        bids, asks = self.market.top(self.symbol, self.depth)
        self.shown: Sides = dict(bids), dict(asks)
        self.number = self.trading.sequence
        self._dirty = False

    def update(self, now_ns: int) -> None:
        """Send what changed."""
        before, first = self.shown, self.number + 1
        self.show()
        bids, asks = self.changes(before)
        event = BookDelta(*self.trading.place(now_ns), Levels(bids), Levels(asks), first, self.number, None)
        gap = self._faults.get("gap", 0.0)
        if gap and self.trading.random.random() < gap:
            self.truth.record(event)
            return
        self.offer_tops(now_ns)
        self.publish(self.text(first, bids, asks, now_ns), (event,), now_ns)

    def changes(self, before: Sides) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the levels that are other than `before`."""
        bids, asks = (_changes(old, new) for old, new in zip(before, self.shown, strict=True))
        return bids, asks

    def text(self, first: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]], now_ns: int) -> str:
        """Return the push of an update."""
        raise NotImplementedError

    def offer_tops(self, now_ns: int) -> None:
        """Note what a client may read off the book: its best levels."""
        for depth in DERIVED_DEPTHS.values() if self.truth.kept else ():
            bids, asks = (Levels(rows(side)) for side in self.market.top(self.symbol, depth))
            self.truth.offer(BookSnapshot(*self.trading.place(now_ns), bids, asks, depth, self.number))


class ObuFeed(_BookFeed):
    """`obu`: the whole book on joining, then what changed."""

    def __init__(self, trading: Trading, depth: int, faults: Mapping[str, float]) -> None:
        """Start with the book as it is."""
        super().__init__(trading, depth, _OBU_EVERY_NS[depth], faults)
        self.name = "obu"
        self._stream = f"ob.{trading.symbol}.{depth}"
        self._whole: tuple[int, str] | None = None

    def refresh(self, now_ns: int) -> None:
        """Bring those who listen up to date, then put the whole book ready for the one that joins."""
        if not self.listeners:
            self.show()
        elif self._dirty:
            self.update(now_ns)
        if self._whole is None or self._whole[0] != self.number:
            bids, asks = (rows(side.items()) for side in self.shown)
            place = self.trading.place(now_ns)
            self.truth.record(BookSnapshot(*place, Levels(bids), Levels(asks), None, self.number))
            self.offer_tops(now_ns)
            row = {"t": now_ns // MS, "full": True, "s": self._stream, "u": self.number, "b": bids, "a": asks}
            self._whole = self.number, push(self.trading.product, self.name, row, now_ns)
        self.last = self._whole[1]

    def text(self, first: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]], now_ns: int) -> str:
        """Return the push of an update."""
        row = {"t": now_ns // MS, "s": self._stream, "u": self.number, "U": first, "b": bids, "a": asks}
        return push(self.trading.product, self.name, row, now_ns)


class DiffFeed(_BookFeed):
    """`order_book_update`: every level that was touched; where it begins is answered over REST.

    A level that is again as it was must be told as well: the answer may show it
    as it was in between.
    """

    name = "order_book_update"

    def __init__(self, trading: Trading, faults: Mapping[str, float]) -> None:
        """Start with the book as it is; levels beyond the snapshot's are told when they change."""
        self._touched: tuple[dict[Decimal, None], dict[Decimal, None]] = ({}, {})
        super().__init__(trading, 1000, _DIFF_EVERY_NS, faults)

    def happen(self, happening: Happening) -> None:
        """Note what is touched."""
        super().happen(happening)
        for touched, side in zip(self._touched, (happening.bids, happening.asks), strict=True):
            touched.update(dict.fromkeys([price for price, _ in side]))

    def show(self) -> None:
        """Take the book as it is."""
        super().show()
        self._told, self._touched = self._touched, ({}, {})

    def changes(self, before: Sides) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the levels that were touched; those that are gone have the amount 0."""
        bids, asks = (
            [(plain(price), plain(side.get(price, Decimal(0)))) for price in touched]
            for touched, side in zip(self._told, self.shown, strict=True)
        )
        return bids, asks

    def refresh(self, now_ns: int) -> None:
        """Nothing greets who joins."""
        if not self.listeners:
            self.show()
        self.last = None

    def text(self, first: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]], now_ns: int) -> str:
        """Return the push of an update."""
        futures = self.trading.product.futures
        sides = [[{"p": price, "s": amount} for price, amount in side] if futures else side for side in (bids, asks)]
        row = {
            "t": now_ns // MS, "e": "depthUpdate", "E": now_ns // (1000 * MS), "s": self.symbol, "U": first,
            "u": self.number, "b": sides[0], "a": sides[1],
        }  # fmt: skip
        return push(self.trading.product, self.name, row, now_ns)


def seed(trading: Trading, now_ns: int) -> Mapping[str, object]:
    """Answer order_book: the book under its number, which may be ahead of what was pushed.

    Gate answers the best levels alone; here it is the whole book, whatever the
    limit, so that what a store keeps can be held against the market's.
    """
    sides = [rows(side) for side in trading.market.book(trading.symbol)]
    bids, asks = (
        [{"p": price, "s": amount} for price, amount in side] if trading.product.futures else side for side in sides
    )
    trading.truth.record(
        BookSnapshot(
            trading.product.exchange, trading.symbol, None, now_ns, Levels(sides[0]), Levels(sides[1]), None,
            trading.sequence,
        )
    )  # fmt: skip
    moment = now_ns / 1e9
    return {"id": trading.sequence, "current": moment, "update": moment, "bids": bids, "asks": asks}


def rows(levels: Iterable[Row]) -> list[tuple[str, str]]:
    """Return price levels as Gate writes them."""
    return [(plain(price), plain(amount)) for price, amount in levels]


def _changes(before: Mapping[Decimal, Decimal], now: Mapping[Decimal, Decimal]) -> list[tuple[str, str]]:
    """Return the levels that are other than before; those that are gone have the amount 0."""
    changed = [(plain(price), plain(amount)) for price, amount in now.items() if before.get(price) != amount]
    return changed + [(plain(price), "0") for price in before if price not in now]
