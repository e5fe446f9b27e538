"""One side of an order book, kept sorted: levels are found by their text, ordered by their exact price.

Prices and amounts stay the exchange's own text; Decimals are made of the levels
that are read, and kept while they stay as they are.
"""

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal

Level = tuple[Decimal, Decimal]
Row = tuple[str, str]


class BookSide:
    """The bids or the asks of one symbol: amounts by price."""

    __slots__ = ("_amounts", "_descending", "_places", "_read", "_texts")

    def __init__(self, descending: bool) -> None:
        """Start empty; `descending` is whether the highest price is the best, as for bids."""
        self._descending = descending
        # Prices ascend, and floats find their places: rounding never turns an order round, and makes equal what
        # differs by less only, which is then compared exactly.
        self._places: list[float] = []
        self._texts: list[str] = []
        self._amounts: dict[str, str] = {}
        self._read: dict[str, tuple[str, Level]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def clear(self) -> None:
        """Forget all levels."""
        for held in (self._places, self._texts, self._amounts, self._read):
            held.clear()

    def apply(self, levels: Iterable[Row]) -> None:
        """Set levels (price, amount) in their order, and remove those whose amount is zero.

        The texts are numbers as `exact` has them: none is so small that its float is 0.
        """
        amounts = self._amounts
        for price, amount in levels:
            if amount[0] <= "0" and not float(amount):
                self._remove(price)
            elif price in amounts:
                amounts[price] = amount
            else:
                self._insert(price, amount)

    def rows(self, depth: int | None) -> list[Row]:
        """Return the best `depth` levels, best first, as the exchange wrote them; None gives all."""
        amounts = self._amounts
        return [(price, amounts[price]) for price in self._best(depth)]

    def levels(self, depth: int | None) -> list[Level]:
        """Return the best `depth` levels, best first, as exact Decimals; None gives all."""
        amounts, read, found = self._amounts, self._read, []
        for price in self._best(depth):
            amount, known = amounts[price], read.get(price)
            if known is None or known[0] is not amount:
                exact = Decimal(price) if known is None else known[1][0]
                known = read[price] = (amount, (exact, Decimal(amount)))
            found.append(known[1])
        return found

    @property
    def best(self) -> Decimal | None:
        """The best price, None while there is none."""
        return Decimal(self._texts[-1 if self._descending else 0]) if self._texts else None

    def cut(self, depth: int) -> list[Row]:
        """Drop what lies beyond `depth` levels; return it as removals, best first."""
        beyond = max(len(self._texts) - depth, 0)
        gone = slice(0, beyond) if self._descending else slice(depth, None)
        texts = self._texts[gone]
        del self._texts[gone], self._places[gone]
        for text in texts:
            del self._amounts[text]
            self._read.pop(text, None)
        return [(text, "0") for text in (reversed(texts) if self._descending else texts)]

    def _best(self, depth: int | None) -> list[str]:
        if not self._descending:
            return self._texts[:depth]
        return self._texts[::-1] if depth is None else self._texts[: -depth - 1 : -1]

    def _find(self, price: str, place: float) -> tuple[int, bool]:
        """Return where a price, `place` as a float, is or would be, and whether it is there, however written."""
        at = bisect_left(self._places, place)
        while at < len(self._places) and self._places[at] == place:
            there = self._texts[at]
            if there == price or Decimal(there) >= Decimal(price):
                return at, there == price or Decimal(there) == Decimal(price)
            at += 1
        return at, False

    def _insert(self, price: str, amount: str) -> None:
        place = float(price)
        at, there = self._find(price, place)
        if there:
            del self._amounts[self._texts[at]]
            self._read.pop(self._texts[at], None)
            self._texts[at] = price
        else:
            self._places.insert(at, place)
            self._texts.insert(at, price)
        self._amounts[price] = amount

    def _remove(self, price: str) -> None:
        at, there = self._find(price, float(price))
        if there:
            text = self._texts[at]
            del self._amounts[text], self._texts[at], self._places[at]
            self._read.pop(text, None)
