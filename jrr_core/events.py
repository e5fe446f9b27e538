"""What frames mean: the events every parser produces and every sink stores.

Times are int nanoseconds UTC. Prices and amounts are exact; amounts are in the
exchange's own unit (contracts on swaps and futures). A field the exchange did
not send is None, never 0.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal

from attrs import define, fields

from .levels import Levels

Side = Literal["buy", "sell"]


class _Fields(Mapping[str, Any]):
    """An event's own fields by name, read through to the event."""

    __slots__ = ("_event",)

    def __init__(self, event: "Message") -> None:
        self._event = event

    def __getitem__(self, name: str) -> Any:
        if name not in self._event.fields():
            raise KeyError(name)
        return getattr(self._event, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._event.fields())

    def __len__(self) -> int:
        return len(self._event.fields())

    def __repr__(self) -> str:
        return repr(dict(self))


@define(weakref_slot=False)
class Message:
    """Base of every event: where it happened, when, and what makes it the same event twice.

    `exchange` and `symbol` are the exchange's own text. `ts_event` is the
    exchange's clock (None if it sent none), `ts_recv` ours; both int ns UTC.
    """

    exchange: str
    symbol: str
    ts_event: int | None
    ts_recv: int

    type: ClassVar[str] = "message"
    KEY: ClassVar[tuple[str, ...]] = ()

    @property
    def channel(self) -> str:
        """The channel, as written in a subscription, that carries this event."""
        return self.type

    def key(self) -> tuple[Any, ...]:
        """Return what identifies the event within (type, exchange, symbol)."""
        return tuple([getattr(self, name) for name in self.KEY])

    @property
    def data(self) -> Mapping[str, Any]:
        """The event's own fields by name: `message.data["price"]`."""
        return _Fields(self)

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """Return the names of the event's own fields, in order."""
        return tuple([attribute.name for attribute in fields(cls)[4:]])


@define(weakref_slot=False)
class Trade(Message):
    """One trade, or several fills the exchange merged into one (`count` > 1).

    `side` is the taker's. `kind` is None for an ordinary trade, else the
    exchange's mark: insurance_fund, adl, block, rpi. `id_space` names the
    numbering `trade_id` belongs to where an exchange has several ("agg",
    "block", "fill"); None is the exchange's plain trade id.
    """

    price: Decimal
    amount: Decimal
    side: Side | None
    trade_id: str
    count: int = 1
    kind: str | None = None
    id_space: str | None = None

    type: ClassVar[str] = "trade"
    channel: ClassVar[str] = "trade"
    KEY: ClassVar[tuple[str, ...]] = ("trade_id", "id_space")


@define(weakref_slot=False)
class Quote(Message):
    """The best bid and ask; a side is None when the book has none there."""

    bid_price: Decimal | None
    bid_amount: Decimal | None
    ask_price: Decimal | None
    ask_amount: Decimal | None
    sequence: int | None

    type: ClassVar[str] = "quote"
    channel: ClassVar[str] = "quote"
    KEY: ClassVar[tuple[str, ...]] = ("sequence",)

    def key(self) -> tuple[Any, ...]:
        """Return the sequence, or the time where the exchange sent none."""
        return (self.sequence if self.sequence is not None else self.ts_event or self.ts_recv,)


@define(weakref_slot=False)
class BookSnapshot(Message):
    """The whole book (`depth` None) or its best `depth` levels a side; replaces what was known.

    `checksum_ok` is None where the exchange sends no checksum.
    """

    bids: Levels
    asks: Levels
    depth: int | None
    sequence: int | None
    checksum_ok: bool | None = None

    type: ClassVar[str] = "book_snapshot"
    KEY: ClassVar[tuple[str, ...]] = ("depth", "sequence")

    @property
    def channel(self) -> str:
        """`book` for the full book, `book_snapshot_<depth>` for a partial one."""
        return "book" if self.depth is None else f"book_snapshot_{self.depth}"

    def key(self) -> tuple[Any, ...]:
        """Return depth and sequence, or the time where the exchange sent no sequence."""
        return (self.depth, self.sequence if self.sequence is not None else self.ts_event or self.ts_recv)


@define(weakref_slot=False)
class BookDelta(Message):
    """Changed levels: absolute amounts, 0 removes the price.

    `first_sequence`..`sequence` are the updates inside; `previous_sequence`
    is the update this one continues, where the exchange says so.
    """

    bids: Levels
    asks: Levels
    first_sequence: int | None
    sequence: int
    previous_sequence: int | None

    type: ClassVar[str] = "book_delta"
    channel: ClassVar[str] = "book"
    KEY: ClassVar[tuple[str, ...]] = ("sequence",)


