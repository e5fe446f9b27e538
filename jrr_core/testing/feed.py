"""Channels of a simulated exchange, as far as they are alike: one symbol's topic, and who hears it.

One feed serves all its listeners with the same texts. Events of truth are made
from the market, never by reading a text back. Pure: every call says what time it is.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from ..events import Candle, Message, Trade
from .market import Happening, Market, MarketCandle, MarketTrade
from .truth import Truth

_S = 1_000_000_000


class Listener(Protocol):
    """A subscriber, as far as feeds care."""

    def push(self, text: str) -> None:
        """Queue a frame."""


class Feed:
    """One topic and its listeners; `last` is the text a new one is greeted with, None for nothing.

    `sent_ns` (int ns) is when the last text was sent. Subclasses say what
    happens, what is due, and what the present state is.
    """

    every_ns = 0

    def __init__(self, symbol: str, market: Market, truth: Truth) -> None:
        """Start unheard."""
        self.symbol = symbol
        self.market = market
        self.truth = truth
        self.listeners: dict[Listener, None] = {}
        self.last: str | None = None
        self.sent_ns = 0

    def happen(self, happening: Happening) -> None:
        """Take note of a step of the market."""

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Send what is due; with `at_once` whatever is pending."""

    def join(self, listener: Listener, now_ns: int) -> None:
        """Add a listener and greet it; those already there miss nothing by it."""
        self.refresh(now_ns)
        if self.last is not None:
            listener.push(self.last)
        self.listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Forget a listener, if it is one."""
        self.listeners.pop(listener, None)

    def refresh(self, now_ns: int) -> None:
        """Make `last` the present state, sent to the listeners if it is news."""

    def publish(self, text: str, events: Iterable[Message], now_ns: int) -> None:
        """Send a text to all listeners, and note the truth of it."""
        self.last = text
        self.sent_ns = now_ns
        for listener in self.listeners:
            listener.push(text)
        for event in events:
            self.truth.record(event)


class TradeFeed(Feed):
    """Trades, told once a tick; noted in the truth also while nobody listens."""

    def __init__(self, symbol: str, market: Market, truth: Truth) -> None:
        """Start with nothing pending."""
        super().__init__(symbol, market, truth)
        self._pending: list[MarketTrade] = []

    def event(self, trade: MarketTrade) -> Trade:
        """Return what a trade means."""
        raise NotImplementedError

    def texts(self, trades: Sequence[MarketTrade], now_ns: int) -> Iterable[str]:
        """Return the texts that tell these trades."""
        raise NotImplementedError

    def happen(self, happening: Happening) -> None:
        """Take a trade."""
        if happening.trade is not None:
            self._pending.append(happening.trade)

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Send the trades of this tick."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        for text in self.texts(pending, now_ns):
            for listener in self.listeners:
                listener.push(text)
        for trade in pending:
            self.truth.record(self.event(trade))


class CandleFeed(Feed):
    """Candles of one interval: the open one every `every_ns`, each that closed once, together with its successor.

    Each that closes is noted in the truth, also while nobody listens: a client
    that was here once can fetch it. Boundaries lie at `offset_ns` plus whole
    multiples of `span_ns`.
    """

    every_ns = _S

    def __init__(
        self, symbol: str, market: Market, truth: Truth, span_ns: int, now_ns: int, offset_ns: int = 0
    ) -> None:
        """Begin with the candle that is open now."""
        super().__init__(symbol, market, truth)
        self._span, self._offset = span_ns, offset_ns
        self._closed = market.candle(symbol, span_ns, now_ns, offset_ns).open_time - 1
        self._resting = False

    def event(self, candle: MarketCandle, now_ns: int) -> Candle | None:
        """Return what a closed candle means; None where the exchange makes none of it."""
        raise NotImplementedError

    def text(self, candles: Sequence[tuple[MarketCandle, bool]], now_ns: int) -> str | None:
        """Return the text that tells these candles, each with whether it is closed; None where nothing is told."""
        raise NotImplementedError

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Note what closed, and show it or the open candle when it is due."""
        closed = self.market.closed_candles(self.symbol, self._span, self._closed, now_ns, self._offset)
        if closed:
            self._closed = closed[-1].open_time
            for candle in closed:
                event = self.event(candle, now_ns)
                if event is not None:
                    self.truth.record(event)
        if self.listeners and (closed or now_ns - self.sent_ns >= self.every_ns):
            self._show(closed, now_ns)
        self._resting |= at_once

    def refresh(self, now_ns: int) -> None:
        """Show the open candle, unless the market rests: then none may close any more, and the last text stands."""
        if self._resting and self.last is not None:
            return
        self.tick(now_ns, False)
        self._show([], now_ns)

    def _show(self, closed: Sequence[MarketCandle], now_ns: int) -> None:
        open_ = self.market.candle(self.symbol, self._span, now_ns, self._offset)
        text = self.text([*((candle, True) for candle in closed), (open_, False)], now_ns)
        if text is not None:
            self.publish(text, (), now_ns)
