"""The simulated OKX's slow channels: numbers told now and then, and liquidations."""

from collections.abc import Callable, Sequence

from jrr_core.events import Liquidation, MarkPrice, Message, OpenInterest, Side
from jrr_core.exact import plain
from jrr_core.testing.feed import Listener
from jrr_core.wire import encode

from .products import EXCHANGE
from .simulated_feed import MS, Feed, S, Trading

Reading = Callable[[Trading, int], tuple[str, Message]]


class StateFeed(Feed):
    """A number that is told at most every `every_ns`: when it changed, and else every `idle_ns`."""

    def __init__(self, channel: str, trading: Trading, every_ns: int, idle_ns: int, read: Reading) -> None:
        super().__init__(channel, trading)
        self.every_ns = every_ns
        self._idle_ns = idle_ns
        self._read = read
        self._told: list[object] = []

    def tick(self, now_ns: int, at_once: bool) -> None:
        if self.listeners and now_ns - self.sent_ns >= self.every_ns:
            self._tell(now_ns)

    def refresh(self, now_ns: int) -> None:
        # A second push within the same ms would contradict the first.
        if self.last is None or not self.listeners or now_ns - self.sent_ns >= self.every_ns:
            self._tell(now_ns)

    def _tell(self, now_ns: int) -> None:
        row, event = self._read(self.trading, now_ns)
        told, self._told = self._told, list(event.data.values())
        if self._told == told and self.last is not None and now_ns - self.sent_ns < self._idle_ns:
            return
        self.publish(f'"data":[{row}]', (event,), now_ns)


def mark_price(trading: Trading, now_ns: int) -> tuple[str, Message]:
    """Return a row of `mark-price` and what it means."""
    ms, price = now_ns // MS, trading.market.mark_price(trading.contract.symbol)
    kind = "MARGIN" if trading.contract.value is None else trading.contract.type
    row = {"instType": kind, "instId": trading.contract.symbol, "markPx": plain(price), "ts": str(ms)}
    return encode(row), MarkPrice(EXCHANGE, trading.contract.symbol, ms * MS, now_ns, price, None)


def open_interest(trading: Trading, now_ns: int) -> tuple[str, Message]:
    """Return a row of `open-interest` and what it means."""
    contract, ms = trading.contract, now_ns // MS
    amount, price = trading.market.open_interest(contract.symbol), trading.market.index_price(contract.symbol)
    worth = contract.worth(amount, amount * price)
    row = {
        "instType": contract.type, "instId": contract.symbol, "oi": plain(amount),
        "oiCcy": plain(contract.coins(amount, price)), "oiUsd": plain(worth), "ts": str(ms),
    }  # fmt: skip
    return encode(row), OpenInterest(EXCHANGE, contract.symbol, ms * MS, now_ns, amount, worth)


def liquidation(trading: Trading, now_ns: int) -> tuple[str, Message]:
    """Return a row of `liquidation-orders` with one forced order, and what it means."""
    contract, ms = trading.contract, now_ns // MS
    side: Side = "buy" if trading.random.random() < 0.5 else "sell"
    price = trading.market.top(contract.symbol, 1)[0][0][0]
    amount = contract.listing.lot * (1 + int(trading.random.random() * 1000))
    family = f"{contract.base}-{contract.quote}"
    order = {
        "bkLoss": "0", "bkPx": plain(price), "ccy": "", "posSide": "short" if side == "buy" else "long",
        "side": side, "sz": plain(amount), "ts": str(ms),
    }  # fmt: skip
    row = {
        "details": [order],
        "instFamily": family,
        "instId": contract.symbol,
        "instType": contract.type,
        "uly": family,
    }
    return encode(row), Liquidation(EXCHANGE, contract.symbol, ms * MS, now_ns, price, amount, side, None)


class LiquidationFeed(Feed):
    """`liquidation-orders` of one instrument type: a forced order of one of its contracts every second."""

    every_ns = S

    def __init__(self, channel: str, kind: str, tradings: Sequence[Trading]) -> None:
        super().__init__(channel, tradings[0])
        self.head = encode({"channel": channel, "instType": kind})
        self._tradings = tradings

    def tick(self, now_ns: int, at_once: bool) -> None:
        if self.listeners and now_ns - self.sent_ns >= self.every_ns:
            chosen = self._tradings[int(self.trading.random.random() * len(self._tradings))]
            row, event = liquidation(chosen, now_ns)
            self.publish(f'"data":[{row}]', (event,), now_ns)

    def join(self, listener: Listener, now_ns: int) -> None:
        # Nothing is pushed on joining: what was liquidated before is not sent again.
        self.listeners[listener] = None
