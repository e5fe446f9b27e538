"""Price levels of an order book, held as the exchange's own text until someone reads them.

Eighty Decimals cost ten times the JSON decode they came from, and most levels
are stored without being looked at. Levels are checked when made, so reading
them later cannot fail.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import overload

import msgspec

from .errors import ParseError
from .exact import NUMBER


class _Row(msgspec.Struct, array_like=True, gc=False):
    """The columns kept of a row; others behind them are left out."""

    price: str
    amount: str


def _rows_of(number: str, more: str = "") -> Callable[[bytes], object]:
    """Return what tells a compact JSON array of rows: two numbers, and `more` behind them."""
    row = rf'\["{number}","{number}"{more}\]'
    return re.compile(rf"\[(?:{row}(?:,{row})*)?\]".encode()).fullmatch


# What most rows look like is told in half the time, and fails at the first that does not.
_DOTTED = r"[0-9]{1,30}+\.[0-9]{1,30}+"
_usual, _compact = _rows_of(_DOTTED), _rows_of(NUMBER)
_usual_wide = _rows_of(_DOTTED, ',"[0-9]*+","[0-9]*+"')
_wide = _rows_of(NUMBER, r'(?:,"[ !#-\[\]-~]*+")*')
_joined = re.compile(rf"(?:{NUMBER},{NUMBER}(?:;{NUMBER},{NUMBER})*)?").fullmatch
_decode_lists = msgspec.json.Decoder(list[list[str]]).decode
_decode_rows = msgspec.json.Decoder(list[_Row]).decode
_decode_pairs = msgspec.json.Decoder(list[tuple[str, str]]).decode


class Levels(Sequence[tuple[str, str]]):
    """An immutable sequence of (price, amount) texts, in the order the exchange sent them.

    An amount of zero removes the price. Amounts are in the exchange's unit
    (contracts on swaps and futures).
    """

    __slots__ = ("_json", "_pairs", "_wide")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        """Take (price, amount) texts; raises ParseError if one is not a decimal number."""
        kept = tuple(pairs)
        try:
            joined = ";".join([price + "," + amount for price, amount in kept])
        except (TypeError, ValueError):
            joined = "not text"
        # As many commas as pairs: none of the texts brought a separator of its own.
        if _joined(joined) is None or joined.count(",") != len(kept):
            raise ParseError(f"a price level is not a pair of decimal numbers: {str(kept)[:120]}")
        self._pairs: tuple[tuple[str, str], ...] | None = kept
        self._json: str | None = None
        self._wide: bytes | None = None

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[str]]) -> "Levels":
        """Take rows whose first two texts are price and amount; further columns are left out.

        Raises ParseError for a shorter row or a text that is not a number.
        """
        try:
            return cls([(row[0], row[1]) for row in rows])
        except (IndexError, KeyError, TypeError):
            raise ParseError("a price level is not a row of two columns or more") from None

    @classmethod
    def from_json(cls, raw: bytes) -> "Levels":
        """Take a JSON array of rows as it stands in the frame; raises ParseError if it is not one."""
        self = cls.__new__(cls)
        self._pairs = self._json = self._wide = None
        # The first row tells how many columns there are, by their quotes.
        if raw.count(b'"', 0, raw.find(b"]")) <= 4:
            if _usual(raw) or _compact(raw):
                self._json = raw.decode("ascii")
                return self
        elif _usual_wide(raw) or _wide(raw):
            self._wide = raw
            return self
        try:
            rows = _decode_lists(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ParseError(f"price levels are not rows of text: {error}") from None
        return cls.from_rows(rows)

    def json(self) -> str:
        """Return the levels as compact JSON text: `[["61837.63","3.788"],...]`."""
        if self._json is None:
            self._json = msgspec.json.encode(self._pairs if self._wide is None else _decode_rows(self._wide)).decode()
        return self._json

    def decimals(self) -> list[tuple[Decimal, Decimal]]:
        """Return (price, amount) as exact Decimals."""
        return [(Decimal(price), Decimal(amount)) for price, amount in self._read()]

    def floats(self) -> list[tuple[float, float]]:
        """Return (price, amount) as floats, for arithmetic where the last digits do not matter."""
        return [(float(price), float(amount)) for price, amount in self._read()]

    def _read(self) -> tuple[tuple[str, str], ...]:
        if self._pairs is None and self._wide is not None:
            self._pairs = tuple([(row.price, row.amount) for row in _decode_rows(self._wide)])
        elif self._pairs is None:
            self._pairs = tuple(_decode_pairs(self._json or "[]"))
        return self._pairs

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[str, str], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, str] | tuple[tuple[str, str], ...]:
        return self._read()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Levels) and self._read() == other._read()

    def __hash__(self) -> int:
        return hash(self._read())

    def __repr__(self) -> str:
        return f"Levels({self.json()})"


EMPTY = Levels()
