"""A channel of the simulated OKX, as far as all are alike: one instrument's topic and who hears it.

One feed per topic serves all its subscribers with the same frames. Events of
truth are made from the market, never by reading a frame back.
"""

from collections.abc import Iterable
from random import Random
from typing import Protocol

from attrs import Factory, define

from jrr_core.events import Message
from jrr_core.exact import plain
from jrr_core.levels import Levels
from jrr_core.testing.market import Happening, Market, Row
from jrr_core.testing.truth import Truth
from jrr_core.wire import encode

from .products import EXCHANGE
from .simulated_listings import Contract

MS = 1_000_000
S = 1_000_000_000


class Listener(Protocol):
    """A subscriber, as far as feeds care."""

    def push(self, text: str) -> None:
        """Queue a frame."""


@define
class Trading:
    """One instrument at work: its contract, how often funding is paid, and the number its channels share.

    Every change of the market moves `sequence` on.
    """

    contract: Contract
    market: Market
    truth: Truth
    random: Random
    sequence: int = 30_000_000_000
    feeds: list["Feed"] = Factory(list)
    funding_ns: int = 8 * 3600 * S

    def happen(self, happening: Happening) -> None:
        """Number a step of the market and show it to the feeds."""
        self.sequence += 1 + int(self.random.random() * 12)
        if self.truth.kept:
            self.log(happening.ts, happening.bids, happening.asks)
        for feed in self.feeds:
            feed.happen(happening)

    def log(self, ts: int, bids: Iterable[Row] = (), asks: Iterable[Row] = ()) -> None:
        """Note in the truth that the book, with these changes, now bears `sequence`."""
        self.truth.change_book(EXCHANGE, self.contract.symbol, self.sequence, ts, bids, asks)


class Feed:
    """One topic and its subscribers; `last` is the frame a new subscriber is greeted with."""

    every_ns = 0

    def __init__(self, channel: str, trading: Trading) -> None:
        self.trading = trading
        self.symbol = trading.contract.symbol
        self.head = encode({"channel": channel, "instId": self.symbol})
        self.peers: dict[Listener, None] = {}
        self.last: str | None = None
        self.sent_ns = 0

    def happen(self, happening: Happening) -> None:
        """Take note of a step of the market."""

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Send what is due; with `at_once` whatever is pending."""

    def join(self, peer: Listener, now_ns: int) -> None:
        """Add a subscriber and greet it; those already there miss nothing by it."""
        self.refresh(now_ns)
        if self.last is not None:
            peer.push(self.last)
        self.peers[peer] = None

    def refresh(self, now_ns: int) -> None:
        """Make `last` the present state, sent to the subscribers if it is news."""

    def publish(self, body: str, events: Iterable[Message], now_ns: int) -> None:
        """Send `body`, the part of a push behind its arg, to all subscribers, and note the truth of it."""
        self.last = f'{{"arg":{self.head},{body}}}'
        self.sent_ns = now_ns
        for peer in self.peers:
            peer.push(self.last)
        for event in events:
            self.trading.truth.record(event)


def level_rows(rows: Iterable[Row]) -> str:
    """Return price levels as a push holds them, without the brackets around all."""
    return ",".join([f'["{plain(p)}","{plain(a)}","0","{1 if a else 0}"]' for p, a in rows])


def levels(rows: Iterable[Row]) -> Levels:
    """Return price levels as events hold them."""
    return Levels([(plain(price), plain(amount)) for price, amount in rows])
