"""Lists of whole numbers as few bits, in a form that plain SQL can read as well as Python.

A block is a string of bits; each list in it says itself how to read it, but not
how long it is: readers know that from what came before. A list is written as

    start  1 bit: the first number stands apart; then 64 bits of it and 16 bits
           `lag`: 0, the rest are numbers; else differences to the number `lag`
           places before (to the one just before where there are fewer)
    sign   2 bits: plus, minus or zigzag (0, -1, 1, -2, ...)
    base   4 bits n, then n bytes
    unit   4 bits n, then n bytes: a number is base + unit * (signed u)
    sparse 1 bit: one bit for each number tells whether its u is above 0, and
           only those follow, less 1
    class  3 bits c, then 2**c widths of 6 bits each: class k holds the u from
           the end of class k-1 on, as many as `width` bits can count
    c bits of class for each u, then for each u `width` bits of its place in the class

A list some of whose numbers are missing has 1 bit before it; where that is 1, a
list of 0 (missing) and 1 comes first and then the numbers that are there.

So equal or evenly spaced numbers cost nothing each, and frequent ranges take few
bits. `packed.sql` holds the same reader in SQL; a change of the format changes
both, and `FORMAT`.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import gcd

FORMAT = 1
_SPAN = 1 << 60
"""Numbers of a list lie within this range of each other: then neither language overflows 64 bits on the way."""
_MAX_CLASS_BITS = 4
_PLUS, _MINUS, _ZIGZAG = 0, 1, 2


class Unpackable(ValueError):  # noqa: N818 - says what happened, not whose fault
    """These values have no exact form in a block; the rows stay as they are."""


class Writer:
    """Collects the bits of one block."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.put(FORMAT, 8)

    def put(self, number: int, width: int) -> None:
        """Write a number as `width` bits, a negative one as two's complement. Raises Unpackable if it needs more."""
        if not -(1 << width) // 2 <= number < 1 << width:
            raise Unpackable(f"{number} does not fit {width} bits")
        if width:
            self._parts.append(f"{number & (1 << width) - 1:0{width}b}")

    def ints(self, numbers: Sequence[int], lag: int | None = None) -> None:
        """Write a list; with `lag` its first number apart, and above 0 the rest as differences.

        Raises Unpackable if numbers need more than 64 bits or lie too far apart.
        """
        if not numbers:
            return
        self.put(lag is not None, 1)
        if lag is not None:
            self._signed(numbers[0])
            self.put(lag, 16)
            numbers = differences(numbers, lag)
        if numbers:
            self._plane(numbers)

    def optional(self, numbers: Sequence[int | None], lag: int | None = None) -> None:
        """Write a list some of whose numbers are missing."""
        known = [number for number in numbers if number is not None]
        missing = len(known) < len(numbers)
        self.put(missing, 1)
        if missing:
            self.ints([number is not None for number in numbers])
        self.ints(known, lag)

    def raw(self, content: bytes) -> None:
        """Write bytes, beginning at a whole byte of the block."""
        self._parts.append("0" * (-sum(map(len, self._parts)) % 8))
        if content:
            self._parts.append(f"{int.from_bytes(content):0{8 * len(content)}b}")

    def block(self) -> bytes:
        """Return everything written, filled up to whole bytes."""
        bits = "".join(self._parts)
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8)

    def _signed(self, number: int, width: int = 64) -> None:
        if not -(1 << width - 1) <= number < 1 << width - 1:
            raise Unpackable(f"{number} does not fit {width} bits")
        self.put(number, width)

    def _sized(self, number: int) -> None:
        size = (number ^ number >> 64).bit_length() // 8 + 1 if number else 0
        self.put(size, 4)
        if size:
            self._signed(number, min(size, 8) * 8)

    def _plane(self, numbers: Sequence[int]) -> None:
        if max(numbers) - min(numbers) >= _SPAN:
            raise Unpackable("numbers too far apart")
        sign, base, unit, sparse, above = _smallest(numbers)
        self.put(sign, 2)
        self._sized(base)
        self._sized(unit)
        self.put(sparse, 1)
        if sparse:
            self._parts.append("".join(["1" if u else "0" for u in above]))
            above = [u - 1 for u in above if u]
        widths = class_widths(above)
        bits = len(widths).bit_length() - 1
        self.put(bits, 3)
        for width in widths:
            self.put(width, 6)
        ends = list(accumulate([1 << width for width in widths]))
        starts = [0, *ends[:-1]]
        classes = [bisect_right(ends, u) for u in above]
        if bits:
            self._parts.append("".join([f"{number:0{bits}b}" for number in classes]))
        self._parts += [
            f"{u - starts[number]:0{widths[number]}b}"
            for u, number in zip(above, classes, strict=True)
            if widths[number]
        ]


