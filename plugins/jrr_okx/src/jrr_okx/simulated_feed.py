"""An instrument of the simulated OKX at work, and a topic of it: a feed whose frames bear the topic as `arg`."""

from collections.abc import Iterable
from random import Random

from attrs import Factory, define

from jrr_core.events import Message
from jrr_core.exact import plain
from jrr_core.levels import Levels
from jrr_core.testing import feed
from jrr_core.testing.market import Happening, Market, Row
from jrr_core.testing.truth import Truth
from jrr_core.wire import encode

from .products import EXCHANGE
from .simulated_listings import Contract

MS = 1_000_000
S = 1_000_000_000


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
    feeds: list[feed.Feed] = Factory(list)
    funding_ns: int = 8 * 3600 * S

    @property
    def listed(self) -> bool:
        """Whether OKX lists it now."""
        return self.market.listed(self.contract.symbol)

    def happen(self, happening: Happening) -> None:
        """Number a step of the market and show it to the feeds."""
        self.sequence += 1 + int(self.random.random() * 12)
        if self.truth.kept:
            self.log(happening.ts, happening.bids, happening.asks)
        for topic in self.feeds:
            topic.happen(happening)

    def log(self, ts: int, bids: Iterable[Row] = (), asks: Iterable[Row] = ()) -> None:
        """Note in the truth that the book, with these changes, now bears `sequence`."""
        self.truth.change_book(EXCHANGE, self.contract.symbol, self.sequence, ts, bids, asks)


class Feed(feed.Feed):
    """One topic of one instrument."""

    def __init__(self, channel: str, trading: Trading) -> None:
        super().__init__(trading.contract.symbol, trading.market, trading.truth)
        self.trading = trading
        self.head = encode({"channel": channel, "instId": self.symbol})

    def publish(self, text: str, events: Iterable[Message], now_ns: int) -> None:
        """Send `text`, the part of a push behind its arg, to all listeners, and note the truth of it."""
        super().publish(f'{{"arg":{self.head},{text}}}', events, now_ns)


def level_rows(rows: Iterable[Row]) -> str:
    """Return price levels as a push holds them, without the brackets around all."""
    return ",".join([f'["{plain(p)}","{plain(a)}","0","{1 if a else 0}"]' for p, a in rows])


def levels(rows: Iterable[Row]) -> Levels:
    """Return price levels as events hold them."""
    return Levels([(plain(price), plain(amount)) for price, amount in rows])