@define(weakref_slot=False)
class Candle(Message):
    """Open, high, low, close and volume of one interval; `closed` once it cannot change any more.

    `interval` is "1s" .. "1M" for boundaries in UTC; another offset is written
    behind it ("1d@+08:00"). `close_time` is the last instant inside, as the
    exchange gives it, None if it does not.
    """

    interval: str
    open_time: int
    close_time: int | None
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal | None
    trade_count: int | None
    closed: bool

    type: ClassVar[str] = "candle"
    KEY: ClassVar[tuple[str, ...]] = ("interval", "open_time")

    @property
    def channel(self) -> str:
        """`candle_<interval>`."""
        return f"candle_{self.interval}"


@define(weakref_slot=False)
class FundingRate(Message):
    """The rate that will be paid at `next_funding_time` (int ns); `predicted` while it can still change."""

    rate: Decimal
    next_funding_time: int | None
    predicted: bool

    type: ClassVar[str] = "funding"
    channel: ClassVar[str] = "funding"
    KEY: ClassVar[tuple[str, ...]] = ("next_funding_time", "ts_event", "predicted")


@define(weakref_slot=False)
class MarkPrice(Message):
    """The price margins are computed with, and the index behind it where sent."""

    mark_price: Decimal
    index_price: Decimal | None

    type: ClassVar[str] = "mark_price"
    channel: ClassVar[str] = "mark_price"
    KEY: ClassVar[tuple[str, ...]] = ("ts_event",)


@define(weakref_slot=False)
class OpenInterest(Message):
    """Open contracts in the exchange's unit, and their worth (`value`) in quote currency where sent."""

    amount: Decimal
    value: Decimal | None

    type: ClassVar[str] = "open_interest"
    channel: ClassVar[str] = "open_interest"
    KEY: ClassVar[tuple[str, ...]] = ("ts_event",)


@define(weakref_slot=False)
class Liquidation(Message):
    """A forced order; `side` is the order's (sell closes a long). Exchanges send a sample, not all."""

    price: Decimal
    amount: Decimal
    side: Side | None
    order_id: str | None

    type: ClassVar[str] = "liquidation"
    channel: ClassVar[str] = "liquidation"
    KEY: ClassVar[tuple[str, ...]] = ("ts_event", "side", "price", "amount")


@define(weakref_slot=False)
class StreamEvent(Message):
    """Base of what jrr itself has to say about one stream (`exchange`, `what`, `symbol`).

    `what` is the stream's channel, `session` the connection's name,
    `ts_from`..`ts_to` the time concerned, `count` how many events (None
    unknown), `sequences` the first and last sequence concerned. Parsers leave
    `session` empty; the session writes its name there.
    """

    what: str
    session: str
    reason: str | None = None
    count: int | None = None
    ts_from: int | None = None
    ts_to: int | None = None
    sequences: tuple[int, int] | None = None

    KEY: ClassVar[tuple[str, ...]] = ("what", "session", "ts_recv", "sequences")

    @property
    def channel(self) -> str:
        """The channel of the stream spoken of."""
        return self.what


@define(weakref_slot=False)
class Connected(StreamEvent):
    """The stream is proved alive; it is complete from `ts_from` on."""

    type: ClassVar[str] = "connected"


@define(weakref_slot=False)
class Disconnected(StreamEvent):
    """The stream's connection ended; it was complete up to `ts_to`."""

    type: ClassVar[str] = "disconnected"


@define(weakref_slot=False)
class Gap(StreamEvent):
    """Events between `ts_from` and `ts_to` are missing, `count` of them where known."""

    type: ClassVar[str] = "gap"


@define(weakref_slot=False)
class Backfilled(StreamEvent):
    """Events of an earlier Gap, `sequences` of it, have been fetched again."""

    type: ClassVar[str] = "backfilled"


MARKET_EVENTS: tuple[type[Message], ...] = (
    Trade, Quote, BookSnapshot, BookDelta, Candle, FundingRate, MarkPrice, OpenInterest, Liquidation,
)  # fmt: skip
STREAM_EVENTS: tuple[type[Message], ...] = (Connected, Disconnected, Gap, Backfilled)
ALL_EVENTS = MARKET_EVENTS + STREAM_EVENTS
