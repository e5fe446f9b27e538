"""Ground truth of a simulation: the events that were really sent, to hold against what a store kept.

Scripts record an event when a frame that carries it is queued to at least one
client. Trades and closed candles they record from the first subscription of
their stream on, whether or not a client is there to hear them and whether or
not a fault withholds them: a client that was there once can fetch them. They
offer what a client may fetch but need not keep (REST answers), and log each
symbol's book. The comparison's rules stand in `comparison`, those for runs with
losses in `verdict`; this file keeps, writes and reads.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import cattrs
import msgspec

from ..book_side import Level
from ..errors import ConfigError
from ..events import ALL_EVENTS, BookSnapshot, Candle, Disconnected, Message
from ..instrument import Instrument
from ..levels import Levels
from ..store import Store
from ..subscription import Subscription
from .book_log import BookLog
from .comparison import Identity, compare, identity

Recorded = Message | Instrument
TYPES: dict[str, type[Recorded]] = {**{kind.type: kind for kind in ALL_EVENTS}, Instrument.type: Instrument}

_convert = cattrs.Converter()
_convert.register_unstructure_hook(Decimal, str)
_convert.register_structure_hook(Decimal, lambda text, _: Decimal(text))
_convert.register_unstructure_hook(Levels, list)
_convert.register_structure_hook(Levels, lambda rows, _: Levels.from_rows(rows))


class Truth:
    """What was sent: one event per type, exchange, symbol and key, in the order of first sending.

    With `kept` False nothing is remembered; scripts may then spare the work
    of making events. With `kinds` only events of those types are, beside the
    books: a run of an hour sends more quotes than memory should hold.
    """

    def __init__(self, kept: bool = True, kinds: Collection[str] | None = None) -> None:
        """Start with nothing sent; raises ConfigError for a kind that no event has."""
        for kind in kinds or ():
            if kind not in TYPES:
                raise ConfigError(f"no event is of the kind {kind!r}; kinds: {', '.join(TYPES)}")
        self.kept = kept
        self._kinds = frozenset(TYPES if kinds is None else kinds)
        self._sent: dict[Identity, Recorded] = {}
        self._offered: dict[Identity, Recorded] = {}
        self._books: dict[tuple[str, str], BookSnapshot] = {}
        self._logs: dict[tuple[str, str], BookLog] = {}

    @property
    def events(self) -> list[Recorded]:
        """What was sent, or would have been had the client been there; oldest first."""
        return list(self._sent.values())

    @property
    def offered(self) -> list[Recorded]:
        """What a client may have fetched: correct where it was stored, no loss where it was not."""
        return list(self._offered.values())

    @property
    def books(self) -> list[BookSnapshot]:
        """The whole book of each symbol when the market stopped; empty before."""
        return list(self._books.values())

    def record(self, event: Recorded) -> None:
        """Note that `event` was queued to a client; a later state of the same candle replaces the earlier."""
        if not self.kept or event.type not in self._kinds:
            return
        same = identity(event)
        if isinstance(event, Candle):
            self._sent[same] = event
        else:
            self._sent.setdefault(same, event)

    def offer(self, event: Recorded) -> None:
        """Note that `event` was answered to a request: a client may keep it and need not."""
        if self.kept and event.type in self._kinds:
            self._offered[identity(event)] = event

    def close_book(self, book: BookSnapshot) -> None:
        """Note a symbol's whole book at the moment the market stopped."""
        if self.kept:
            self._books[book.exchange, book.symbol] = book

    def begin_book(
        self, exchange: str, symbol: str, sequence: int, ts: int, bids: Iterable[Level], asks: Iterable[Level]
    ) -> None:
        """Begin the log of a symbol's book, known as `sequence` at `ts` (int ns UTC)."""
        if self.kept:
            self._logs[exchange, symbol] = BookLog(sequence, ts, bids, asks)

    def change_book(
        self, exchange: str, symbol: str, sequence: int, ts: int, bids: Iterable[Level], asks: Iterable[Level]
    ) -> None:
        """Note the change (absolute amounts, 0 removes) by which a symbol's book became `sequence`."""
        if self.kept:
            self._logs[exchange, symbol].change(sequence, ts, bids, asks)

    def book_at(self, exchange: str, symbol: str, sequence: int) -> tuple[tuple[Level, ...], tuple[Level, ...]] | None:
        """Return the market's bids and asks, best first, at a number of the exchange's; None if it never was at it."""
        log = self._logs.get((exchange, symbol))
        return None if log is None else log.at(sequence)

    def book_outdated(self, exchange: str, symbol: str, sequence: int, ts: int, trail_ns: int = 0) -> bool:
        """Whether the market's book had at `ts` moved on from `sequence` `trail_ns` ago, or never was at it."""
        log = self._logs.get((exchange, symbol))
        final = self._books.get((exchange, symbol))
        return log is None or log.outdated(sequence, ts, trail_ns, None if final is None else final.ts_recv)

    def add(self, other: "Truth") -> None:
        """Take over what another simulation sent."""
        self._logs.update(other._logs)
        self._sent.update(other._sent)
        self._offered.update(other._offered)
        self._books.update(other._books)

    def compare(self, stored: Iterable[Recorded], subscribed: Collection[Subscription] | None = None) -> list[str]:
        """Return every way in which `stored` differs from what was sent, as sentences; empty when it does not.

        `subscribed` (native symbols) limits what has to be there: one message may carry more than was asked for.
        """
        return compare(self.events, self.offered, self.books, stored, subscribed)

    async def compare_store(self, store: Store, subscribed: Collection[Subscription], whole: bool = False) -> list[str]:
        """Compare with everything a store holds; that nothing was sent is a difference too, for it proves nothing.

        `whole`: collected until the markets rested, so that a stop at the end accounts for nothing missing.
        """
        if not self._sent:
            return ["nothing was sent, so there is nothing to compare with"]
        stored = [event for kind in TYPES.values() async for event in store.read(kind)]
        if whole:
            stored = [e for e in stored if not (isinstance(e, Disconnected) and e.reason == "stopped")]
        return self.compare(stored, subscribed)

    def write(self, path: Path | str) -> None:
        """Write everything as JSON lines; raises ConfigError where the file cannot be written."""
        try:
            with open(path, "wb") as file:
                for how, events in (("sent", self.events), ("offered", self.offered), ("book", self.books)):
                    for event in events:
                        line = {"how": how, "type": event.type, "data": _convert.unstructure(event)}
                        file.write(msgspec.json.encode(line) + b"\n")
                for (exchange, symbol), log in self._logs.items():
                    for part in log.lines():
                        line = {"how": "book_log", "exchange": exchange, "symbol": symbol, **part}
                        file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise ConfigError(f"cannot write the truth file {path}: {error.strerror}; choose another path") from None

    @classmethod
    def read(cls, path: Path | str) -> "Truth":
        """Read what `write` wrote; raises ConfigError naming the line that is not of that form."""
        truth = cls()
        number = 0
        try:
            with open(path, "rb") as file:
                for line in file:
                    number += 1
                    truth._take(msgspec.json.decode(line))
        except OSError as error:
            raise ConfigError(f"cannot read the truth file {path}: {error.strerror}") from None
        except Exception as error:
            raise ConfigError(f"{path} line {number} is not a line of a truth file: {error}") from None
        return truth

    def _take(self, line: dict[str, Any]) -> None:
        if line["how"] == "book_log":
            where = (line["exchange"], line["symbol"])
            if where in self._logs:
                self._logs[where].extend(line)
            else:
                self._logs[where] = BookLog.begun(line)
            return
        event: Recorded = _convert.structure(line["data"], TYPES[line["type"]])
        if line["how"] == "book" and isinstance(event, BookSnapshot):
            self._books[event.exchange, event.symbol] = event
        else:
            ({"sent": self._sent, "offered": self._offered}[line["how"]])[identity(event)] = event
