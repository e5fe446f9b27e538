"""The Store contract: what a sink offers beyond writing when its rows can be read back.

Optional for a sink. The command line and the demo read through it, so they
name no store; every method works on an instance made from settings alone,
without `open`, and while another process writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar, runtime_checkable

from attrs import define

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


@runtime_checkable
class Store(Protocol):
    """Reads a store without changing it.

    Every method raises ConfigError when there is nothing to read (missing
    file, foreign content) and SinkUnavailable when the store is away.
    """

    def read(self, type: type[E]) -> Iterable[E]:
        """Return the stored events of one class (Instrument included), in the store's own order."""

    def coverage(self) -> Sequence[Range]:
        """Return the coverage ranges of every stream, in order of stream and time."""

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many market events are stored by (exchange, channel)."""
