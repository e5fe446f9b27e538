"""The simulated Kraken's books: the best levels, their updates, and the checksum over ten of them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from zlib import crc32

from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.exact import plain
from jrr_core.levels import Levels
from jrr_core.testing.market import Row
from jrr_core.wire import Raw

from .products import CHECKED_DEPTH, DERIVED_DEPTHS, EXCHANGE
from .simulated_feeds import Feed, Trading, number, time_text


class BookFeed(Feed):
    """`book`: the best levels on joining, then what changed in each tick; levels that fall out are not told.

    Faults, read from `faults` while they last: `gap` is the chance that an
    update is lost that changes nothing but the ten best levels (a checksum
    shows no other), `checksum` the chance that a checksum is wrong.
    """

    channel = "book"

    def __init__(self, trading: Trading, depth: int, faults: Mapping[str, float]) -> None:
        """Start with the book as it is."""
        super().__init__(trading)
        self._depth = depth
        self._faults = faults
        self._shown: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self._number = 0
        self._snapshot: tuple[int, str] | None = None

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Tell what changed."""
        if self.listeners and self._number != self.trading.number:
            self._update(now_ns)

    def refresh(self, now_ns: int) -> None:
        """Bring those who listen up to date, then put the book ready for the one that joins."""
        self.trading.tick(now_ns)
        if not self.listeners:
            self._show()
        elif self._number != self.trading.number:
            self._update(now_ns)
        if self._snapshot is None or self._snapshot[0] != self._number:
            bids, asks = (list(side.items()) for side in self._shown)
            event = BookSnapshot(
                EXCHANGE, self.symbol, self._number, now_ns, _levels(bids), _levels(asks), None, self._number, True
            )
            self.truth.record(event)
            self._offer_tops(now_ns)
            self._snapshot = self._number, self.push("snapshot", [self._row(bids, asks)])
        self.last = self._snapshot[1]

    def _show(self) -> None:
        bids, asks = self.market.top(self.symbol, self._depth)
        self._shown = dict(bids), dict(asks)
        self._number = self.trading.number

    def _update(self, now_ns: int) -> None:
        before, previous, best = self._shown, self._number, self._best_prices()
        self._show()
        bids, asks = (_changes(old, new) for old, new in zip(before, self._shown, strict=True))
        event = BookDelta(
            EXCHANGE, self.symbol, self._number, now_ns, _levels(bids), _levels(asks), None, self._number, previous
        )
        gap = self._faults.get("gap", 0.0)
        seen = {price for price, _ in (*bids, *asks)} <= best | self._best_prices()
        if gap and seen and self.trading.random.random() < gap:
            self.truth.record(event)
            return
        self._offer_tops(now_ns)
        there = [{price for price, _ in side} for side in self.market.book(self.symbol)]
        told = [
            [(price, amount) for price, amount in rows if amount or price not in still]
            for rows, still in zip((bids, asks), there, strict=True)
        ]
        self.publish(self.push("update", [self._row(*told)]), (event,), now_ns)

    def _best(self) -> tuple[list[Row], list[Row]]:
        bids, asks = (list(side.items())[:CHECKED_DEPTH] for side in self._shown)
        return bids, asks

    def _best_prices(self) -> set[Decimal]:
        return {price for side in self._best() for price, _ in side}

    def _row(self, bids: Iterable[Row], asks: Iterable[Row]) -> Mapping[str, object]:
        wrong = self._faults.get("checksum", 0.0)
        flaw = 1 if wrong and self.trading.random.random() < wrong else 0
        return {
            "bids": [_level(row) for row in bids], "asks": [_level(row) for row in asks],
            "checksum": _checksum(*self._best()) ^ flaw, "timestamp": time_text(self._number),
        }  # fmt: skip

    def _offer_tops(self, now_ns: int) -> None:
        """Note what a client may read off the book: its best levels."""
        for depth in DERIVED_DEPTHS.values() if self.truth.kept else ():
            bids, asks = (list(side.items())[:depth] for side in self._shown)
            self.truth.offer(
                BookSnapshot(
                    EXCHANGE, self.symbol, self._number, now_ns, _levels(bids), _levels(asks), depth, self._number
                )
            )


def _level(row: Row) -> Mapping[str, Raw]:
    return {"price": number(row[0]), "qty": number(row[1])}


def _levels(rows: Iterable[Row]) -> Levels:
    return Levels([(plain(price), plain(amount)) for price, amount in rows])


def _changes(before: Mapping[Decimal, Decimal], now: Mapping[Decimal, Decimal]) -> list[Row]:
    """Return the levels that are other than before; those that are gone have the amount 0."""
    changed = [(price, amount) for price, amount in now.items() if before.get(price) != amount]
    return changed + [(price, Decimal(0)) for price in before if price not in now]


def _checksum(bids: Iterable[Row], asks: Iterable[Row]) -> int:
    """Return the checksum by the words of the documentation, apart from the parser's."""
    text = ""
    for side in (asks, bids):
        for price, amount in side:
            for value in (price, amount):
                text += plain(value).replace(".", "").lstrip("0")
    return crc32(text.encode())
