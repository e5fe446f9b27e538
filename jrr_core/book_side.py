"""One side of an order book, kept sorted: levels are found by their text, ordered by their exact price.

Prices and amounts stay the exchange's own text. A level that is there already
costs one look-up; a Decimal is made only for a price that is new.
"""

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

T = TypeVar("T")
Level = tuple[Decimal, Decimal]
Row = tuple[str, str]


class BookSide:
    """The bids or the asks of one symbol: amounts by price."""

    __slots__ = ("_amounts", "_descending", "_prices", "_texts")

    def __init__(self, descending: bool) -> None:
        """Start empty; `descending` is whether the highest price is the best, as for bids."""
        self._descending = descending
        # Prices ascend; the texts of the same levels stand beside them.
        self._prices: list[Decimal] = []
        self._texts: list[str] = []
        self._amounts: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def clear(self) -> None:
        """Forget all levels."""
        self._prices.clear()
        self._texts.clear()
        self._amounts.clear()

    def apply(self, levels: Iterable[Row]) -> None:
        """Set levels (price, amount) in their order, and remove those whose amount is zero; the texts are numbers."""
        amounts = self._amounts
        for price, amount in levels:
            if amount[0] <= "0" and _is_zero(amount):
                self._remove(price)
            elif price in amounts:
                amounts[price] = amount
            else:
                self._insert(price, amount)

    def rows(self, depth: int | None) -> list[Row]:
        """Return the best `depth` levels, best first, as the exchange wrote them; None gives all."""
        amounts = self._amounts
        return [(price, amounts[price]) for price in self._best(self._texts, depth)]

    def levels(self, depth: int | None) -> list[Level]:
        """Return the best `depth` levels, best first, as exact Decimals; None gives all."""
        amounts = self._amounts
        texts = self._best(self._texts, depth)
        return [
            (price, Decimal(amounts[text])) for price, text in zip(self._best(self._prices, depth), texts, strict=True)
        ]

    @property
    def best(self) -> Decimal | None:
        """The best price, None while there is none."""
        return self._prices[-1 if self._descending else 0] if self._prices else None

    def cut(self, depth: int) -> list[Row]:
        """Drop what lies beyond `depth` levels; return it as removals, best first."""
        beyond = max(len(self._texts) - depth, 0)
        gone = slice(0, beyond) if self._descending else slice(depth, None)
        texts = self._texts[gone]
        del self._texts[gone], self._prices[gone]
        for text in texts:
            del self._amounts[text]
        return [(text, "0") for text in (reversed(texts) if self._descending else texts)]

    def _best(self, items: list[T], depth: int | None) -> list[T]:
        if not self._descending:
            return items[:depth]
        return items[: -depth - 1 : -1] if depth is not None else items[::-1]

    def _insert(self, price: str, amount: str) -> None:
        """Add a level, or take over one whose price was written otherwise."""
        exact = Decimal(price)
        at = bisect_left(self._prices, exact)
        if at < len(self._prices) and self._prices[at] == exact:
            del self._amounts[self._texts[at]]
            self._texts[at] = price
        else:
            self._prices.insert(at, exact)
            self._texts.insert(at, price)
        self._amounts[price] = amount

    def _remove(self, price: str) -> None:
        exact = Decimal(price)
        at = bisect_left(self._prices, exact)
        if at < len(self._prices) and self._prices[at] == exact:
            del self._amounts[self._texts[at]], self._texts[at], self._prices[at]


def _is_zero(number: str) -> bool:
    """Whether a number is zero, however it is written: nothing but zeros before its exponent."""
    return number.strip("0.-")[:1] in ("", "e", "E")
