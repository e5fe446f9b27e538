"""What an audit has to say: holes between rows, findings, and the verdict on a stream."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from attrs import Factory, define

from ..connector import Numbering

Kind = Literal[
    "unrecorded gap", "wrong count", "needless gap", "stored twice", "crossed book", "wrong candle", "outside coverage"
]

# Findings kept of one stream; of more only the number is told.
_MOST = 1000
# A row received later than this after its event was fetched, not heard live: its receipt says nothing of the stream.
_LIVE_NS = 2 * 10**9


@define(frozen=True, weakref_slot=False)
class Rules:
    """What a connector says of its exchange's trades.

    `numbering`: of each `id_space` whose ids have no holes, whether each id
    is one trade or a trade of `count` fills covers the ids up to its own.
    `candle_trades`: the id spaces whose trades are exactly those in candles.
    """

    numbering: Mapping[str | None, Numbering]
    candle_trades: Collection[str | None]

    @classmethod
    def of(cls, connector: type) -> "Rules":
        """Read a connector's `trade_numbering` and `candle_trades`; plain dense ids make candles where it has none."""
        numbering: Mapping[str | None, Numbering] = getattr(connector, "trade_numbering", {})
        plain = (None,) if None in numbering else ()
        return cls(numbering, getattr(connector, "candle_trades", plain))


@define(frozen=True, weakref_slot=False)
class Span:
    """When something was, by either clock: from the earlier one to the later one, int ns UTC."""

    early: int
    late: int

    @classmethod
    def of(cls, event: Any) -> "Span":
        """Return the time of an event by the exchange's clock and, where it was heard live, by ours."""
        at, heard = event.ts_event, event.ts_recv
        if at is None or at == heard:
            return cls(heard, heard)
        if heard - at > _LIVE_NS:
            return cls(at, at)
        return cls(at, heard) if at < heard else cls(heard, at)


@define(frozen=True, weakref_slot=False)
class Hole:
    """Something is missing between two rows: numbers `first`..`last`, `count` of them where each stands for one.

    `ts_from` and `ts_to` are the times of the rows on both sides.
    """

    ts_from: int
    ts_to: int
    first: int
    last: int
    count: int | None


@define(frozen=True, weakref_slot=False)
class Finding:
    """One thing that is not as it should be, when (int ns UTC), and what to do.

    A `note` is worth knowing and is no fault. `first` and `last` are numbers
    of the stream: ids, updates, or open times of candles.
    """

    exchange: str
    channel: str
    symbol: str
    kind: Kind
    ts_from: int
    ts_to: int
    text: str
    cure: str
    first: int | None = None
    last: int | None = None
    count: int | None = None
    note: bool = False


@define
class StreamAudit:
    """What was found of one stream, or of one numbering of its trades (`channel` then ends in `@<id_space>`).

    `rows` is None where they were not read. `runs` are stretches without a
    hole, `missing` the events missing in `holes`, None where nobody knows;
    `recorded` of the holes lie in a gap of the ledger. `unused` numbers
    bear no event, as the exchange said while collecting, and make no hole.
    `compared` candles were held against their trades. `unjudged` is why nothing can be said of
    holes, None where it can. `more` findings are counted only.
    """

    exchange: str
    channel: str
    symbol: str
    rows: int | None = None
    runs: int = 0
    holes: int = 0
    missing: int | None = 0
    recorded: int = 0
    unused: int = 0
    compared: int = 0
    unjudged: str | None = None
    findings: list[Finding] = Factory(list)
    more: int = 0

    @property
    def faults(self) -> int:
        """How many findings are no mere notes."""
        return sum(not finding.note for finding in self.findings) + self.more

    @property
    def verdict(self) -> str:
        """The result in a few words."""
        if self.faults:
            return f"{self.faults:,} finding{'s' if self.faults > 1 else ''}"
        if self.unjudged is not None:
            return f"not judged: {self.unjudged}"
        if not self.runs:
            return "nothing to judge by" if self.rows else "no rows"
        if self.holes > self.recorded:
            return "see the notes"
        return "its gaps are recorded" if self.holes else "no holes"

    def add(self, finding: Finding) -> None:
        """Keep a finding, or count it where there are too many."""
        if len(self.findings) < _MOST:
            self.findings.append(finding)
        elif not finding.note:
            self.more += 1

    def find(self, kind: Kind, ts_from: int, ts_to: int, text: str, cure: str, **more: Any) -> None:
        """Add a finding of this stream."""
        self.add(Finding(self.exchange, self.channel, self.symbol, kind, ts_from, ts_to, text, cure, **more))