class Reader:
    """Reads a block from its beginning. Raises Unpackable for one of another format."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._bits = f"{int.from_bytes(block):0{8 * len(block)}b}"
        self._at = 0
        found = self.take(8)
        if found != FORMAT:
            raise Unpackable(f"a block of format {found}; this jrr-postgres knows {FORMAT}: install a newer one")

    def take(self, width: int) -> int:
        """Return the next `width` bits as a number."""
        at = self._at
        self._at = at + width
        return int(self._bits[at : at + width], 2) if width else 0

    def ints(self, count: int) -> list[int]:
        """Return the next list, of `count` numbers."""
        if not count:
            return []
        if not self.take(1):
            return self._plane(count)
        found = [self._signed(64)]
        lag = self.take(16)
        rest = self._plane(count - 1) if count > 1 else []
        if lag == 0:
            return found + rest
        if lag == 1:
            return list(accumulate(rest, initial=found[0]))
        for place, difference in enumerate(rest, 1):
            found.append(found[max(place - lag, 0) if place >= lag else place - 1] + difference)
        return found

    def optional(self, count: int) -> list[int | None]:
        """Return the next list some of whose numbers are missing."""
        if not self.take(1):
            return [*self.ints(count)]
        there = self.ints(count)
        numbers = iter(self.ints(sum(there)))
        return [next(numbers) if known else None for known in there]

    def raw(self, count: int) -> bytes:
        """Return the next bytes, which begin at a whole byte."""
        at = (self._at + 7) // 8
        self._at = (at + count) * 8
        return self._block[at : at + count]

    def _signed(self, width: int) -> int:
        number = self.take(width)
        return number - (1 << width) if width and number >> width - 1 else number

    def _plane(self, count: int) -> list[int]:
        sign = self.take(2)
        base = self._signed(self.take(4) * 8)
        unit = self._signed(self.take(4) * 8)
        flags = None
        if self.take(1):
            flags = self._bits[self._at : self._at + count]
            self._at += count
            count = flags.count("1")
        above = self._classes(count)
        if flags is not None:
            rest = iter(above)
            above = [next(rest) + 1 if flag == "1" else 0 for flag in flags]
        if sign == _ZIGZAG:
            above = [-(u + 1 >> 1) if u & 1 else u >> 1 for u in above]
        elif sign == _MINUS:
            unit = -unit
        return [base + unit * u for u in above]

    def _classes(self, count: int) -> list[int]:
        size = self.take(3)
        widths = [self.take(6) for _ in range(1 << size)]
        starts = list(accumulate([1 << width for width in widths], initial=0))
        bits, at = self._bits, self._at
        end = at + size * count
        classes = [int(bits[p : p + size], 2) for p in range(at, end, size)] if size else [0] * count
        found = []
        for number in classes:
            width = widths[number]
            found.append(starts[number] + int(bits[end : end + width], 2) if width else starts[number])
            end += width
        self._at = end
        return found


def differences(numbers: Sequence[int], lag: int) -> list[int]:
    """Return the second and later numbers as a list with `lag` writes them."""
    if lag == 0:
        return list(numbers[1:])
    near = [numbers[place] - numbers[place - 1] for place in range(1, min(lag, len(numbers)))]
    return near + [now - before for before, now in zip(numbers, numbers[lag:], strict=False)]


def class_widths(above: Iterable[int]) -> list[int]:
    """Return the widths of the classes that hold these numbers (0 or more) in about the fewest bits.

    Every class begins where the last one ended, so the choice is a path from 0
    to beyond the largest number. Of the paths whose last class is as wide, the
    cheapest goes on: not always the best, but within a few percent of it.
    """
    ordered = sorted(above)
    count = len(ordered)
    most = ordered[-1].bit_length() if ordered else 0
    best = (count * most, [most])
    paths: dict[int, tuple[int, int, int, list[int]]] = {0: (0, 0, 0, [])}
    for taken in range(1, (1 << _MAX_CLASS_BITS) + 1):
        bits = (taken - 1).bit_length()
        longer: dict[int, tuple[int, int, int, list[int]]] = {}
        for cost, end, held, widths in paths.values():
            # Small numbers are frequent, so classes widen from the second on.
            for width in range(widths[-1] if taken > 2 else 0, most + 1):
                reached = end + (1 << width)
                holds = bisect_left(ordered, reached, held)
                total = cost + (holds - held) * width
                if holds == count:
                    whole = total + count * bits + (6 << bits)
                    if whole < best[0]:
                        best = (whole, [*widths, width] + [0] * ((1 << bits) - taken))
                    break
                if total < best[0] and (width not in longer or total < longer[width][0]):
                    longer[width] = (total, reached, holds, [*widths, width])
        paths = longer
    return best[1]


def _smallest(numbers: Sequence[int]) -> tuple[int, int, int, bool, list[int]]:
    """Return sign, base, unit, sparse and the u of the form that promises the fewest bits."""
    low, high = min(numbers), max(numbers)
    if low == high:
        return _PLUS, low, 0, False, [0] * len(numbers)
    usual = Counter(numbers).most_common(1)[0][0]
    unit = gcd(*[number - low for number in numbers])
    plus = [(number - low) // unit for number in numbers]
    minus = [(high - number) // unit for number in numbers]
    zigzag = [
        (number - usual) // unit * 2 if number >= usual else (usual - number) // unit * 2 - 1 for number in numbers
    ]
    forms = []
    for sign, base, above in ((_PLUS, low, plus), (_MINUS, high, minus), (_ZIGZAG, usual, zigzag)):
        lengths = Counter(map(int.bit_length, above))
        forms.append((_estimate(lengths), sign, base, False, above))
        del lengths[0]
        forms.append((_estimate(lengths) + len(above), sign, base, True, above))
    _, sign, base, sparse, above = min(forms, key=lambda form: form[0])
    return sign, base, unit, sparse, above


def _estimate(lengths: "Counter[int]") -> int:
    """Return about how many bits numbers of these lengths take: themselves and which of the lengths each has."""
    bits = sum([max(length - 1, 0) * count for length, count in lengths.items()])
    return bits + lengths.total() * (len(lengths) - 1).bit_length()
