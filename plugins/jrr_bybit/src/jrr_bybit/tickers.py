"""Mark price, funding and open interest of one symbol, told by `tickers` as a snapshot and then what changed.

A field that a delta does not have keeps its value. Deltas are not numbered, so
a lost one cannot be noticed; each connection begins with a snapshot.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from attrs import define, evolve

from jrr_core.errors import ParseError
from jrr_core.events import FundingRate, MarkPrice, Message, OpenInterest
from jrr_core.exact import optional_decimal

from .messages import Push, TickerData, millis, moment, ticker_data
from .products import Product


@define(frozen=True)
class _State:
    """What is known; a time is int ns."""

    mark: Decimal | None = None
    index: Decimal | None = None
    interest: Decimal | None = None
    value: Decimal | None = None
    rate: Decimal | None = None
    settles: int | None = None


class TickerStream:
    """The ticker of one symbol on one connection; events are made of `channels` alone."""

    def __init__(self, product: Product, symbol: str, channels: Collection[str]) -> None:
        """Start with nothing known."""
        self._product = product
        self._symbol = symbol
        self._channels = frozenset(channels)
        self._state = _State()

    def receive(self, frame: Push, ts_recv: int) -> list[Message]:
        """Return what a push tells; raises ParseError and then has changed nothing."""
        data = ticker_data(frame.data)
        if data.symbol != self._symbol or frame.type not in ("snapshot", "delta"):
            raise ParseError(f"not a ticker of {self._symbol}: {data.symbol!r}, {frame.type!r}")
        state = _State() if frame.type == "snapshot" else self._state
        changes: dict[str, Any] = {name: value for name, value in _read(data).items() if value is not None}
        state = evolve(state, **changes)
        self._state = state
        return [event for event in self._events(state, changes, moment(frame.ts), ts_recv) if event is not None]

    def _events(
        self, state: _State, changes: Collection[str], ts_event: int | None, ts_recv: int
    ) -> list[Message | None]:
        place = (self._product.exchange, self._symbol, ts_event, ts_recv)
        events: list[Message | None] = []
        if self._told("mark_price", changes, "mark", "index") and state.mark is not None:
            events.append(MarkPrice(*place, state.mark, state.index))
        if self._told("funding", changes, "rate", "settles") and state.rate is not None and state.settles is not None:
            events.append(FundingRate(*place, state.rate, state.settles, predicted=True))
        if self._told("open_interest", changes, "interest", "value") and state.interest is not None:
            # Inverse contracts are worth a dollar each; the value Bybit sends is then in coins, not in the quote.
            value = state.value if self._product.quoted_turnover else None
            events.append(OpenInterest(*place, state.interest, value))
        return events

    def _told(self, channel: str, changes: Collection[str], *names: str) -> bool:
        return channel in self._channels and any(name in changes for name in names)


def _read(data: TickerData) -> dict[str, Decimal | int | None]:
    """Return what a push brings; dated contracts have no funding: "" for the rate and "0" for the time."""
    settles = millis(data.next_funding_time) if data.next_funding_time else None
    return {
        "mark": optional_decimal(data.mark_price),
        "index": optional_decimal(data.index_price),
        "interest": optional_decimal(data.open_interest),
        "value": optional_decimal(data.open_interest_value),
        "rate": optional_decimal(data.funding_rate),
        "settles": settles or None,
    }
