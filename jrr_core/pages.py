"""What is missing, one request's worth at a time: all of it stands in the request's tag.

An answer finds in its tag what it answers, so nothing is remembered between
requests: a hole may be asked for twice, holes of many symbols at once, and a
capture of the answers replays. For parsers that fetch the past (`Refilling`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from attrs import define, evolve

from .candles import Interval
from .errors import ConfigError, ParseError
from .frame import Hole

TAG = "refill|"
# Above every id and every time in ns (until 2116), and a range of so many still has a length.
_MOST = 2**62
_MOST_CHARS = 64
_S = 10**9


@define(frozen=True)
class Page:
    """A request to an endpoint (`source`) for what of `hole` is still missing; `tries`: how often it was in vain."""

    source: str
    hole: Hole
    tries: int = 0

    @property
    def tag(self) -> str:
        """The page as text, `refill|aggTrades|0|5|9|5||trade|agg|BTCUSDT`; the symbol is last, whatever is in it."""
        hole = self.hole
        since = "" if hole.ts_from is None else hole.ts_from
        numbers = f"{self.tries}|{hole.first}|{hole.last}|{hole.count}|{since}"
        return f"{TAG}{self.source}|{numbers}|{hole.channel}|{hole.id_space or ''}|{hole.symbol}"

    @classmethod
    def read(cls, tag: str) -> "Page":
        """Read a tag of ours; raises ParseError for any other text, since a recording may hold whatever."""
        parts = tag.removeprefix(TAG).split("|", 8)
        if len(parts) != 9 or max(map(len, parts)) > _MOST_CHARS or not parts[8]:
            raise ParseError(f"not the tag of a page: {tag[:120]!r}")
        tries, first, last, count = map(_number, parts[1:5])
        if first > last:
            raise ParseError(f"a page from {first} to the lower {last}")
        since = _number(parts[5]) if parts[5] else None
        return cls(parts[0], Hole(parts[6], parts[8], parts[7] or None, first, last, count, since), tries)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or (number := int(text)) > _MOST:
        raise ParseError(f"not a number of a page: {text!r}")
    return number


def absent(hole: Hole, numbers: Sequence[int], present: Iterable[int]) -> Iterator[Hole]:
    """Yield what of `numbers` (ascending) is not present, each run of it as one hole."""
    begin = 0
    for number in sorted(present):
        end = bisect_left(numbers, number)
        if end == len(numbers) or numbers[end] != number:
            continue
        if end > begin:
            yield evolve(hole, first=numbers[begin], last=numbers[end - 1], count=end - begin)
        begin = max(begin, end + 1)
    if begin < len(numbers):
        yield evolve(hole, first=numbers[begin], last=numbers[-1], count=len(numbers) - begin)


@define(frozen=True)
class Grid:
    """The open times of candles: an interval, and how far its boundaries are from UTC's (ns)."""

    interval: Interval
    offset_ns: int

    @classmethod
    def of(cls, channel: str) -> "Grid":
        """Read `candle_1m` or `candle_1d@+08:00`; raises ParseError for what is neither."""
        name, _, offset = channel.removeprefix("candle_").partition("@")
        try:
            return cls(Interval.parse(name), _offset_ns(offset))
        except (ConfigError, ValueError):
            raise ParseError(f"not a channel of candles: {channel!r}") from None

    def next(self, opened: int) -> int:
        """Return the open time behind `opened`."""
        return self.interval.end(opened + self.offset_ns) - self.offset_ns

    def times(self, hole: Hole, most: int, span_ns: int | None = None) -> Sequence[int]:
        """Return the open times of a hole from its first on, at most so many; all but one close within `span_ns`."""
        found: list[int] = []
        opened = hole.first
        while opened <= hole.last and len(found) < most:
            behind = self.next(opened)
            if found and span_ns is not None and behind - hole.first > span_ns:
                break
            found.append(opened)
            opened = behind
        return found


def _offset_ns(text: str) -> int:
    """Read "+08:00", "" for none; raises ValueError for anything else."""
    if not text:
        return 0
    sign, (hours, minutes) = {"+": 1, "-": -1}.get(text[0], 0), text[1:].split(":")
    if not sign or len(text) != 6:
        raise ValueError(text)
    return sign * (int(hours) * 3600 + int(minutes) * 60) * _S
