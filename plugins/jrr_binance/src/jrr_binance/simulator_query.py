"""What a request to the simulated exchange's REST asks for, and how it is refused.

Pure. Error codes and texts are the exchange's own.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

Query = Mapping[str, str]
Row = TypeVar("Row")
_NEVER_MS = 1 << 62


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An error answer: HTTP status, code and text, and how long to stay away where the exchange says so."""

    def __init__(self, status: int, code: int, text: str, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.retry_after_s = status, code, text, retry_after_s


def number(query: Query, name: str, default: int) -> int:
    """Return a parameter as a whole number, `default` where it was not sent; raises Refusal for anything else."""
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise Refusal(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def page_size(query: Query, default: int, most: int = 1000) -> int:
    """Return how many rows to answer with: `limit` as far as it is allowed."""
    return max(1, min(number(query, "limit", default), most))


def between(rows: Iterable[Row], query: Query, limit: int, ms: Callable[[Row], int]) -> list[Row]:
    """Choose rows by startTime and endTime, both inclusive: from the oldest where a start is given, else the latest."""
    start, end = number(query, "startTime", 0), number(query, "endTime", _NEVER_MS)
    chosen = [row for row in rows if start <= ms(row) <= end]
    return chosen[:limit] if "startTime" in query else chosen[-limit:]


def from_id(rows: Sequence[Row], query: Query, limit: int, identity: Callable[[Row], int]) -> list[Row]:
    """Choose rows by fromId, inclusive, ids ascending; the latest where there is none."""
    if "fromId" not in query:
        return list(rows[-limit:])
    start = bisect_left(rows, number(query, "fromId", 0), key=identity)
    return list(rows[start : start + limit])
