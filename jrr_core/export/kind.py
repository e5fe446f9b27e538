"""What can be exported, and as which rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define

from ..events import (
    BookSnapshot,
    Candle,
    FundingRate,
    Liquidation,
    MarkPrice,
    Message,
    OpenInterest,
    Quote,
    Trade,
)


@define(frozen=True)
class Kind:
    """A relation: the class of its events, the beginning of the channels that carry it, and its columns.

    `book` is made of two classes, and has rows of its own.
    """

    name: str
    event: type[Message]
    channel: str
    columns: Sequence[str]

    def carried(self, channel: str, interval: str | None) -> bool:
        """Whether a channel carries it; of candles only those of `interval`."""
        if self.event is Candle:
            return channel == f"candle_{interval}"
        return channel.partition("@")[0] == self.channel


def _of(name: str, event: type[Message], channel: str) -> Kind:
    return Kind(name, event, channel, ("exchange", "symbol", "ts_event", "ts_recv", *event.fields()))


BOOK = Kind(
    "book", BookSnapshot, "book",
    ("exchange", "symbol", "ts_event", "ts_recv", "is_snapshot", "sequence", "bids", "asks"),
)  # fmt: skip
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _of("trades", Trade, "trade"),
        _of("quotes", Quote, "quote"),
        BOOK,
        _of("candles", Candle, "candle"),
        _of("funding", FundingRate, "funding"),
        _of("mark_prices", MarkPrice, "mark_price"),
        _of("open_interest", OpenInterest, "open_interest"),
        _of("liquidations", Liquidation, "liquidation"),
    )
}
"""Every kind by its name on the command line."""

Row = Mapping[str, Any]
