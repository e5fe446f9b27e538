"""A fingerprint of what a store holds: equal rows give equal digests, in any order and in any store.

The SHA-256 of each row's values, added up: no row has to be held or sorted.
Numbers count by value (1.0 is 1.00), so that stores need not keep zeros.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any

from attrs import asdict, define

from .events import MARKET_EVENTS, Message
from .instrument import Instrument
from .levels import Levels
from .store import Range, Selection, Store
from .wire import encode

_WIDTH = 256


@define
class Digest:
    """So many rows, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def add(self, values: Iterable[Any]) -> None:
        """Take a row."""
        row = encode([_plain(value) for value in values]).encode()
        self.total = (self.total + int.from_bytes(sha256(row).digest(), "big")) % (1 << _WIDTH)
        self.rows += 1

    @property
    def text(self) -> str:
        """The sum as 64 hexadecimal digits."""
        return f"{self.total:064x}"


Part = tuple[str, str]
"""Exchange and channel; the lists of an exchange have the channels "instruments" and "coverage"."""


async def digests(
    store: Store, chosen: Selection, keep: Callable[[str, str], bool] = lambda exchange, symbol: True
) -> dict[Part, Digest]:
    """Return the digest of each exchange's channels.

    `chosen` gives times, of market events alone; `keep` says which exchange
    and symbol count.
    """
    found: dict[Part, Digest] = {}
    for kind in MARKET_EVENTS:
        async for event in store.read(kind, chosen):
            if keep(event.exchange, event.symbol):
                _of(found, event.exchange, event.channel).add(_values(event))
    if chosen.ts_from is None and chosen.ts_to is None:
        async for item in _listed(store, chosen):
            if keep(item.exchange, item.symbol):
                _of(found, item.exchange, "instruments").add(asdict(item).values())
        for ranged in await store.coverage():
            if chosen.exchange in (None, ranged.exchange) and keep(ranged.exchange, ranged.symbol):
                _of(found, ranged.exchange, "coverage").add(_range(ranged))
    return dict(sorted(found.items()))


def total(parts: Iterable[Digest]) -> Digest:
    """Return the digest of everything in `parts`."""
    whole = Digest()
    for part in parts:
        whole.rows += part.rows
        whole.total = (whole.total + part.total) % (1 << _WIDTH)
    return whole


def _of(found: dict[Part, Digest], exchange: str, channel: str) -> Digest:
    return found.setdefault((exchange, channel), Digest())


def _listed(store: Store, chosen: Selection) -> AsyncIterator[Instrument]:
    return store.read(Instrument, Selection(exchange=chosen.exchange, symbol=chosen.symbol))


def _values(event: Message) -> Iterable[Any]:
    yield event.type
    for name in ("exchange", "symbol", "ts_event", "ts_recv", *event.fields()):
        yield getattr(event, name)


def _range(item: Range) -> Iterable[Any]:
    return asdict(item).values()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _trimmed(f"{value:f}")
    if isinstance(value, Levels):
        return [[_trimmed(price), _trimmed(amount)] for price, amount in value]
    return value


def _trimmed(number: str) -> str:
    """Return a number's text without zeros that change nothing."""
    if "e" in number or "E" in number:
        number = f"{Decimal(number):f}"
    return number.rstrip("0").rstrip(".") if "." in number else number
