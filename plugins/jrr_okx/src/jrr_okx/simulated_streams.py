"""The channels of the simulated OKX: what each sends when the market moves, and the truth of it.

One feed per topic serves all its subscribers with the same frames. Events of
truth are made here from the market, never by reading a frame back.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from random import Random
from typing import Protocol

from attrs import Factory, define

from jrr_core.events import (
    BookDelta,
    BookSnapshot,
    Candle,
    Message,
    Quote,
    Side,
    Trade,
)
from jrr_core.exact import plain
from jrr_core.levels import Levels
from jrr_core.testing.market import Happening, Market, MarketCandle, Row
from jrr_core.testing.truth import Truth
from jrr_core.wire import encode

from .products import DERIVED_DEPTHS, EXCHANGE
from .simulated_listings import Contract

MS = 1_000_000
S = 1_000_000_000
# One trade in so many is an RPI order's.
_RPI_EVERY = 37
Rates = Mapping[str, float]


class Listener(Protocol):
    """A subscriber, as far as feeds care."""

    def push(self, text: str) -> None:
        """Queue a frame."""


@define
class Trading:
    """One instrument at work: its contract and the number its channels share; every change moves it on."""

    contract: Contract
    market: Market
    truth: Truth
    random: Random
    sequence: int = 30_000_000_000
    feeds: list["Feed"] = Factory(list)

    def happen(self, happening: Happening) -> None:
        """Number a step of the market and show it to the feeds."""
        self.sequence += 1 + int(self.random.random() * 12)
        for feed in self.feeds:
            feed.happen(happening)


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


def _text(rows: Iterable[Row]) -> str:
    return ",".join([f'["{plain(p)}","{plain(a)}","0","{1 if a else 0}"]' for p, a in rows])


def _levels(rows: Iterable[Row]) -> Levels:
    return Levels([(plain(price), plain(amount)) for price, amount in rows])


@define
class _Fills:
    """Fills of one taker at one price and source."""

    price: Decimal
    amount: Decimal
    side: Side
    last_id: int
    ts_ns: int
    rpi: bool
    sequence: int
    count: int = 1


class TradeFeed(Feed):
    """`trades` merges the fills that came together; `trades-all` sends each. A new subscriber first gets the last."""

    def __init__(self, channel: str, trading: Trading) -> None:
        super().__init__(channel, trading)
        self._told: Trade | None = None
        self._merging = channel == "trades"
        self._fills: _Fills | None = None
        for trade in trading.market.trades(self.symbol, limit=1):
            self._take(Happening(self.symbol, trade.ts, trade, [], [], False))

    def happen(self, happening: Happening) -> None:
        if happening.trade is not None:
            self._take(happening)

    def _take(self, happening: Happening) -> None:
        trade, open_ = happening.trade, self._fills
        assert trade is not None
        rpi = trade.trade_id % _RPI_EVERY == 0
        same = open_ is not None and (open_.price, open_.side, open_.ts_ns, open_.rpi) == (
            trade.price, trade.side, trade.ts, rpi,
        )  # fmt: skip
        if open_ is not None and same and self._merging:
            open_.amount += trade.amount
            open_.last_id = trade.trade_id
            open_.count += 1
            return
        self._flush()
        self._fills = _Fills(
            trade.price, trade.amount, trade.side, trade.trade_id, trade.ts, rpi, self.trading.sequence
        )

    def tick(self, now_ns: int, at_once: bool) -> None:
        self._flush()

    def refresh(self, now_ns: int) -> None:
        self._flush()

    def join(self, peer: Listener, now_ns: int) -> None:
        super().join(peer, now_ns)
        if self.last is not None and self._told is not None:
            self.trading.truth.record(self._told)

    def _flush(self) -> None:
        fills, self._fills = self._fills, None
        if fills is None:
            return
        ms = fills.ts_ns // MS
        merged = f',"count":"{fills.count}","seqId":{fills.sequence}' if self._merging else ""
        body = (
            f'"data":[{{"instId":"{self.symbol}","tradeId":"{fills.last_id}","px":"{plain(fills.price)}",'
            f'"sz":"{plain(fills.amount)}","side":"{fills.side}","ts":"{ms}","source":"{int(fills.rpi)}"{merged}}}]'
        )
        self._told = Trade(
            EXCHANGE, self.symbol, ms * MS, fills.ts_ns, fills.price, fills.amount, fills.side, str(fills.last_id),
            fills.count, "rpi" if fills.rpi else None, None if self._merging else "fill",
        )  # fmt: skip
        self.publish(body, (self._told,) if self.peers else (), fills.ts_ns)


class QuoteFeed(Feed):
    """`bbo-tbt`: the best level of each side, at most every 10 ms, when it changed."""

    every_ns = 10 * MS
    depth = 1
    _dirty = True

    def happen(self, happening: Happening) -> None:
        if happening.top:
            self._dirty = True

    def tick(self, now_ns: int, at_once: bool) -> None:
        if self._dirty and self.peers and (at_once or now_ns - self.sent_ns >= self.every_ns):
            self.refresh(now_ns)

    def refresh(self, now_ns: int) -> None:
        if not self._dirty:
            return
        self._dirty = False
        bids, asks = self.trading.market.top(self.symbol, self.depth)
        if not self.changed(bids, asks):
            return
        ms, sequence = now_ns // MS, self.trading.sequence
        body = (
            f'"data":[{{"asks":[{_text(asks)}],"bids":[{_text(bids)}],{self.extra}'
            f'"ts":"{ms}","seqId":{sequence}}}]'
        )  # fmt: skip
        self.publish(body, (self.event(bids, asks, ms * MS, now_ns, sequence),), now_ns)

    extra = ""

    def changed(self, bids: list[Row], asks: list[Row]) -> bool:
        """Whether the levels are worth a push."""
        return True

    def event(self, bids: list[Row], asks: list[Row], ts: int, now_ns: int, sequence: int) -> Message:
        """Return what the push means."""
        return Quote(EXCHANGE, self.symbol, ts, now_ns, *bids[0], *asks[0], sequence)


class TopBookFeed(QuoteFeed):
    """`books5`: the best five levels, at most every 100 ms, when they changed."""

    every_ns = 100 * MS
    depth = 5

    def __init__(self, channel: str, trading: Trading) -> None:
        super().__init__(channel, trading)
        self.extra = f'"instId":"{self.symbol}",'
        self._shown: tuple[list[Row], list[Row]] | None = None

    def happen(self, happening: Happening) -> None:
        self._dirty = True

    def changed(self, bids: list[Row], asks: list[Row]) -> bool:
        before, self._shown = self._shown, (bids, asks)
        return before != self._shown

    def event(self, bids: list[Row], asks: list[Row], ts: int, now_ns: int, sequence: int) -> Message:
        return BookSnapshot(EXCHANGE, self.symbol, ts, now_ns, _levels(bids), _levels(asks), 5, sequence)


class BookFeed(Feed):
    """`books`: the whole book on joining, then changes every 100 ms, empty heartbeats after 60 s without any.

    Faults: `gap` is the chance that an update is lost, `maintenance` the
    seconds between two restarts of the sequence at a smaller number.
    """

    every_ns = 100 * MS
    heartbeat_ns = 60 * S

    def __init__(self, channel: str, trading: Trading, faults: Rates, now_ns: int) -> None:
        super().__init__(channel, trading)
        self._gap = faults.get("gap", 0.0)
        self._maintenance_ns = int(faults.get("maintenance", 0) * S)
        self._restarted_ns = now_ns
        self._restart = trading.sequence
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._sequence = trading.sequence
        self._snapshot: tuple[int, str] | None = None

    def happen(self, happening: Happening) -> None:
        if self.peers:
            self._bids.update(happening.bids)
            self._asks.update(happening.asks)

    def tick(self, now_ns: int, at_once: bool) -> None:
        if not self.peers:
            return
        if self._bids or self._asks:
            if at_once or now_ns - self.sent_ns >= self.every_ns:
                self._update(now_ns)
        elif now_ns - self.sent_ns >= self.heartbeat_ns:
            self._send("update", "", "", self._sequence, self._sequence, (), now_ns)

    def _update(self, now_ns: int) -> None:
        if self._maintenance_ns and now_ns - self._restarted_ns >= self._maintenance_ns:
            self._restarted_ns = now_ns
            # Each restart is at a number of its own, so that no sequence is used twice.
            self._restart = self.trading.sequence = self._restart // 2
        bids, asks = list(self._bids.items()), list(self._asks.items())
        self._bids.clear()
        self._asks.clear()
        previous, self._sequence = self._sequence, self.trading.sequence
        event = BookDelta(
            EXCHANGE, self.symbol, now_ns // MS * MS, now_ns, _levels(bids), _levels(asks),
            None, self._sequence, previous,
        )  # fmt: skip
        if self._gap and self.trading.random.random() < self._gap:
            self.trading.truth.record(event)
            return
        self._offer_tops(now_ns)
        self._send("update", _text(bids), _text(asks), self._sequence, previous, (event,), now_ns)

    def refresh(self, now_ns: int) -> None:
        """Bring the subscribers up to date, then put the whole book ready for the one that joins."""
        if not self.peers:
            self._bids.clear()
            self._asks.clear()
            self._sequence = self.trading.sequence
        elif self._bids or self._asks:
            self._update(now_ns)
        if self._snapshot is not None and self._snapshot[0] == self._sequence:
            self.last = self._snapshot[1]
            return
        bids, asks = self.trading.market.book(self.symbol)
        ms = now_ns // MS
        body = self._body("snapshot", _text(bids), _text(asks), self._sequence, -1, ms)
        self.last = f'{{"arg":{self.head},{body}}}'
        self._snapshot = (self._sequence, self.last)
        self.sent_ns = now_ns
        self.trading.truth.record(
            BookSnapshot(EXCHANGE, self.symbol, ms * MS, now_ns, _levels(bids), _levels(asks), None, self._sequence)
        )
        self._offer_tops(now_ns)

    def _offer_tops(self, now_ns: int) -> None:
        """Note what a client may read off the book: its best levels, in the depths OKX has no channel for."""
        truth, ts = self.trading.truth, now_ns // MS * MS
        for depth in DERIVED_DEPTHS.values() if truth.kept else ():
            bids, asks = (_levels(side) for side in self.trading.market.top(self.symbol, depth))
            truth.offer(BookSnapshot(EXCHANGE, self.symbol, ts, now_ns, bids, asks, depth, self._sequence))

    def _send(
        self, action: str, bids: str, asks: str, sequence: int, previous: int, events: Iterable[Message], now_ns: int
    ) -> None:
        self.publish(self._body(action, bids, asks, sequence, previous, now_ns // MS), events, now_ns)

    def _body(self, action: str, bids: str, asks: str, sequence: int, previous: int, ms: int) -> str:
        return (
            f'"action":"{action}","data":[{{"asks":[{asks}],"bids":[{bids}],"ts":"{ms}",'
            f'"checksum":0,"seqId":{sequence},"prevSeqId":{previous}}}]'
        )


class CandleFeed(Feed):
    """`candle<bar>`: the open candle once a second, the closed one once, together with its successor."""

    every_ns = S

    def __init__(self, channel: str, trading: Trading, interval: str, span: tuple[int, int], now_ns: int) -> None:
        super().__init__(channel, trading)
        self._interval = interval
        self._span, self._offset = span
        open_ = trading.market.candle(self.symbol, self._span, now_ns, self._offset)
        self._closed = open_.open_time - 1
        self._resting = False

    def tick(self, now_ns: int, at_once: bool) -> None:
        market = self.trading.market
        closed = market.closed_candles(self.symbol, self._span, self._closed, now_ns, self._offset)
        if closed:
            self._closed = closed[-1].open_time
        if self.peers and (closed or now_ns - self.sent_ns >= self.every_ns):
            self._show(closed, now_ns)

        self._resting |= at_once

    def refresh(self, now_ns: int) -> None:
        # Once the market rests no candle may close any more: whoever comes then gets the last frame.
        if self._resting and self.last is not None:
            return
        self.tick(now_ns, False)
        self._show([], now_ns)

    def _show(self, closed: list[MarketCandle], now_ns: int) -> None:
        open_ = self.trading.market.candle(self.symbol, self._span, now_ns, self._offset)
        rows = [(candle, True) for candle in closed] + [(open_, False)]
        body = ",".join([encode(self._row(candle, done)) for candle, done in rows])
        self.publish(f'"data":[{body}]', [self._event(candle, now_ns) for candle in closed], now_ns)

    def _worth(self, candle: MarketCandle) -> Decimal:
        return self.trading.contract.worth(candle.volume, candle.quote_volume)

    def _row(self, candle: MarketCandle, closed: bool) -> list[str]:
        contract = self.trading.contract
        worth = self._worth(candle)
        volume = worth if contract.value is None else contract.coins(candle.volume, candle.close)
        numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume, volume, worth)
        return [str(candle.open_time // MS), *(plain(number) for number in numbers), "1" if closed else "0"]

    def _event(self, candle: MarketCandle, now_ns: int) -> Candle:
        return Candle(
            EXCHANGE, self.symbol, None, now_ns, self._interval, candle.open_time, None, candle.open, candle.high,
            candle.low, candle.close, candle.volume, self._worth(candle), None, True,
        )  # fmt: skip
