"""A subscriber that keeps the last price of each symbol: right in everything the kit asks of a subscriber."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from jrr_core.events import Quote, Trade


@attrs.define
class TickerSettings:
    """Settings of `[subscribers.ticker]`; there are none."""


class TickerSubscriber:
    """The last price of each symbol, traded or quoted."""

    name: ClassVar[str] = "ticker"
    Settings: ClassVar[type] = TickerSettings
    accepts: tuple[type, ...] = (Trade, Quote)

    def __init__(self, settings: Any) -> None:
        self.last: dict[tuple[str, str], Decimal] = {}

    async def notify(self, batch: Sequence[Any]) -> None:
        for event in batch:
            self.take(event)

    def take(self, event: Any) -> None:
        price = event.price if isinstance(event, Trade) else event.bid_price
        if price is not None:
            self.last[event.exchange, event.symbol] = price
