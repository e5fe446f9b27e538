"""What a store's rows weigh: the size of a row before there is any, and what is stored of each stream.

Optional for a sink, beside the Store contract. `jrr plan` works out from it what
a set of subscriptions will cost, and compares with what they did cost.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

from attrs import define


@define(frozen=True)
class RowBytes:
    """Bytes a store needs for one row, its share of indexes and of half-empty pages included.

    `fresh` is the size as written, `kept` that after the store has compacted
    it (the same where it does not). For rows of books `per_level_fresh` and
    `per_level_kept` come on top for every price level of the row.
    """

    fresh: float
    kept: float
    per_level_fresh: float = 0.0
    per_level_kept: float = 0.0


@define(frozen=True, weakref_slot=False)
class StreamVolume:
    """What a store holds of one stream: rows, their bytes, receive times of the first and the last (int ns UTC).

    `channel` is the one subscribed (deltas and snapshots of a whole book are
    both `book`); several volumes of one stream add up. `bytes` may be a
    share of a table by rows, indexes included.
    """

    exchange: str
    channel: str
    symbol: str
    rows: int
    bytes: int
    ts_from: int
    ts_to: int


@runtime_checkable
class Measurable(Protocol):
    """A sink that knows what its rows weigh.

    `row_bytes` is by channel, with `book_snapshot` and `candle` for all
    depths and intervals (`family`). A sink that knows sizes in advance but
    cannot measure may have `row_bytes` alone.
    """

    row_bytes: ClassVar[Mapping[str, RowBytes]]

    async def volume(self) -> Sequence[StreamVolume]:
        """Return what is stored of each stream; works without `open`, and while another process writes.

        Raises ConfigError when there is nothing to read (missing file,
        foreign content) and SinkUnavailable when the store is away.
        """


def family(channel: str) -> str:
    """Return the channel without depth or interval: `candle` for `candle_1m`, `book_snapshot` for `book_snapshot_5`."""
    for name in ("candle", "book_snapshot"):
        if channel.startswith(f"{name}_"):
            return name
    return channel
