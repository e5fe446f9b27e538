"""What is stored already, by the KEY of each event: 16 bytes in the journal for some days.

Works inside the writer's transaction. The days are those of writing, by our
own clock, so that an old capture replayed twice is known the second time.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from jrr_core.events import Candle
from jrr_core.exact import plain
from jrr_core.instrument import Instrument

from .partition import DAY_NS

_ROWS_AT_ONCE = 400  # within 999 variables, the limit of older libraries
_KEY_BYTES = 16  # 128 bits: among 10**12 events, two of one key by chance are as likely as 1 in 10**14
_encode = msgspec.msgpack.Encoder().encode


class Keys:
    """The keys of the journal."""

    def __init__(self, connection: sqlite3.Connection, kept_days: int) -> None:
        """Keep the keys of today and of so many days before."""
        self._db = connection
        self._kept_days = kept_days
        self._days = _days(connection)

    def rollback(self) -> None:
        """Agree with the journal again: the transaction is not in it."""
        self._days = _days(self._db)

    def add(self, events: dict[bytes, Any]) -> list[Any]:
        """Store the keys that are not there and return their events, in order."""
        today = time.time_ns() // DAY_NS
        if today not in self._days:
            oldest = today - self._kept_days
            self._db.execute("DELETE FROM keys WHERE day < ?", (oldest,))
            self._days = [day for day in self._days if day >= oldest] + [today]
        days = ",".join(map(str, self._days))
        known: set[bytes] = set()
        for some in _portions([*events]):
            marks = ",".join("?" * len(some))
            found = self._db.execute(f"SELECT key FROM keys WHERE day IN ({days}) AND key IN ({marks})", some)
            known.update([key for (key,) in found])
        fresh = {key: event for key, event in events.items() if key not in known}
        for some in _portions([*fresh]):
            values = ",".join([f"({today},?)"] * len(some))
            self._db.execute(f"INSERT INTO keys VALUES {values}", some)
        return [*fresh.values()]


def keyed(batch: Sequence[Any]) -> dict[bytes, Any]:
    """Return the events of a batch by key, the first of each; open candles and instruments left out."""
    found: dict[bytes, Any] = {}
    for event in batch:
        if isinstance(event, Instrument) or (isinstance(event, Candle) and not event.closed):
            continue
        identity = [event.type, event.exchange, event.symbol, *[_canonical(part) for part in event.key()]]
        found.setdefault(blake2b(_encode(identity), digest_size=_KEY_BYTES).digest(), event)
    return found


def _canonical(part: Any) -> Any:
    """Return the same text for equal numbers, which is what makes them the same key."""
    if not hasattr(part, "as_tuple"):
        return part
    text = plain(part)
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _days(db: sqlite3.Connection) -> list[int]:
    """Return the days of which keys are kept, each found by one step through the index."""
    days: list[int] = []
    while True:
        (day,) = db.execute("SELECT min(day) FROM keys WHERE day > ?", (days[-1] if days else -1,)).fetchone()
        if day is None:
            return days
        days.append(day)


def _portions(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[at : at + _ROWS_AT_ONCE] for at in range(0, len(keys), _ROWS_AT_ONCE))
