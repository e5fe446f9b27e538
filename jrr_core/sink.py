"""The Sink contract: batches in, rows stored."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from attrs import define


@define(frozen=True)
class BatchPolicy:
    """Write when `max_rows` are waiting or the oldest has waited `max_age_s`, whichever is first.

    With `pause_s` a batch is also due that long after the one before was
    taken: after a rest an event is written at once, and in a busy stream so
    many of them share a batch as come in `pause_s`.
    """

    max_rows: int = 5000
    max_age_s: float = 0.1
    pause_s: float | None = None


@define(frozen=True)
class WriteResult:
    """How many events of a batch were new to the store and how many it already had; they add up to the batch."""

    written: int
    duplicate: int = 0


@define(frozen=True)
class StreamKey:
    """One stream as stores know it."""

    exchange: str
    channel: str
    symbol: str


class Sink(Protocol):
    """Stores batches. The only plugin code that does I/O on the hot side; one task calls it, never two.

    `accepts` are the event classes it stores (Instrument included if it
    keeps the list). `embedded` is True for a store that needs no set-up;
    such a one is used when the user names none. A sink may also offer
    `async def resume_points() -> Mapping[StreamKey, int]`, the last stored
    sequence of each stream, may set `open_candles = False` to be given
    closed candles only, and may have an attribute `instance`, which is set
    to the collector's name (`run.instance`, "" for none) before it is opened.
    `several_writers = True` says that several processes may write to its store
    at a time; without it the sink is refused where workers would share it.
    """

    name: ClassVar[str]
    Settings: ClassVar[type]
    embedded: ClassVar[bool]
    accepts: tuple[type, ...]
    batch: BatchPolicy

    def __init__(self, settings: Any) -> None:
        """Take an instance of `Settings`; open nothing yet."""

    async def open(self) -> None:
        """Connect and make or migrate the schema; may come again after a call that failed or was cancelled.

        Raises ConfigError for what the user must change (never retried),
        SinkUnavailable for what may pass (retried).
        """

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Store all of the batch or nothing; the same event twice (by KEY) counts once.

        Raises SinkUnavailable when the store is away (the same batch comes
        again) and SinkRejected when its content is refused (halves of it
        come). Cancellation leaves all or nothing stored.
        """

    async def close(self) -> None:
        """Finish and release everything; safe after a failed `open`."""


class ResumableSink(Sink, Protocol):
    """A sink that can say where its streams ended, for backfill after a restart."""

    async def resume_points(self) -> Mapping[StreamKey, int]:
        """Return the last stored sequence of each stream.

        Of trades the highest id that is a number, under `trade`, or
        `trade@<id_space>` for a numbering of their own; of candles the open
        time of the last closed one, of funding the settlement that the last
        estimate was for (both int ns). Core goes on from there.
        """
