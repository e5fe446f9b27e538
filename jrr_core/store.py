"""The Store contract: what a sink offers beyond writing when its rows can be read back.

Optional for a sink. The command line and the demo read through it, so they
name no store; every method works on an instance made from settings alone,
without `open`, and while another process writes.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, TypeVar, runtime_checkable

from attrs import define

from .book import BookState
from .events import Candle, Message
from .sink import StreamKey, WriteResult

E = TypeVar("E")

State = Literal["complete", "gap", "backfilled"]


@define(frozen=True, weakref_slot=False)
class Range:
    """What a store holds of one stream between two times (int ns UTC, `ts_to` exclusive).

    `reason` of a gap is why data is missing; of a complete range, why it
    ended: None while it still grows, or when another range or a crash ended
    it. `missing` is how many events are not there, None where nobody knows.
    """

    exchange: str
    channel: str
    symbol: str
    ts_from: int
    ts_to: int
    state: State
    reason: str | None = None
    missing: int | None = None


@define(frozen=True, weakref_slot=False)
class Selection:
    """What to read; None is no limit of that kind.

    `symbol` is the exchange's own. `ts_from` (inclusive) and `ts_to`
    (exclusive), int ns UTC, compare the event's time: `ts_event`, or
    `ts_recv` where the exchange gave none; of a candle `open_time`.
    `interval` is for candles only. `limit` is how many events at most, the
    first ones, or with `newest` the last ones, in ascending order as well.
    """

    exchange: str | None = None
    symbol: str | None = None
    ts_from: int | None = None
    ts_to: int | None = None
    interval: str | None = None
    limit: int | None = None
    newest: bool = False


EVERYTHING = Selection()


@runtime_checkable
class Store(Protocol):
    """Reads a store without changing it.

    At the first item or await every method raises ConfigError when there is
    nothing to read (missing file, foreign content) and SinkUnavailable when
    the store is away.
    """

    def read(self, type: type[E], chosen: Selection = EVERYTHING) -> AsyncIterator[E]:
        """Yield the stored events of one class (Instrument included).

        Events of one exchange and symbol, and the `newest` of any, come in
        order of time, those of one time in the order of their KEY; others in
        the store's own order. Of Instrument only exchange, symbol and limit
        choose.
        """

    async def coverage(self) -> Sequence[Range]:
        """Return the coverage ranges of every stream, in order of stream and time."""

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many market events are stored by (exchange, channel)."""


@runtime_checkable
class QueryStore(Store, Protocol):
    """A store that can also be asked; `jrr query` needs one."""

    async def book_at(self, exchange: str, symbol: str, ts: int, depth: int | None = None) -> BookState | None:
        """Return the book as it stood at `ts` (int ns UTC, inclusive), its best `depth` levels a side; None if unknown.

        Made from the last whole snapshot at or before `ts` and the deltas
        behind it, and not intact where their chain broke, or where coverage
        says that the stream was interrupted before `ts`. A symbol of which
        only partial books are stored answers with the last of those.
        """

    def resample(
        self, exchange: str, symbol: str, interval: str, chosen: Selection = EVERYTHING
    ) -> AsyncIterator[Candle]:
        """Yield the candles that the stored trades make, those without a trade left out.

        Boundaries are UTC's, as `candles` defines them; `ts_event` is None, `ts_recv`
        that of the last trade, `closed` True. `chosen` gives times (of the
        candles' beginnings) and limit. Raises ConfigError for an unknown interval.
        """

    async def last(self) -> Mapping[StreamKey, int]:
        """Return the time (int ns UTC) of the last market event of each stream."""


@define(frozen=True)
class Cut:
    """The rows of one stream that were received from `ts_from` to before `ts_to` (int ns UTC)."""

    exchange: str
    channel: str
    symbol: str
    ts_from: int
    ts_to: int


class Replacement(Protocol):
    """A replacement under way: `removed` rows are gone, and what is put takes their place, once it is over."""

    removed: int

    async def put(self, batch: Sequence[Message]) -> WriteResult:
        """Store market events; those the store has, outside of what was cut, count as duplicates."""


@runtime_checkable
class ReplacingStore(Store, Protocol):
    """An open store whose rows can be replaced; `jrr reparse` needs one."""

    def replacing(self, cuts: Sequence[Cut]) -> AbstractAsyncContextManager[Replacement]:
        """Take out what is cut, and let other rows be put in its place, in one transaction.

        Readers see all of it or nothing; where the block ends with an error,
        or the process is killed, nothing has changed. Coverage stays as it
        is. Raises as `write` does.
        """
