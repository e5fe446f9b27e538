"""A seeded market for simulators: books, trades, candles and derivative prices, the same for the same seed.

Pure and exchange-neutral: it knows no clock (`now_ns` is passed in) and no wire
format. Inside, prices and amounts are whole ticks and lots, so a step costs
microseconds and every Decimal handed out has exactly the listing's digits.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from random import Random

from attrs import define

from ..events import Side

TRADE_SHARE = 0.3
KEPT_TRADES = 100_000
KEPT_CANDLES = 2_000

Row = tuple[Decimal, Decimal]


@define(frozen=True)
class Listing:
    """One symbol to trade: its starting price, price step and amount step (contracts where `derivative`)."""

    symbol: str
    price: Decimal
    tick: Decimal
    lot: Decimal
    derivative: bool = False


@define(weakref_slot=False)
class MarketTrade:
    """One trade; `trade_id` goes up by one per symbol, `side` is the taker's, `ts` int ns."""

    price: Decimal
    amount: Decimal
    side: Side
    trade_id: int
    ts: int


@define(weakref_slot=False)
class MarketCandle:
    """One interval `open_time` <= t < `close_time` (int ns); without trades it carries the previous close, volume 0.

    `first_id` and `last_id` are trade ids, None without trades; `buy_volume`
    and `buy_quote_volume` count trades whose taker bought.
    """

    open_time: int
    close_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    quote_volume: Decimal = Decimal(0)
    buy_volume: Decimal = Decimal(0)
    buy_quote_volume: Decimal = Decimal(0)
    trade_count: int = 0
    first_id: int | None = None
    last_id: int | None = None

    def take(self, trade: MarketTrade) -> None:
        """Count one trade in."""
        if not self.trade_count:
            self.open = self.high = self.low = trade.price
            self.first_id = trade.trade_id
        value = trade.price * trade.amount
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.close = trade.price
        self.volume += trade.amount
        self.quote_volume += value
        if trade.side == "buy":
            self.buy_volume += trade.amount
            self.buy_quote_volume += value
        self.trade_count += 1
        self.last_id = trade.trade_id


@define(weakref_slot=False)
class Happening:
    """What one step did to one symbol: changed levels (absolute amounts, 0 removes), and a trade if it was one.

    `top` says whether the best bid or ask changed in price or amount.
    """

    symbol: str
    ts: int
    trade: MarketTrade | None
    bids: list[Row]
    asks: list[Row]
    top: bool


class _Candles:
    """The open candle of one symbol and interval, and those closed before it."""

    __slots__ = ("closed", "interval_ns", "offset_ns", "open")

    def __init__(self, interval_ns: int, offset_ns: int, price: Decimal, now_ns: int) -> None:
        self.interval_ns = interval_ns
        self.offset_ns = offset_ns
        self.closed: deque[MarketCandle] = deque(maxlen=KEPT_CANDLES)
        start = (now_ns - offset_ns) // interval_ns * interval_ns + offset_ns
        self.open = MarketCandle(start, start + interval_ns, price, price, price, price)

    def roll(self, now_ns: int) -> MarketCandle:
        while now_ns >= self.open.close_time:
            done = self.open
            self.closed.append(done)
            price = done.close
            self.open = MarketCandle(done.close_time, done.close_time + self.interval_ns, price, price, price, price)
        return self.open


class _Symbol:
    """One symbol's book in whole ticks and lots, its trades and its candles."""

    __slots__ = (
        "asks",
        "base",
        "bids",
        "candles",
        "last",
        "listed",
        "listing",
        "lots",
        "next_id",
        "phase",
        "steps",
        "trades",
    )

    def __init__(self, listing: Listing, random: Random, depth: int) -> None:
        self.listing = listing
        self.listed = True
        self.base = max(int(listing.price / listing.tick), 2 * depth)
        # Bids are kept as negative ticks: on both sides the best is then the first of a sorted list.
        self.bids: list[int] = [-(self.base - 1 - step) for step in range(depth)]
        self.asks: list[int] = [self.base + step for step in range(depth)]
        self.lots: dict[int, int] = {price: 1 + int(random.random() * 5000) for price in (*self.bids, *self.asks)}
        self.last = self.base * listing.tick
        self.next_id = 1 + int(random.random() * 10_000_000)
        self.trades: deque[MarketTrade] = deque(maxlen=KEPT_TRADES)
        self.candles: dict[tuple[int, int], _Candles] = {}
        self.steps = 0
        self.phase = int(random.random() * 1000)

    def rows(self, keys: Iterable[int]) -> list[Row]:
        """Return the levels under `keys` as they now stand; one that is gone has amount 0."""
        tick, lot, lots = self.listing.tick, self.listing.lot, self.lots
        return [(abs(key) * tick, lots.get(key, 0) * lot) for key in keys]


class Market:
    """Books of about `depth` levels a side around each listing's price, changed by one random step at a time.

    A side never empties and never exceeds one and a half times `depth`; the
    book is never crossed.
    """

    def __init__(self, listings: Iterable[Listing], seed: int, depth: int = 200) -> None:
        """Lay out the books; the same arguments give the same market."""
        self._random = Random(seed)
        self._depth = depth
        self._symbols = {item.symbol: _Symbol(item, self._random, depth) for item in listings}
        self._all = list(self._symbols.values())
        self._open = list(self._all)
        if not self._all:
            raise ValueError("a market needs at least one listing")

    @property
    def listings(self) -> list[Listing]:
        """What is traded here, in the order given."""
        return [item.listing for item in self._all]

    def set_listed(self, symbol: str, listed: bool) -> None:
        """List a symbol, or take it off the list: nothing happens to it then."""
        self._symbols[symbol].listed = listed
        self._open = [state for state in self._all if state.listed]

    def listed(self, symbol: str) -> bool:
        """Whether a symbol is listed now."""
        return self._symbols[symbol].listed

    def step(self, now_ns: int) -> Happening:
        """Let one random thing happen to one random symbol: a trade, or a change of the book."""
        chance = self._random.random
        state = self._open[int(chance() * len(self._open))]
        state.steps += 1
        side = state.bids if chance() < 0.5 else state.asks
        best = (side[0], state.lots[side[0]])
        other = state.asks if side is state.bids else state.bids
        if chance() < TRADE_SHARE:
            trade, keys = self._trade(state, side, now_ns)
        else:
            trade, keys = None, self._change(state, side, other)
        if len(side) < self._depth // 2:
            keys.append(self._add(state, side, side[-1] + 1))
        elif len(side) > self._depth * 3 // 2:
            worst = side.pop()
            del state.lots[worst]
            keys.append(worst)
        rows = state.rows(dict.fromkeys(keys))
        top = best != (side[0], state.lots[side[0]])
        if side is state.bids:
            return Happening(state.listing.symbol, now_ns, trade, rows, [], top)
        return Happening(state.listing.symbol, now_ns, trade, [], rows, top)

    def _trade(self, state: _Symbol, side: list[int], now_ns: int) -> tuple[MarketTrade, list[int]]:
        """Take from the best level of `side`, sometimes all of it."""
        key = side[0]
        there = state.lots[key]
        # A side must not empty, and bids need room below them for all their levels.
        may_go = len(side) > 1 and (side is state.asks or -key > self._depth)
        whole = may_go and self._random.random() < 0.25
        lots = there if whole or there == 1 else 1 + int(self._random.random() * (there - 1))
        if lots == there and may_go:
            del side[0], state.lots[key]
        else:
            state.lots[key] = max(there - lots, 1)
        listing = state.listing
        taker: Side = "sell" if side is state.bids else "buy"
        trade = MarketTrade(abs(key) * listing.tick, lots * listing.lot, taker, state.next_id, now_ns)
        state.next_id += 1
        state.last = trade.price
        state.trades.append(trade)
        for candles in state.candles.values():
            candles.roll(now_ns).take(trade)
        return trade, [key]

    def _change(self, state: _Symbol, side: list[int], other: list[int]) -> list[int]:
        """Change the best amount, quote inside the spread, or change, add or remove a level further away."""
        chance = self._random.random
        kind = chance()
        if kind < 0.55:
            key = side[0]
            if -other[0] < key - 1 and chance() < 0.5:
                return [self._add(state, side, key - 1)]
            state.lots[key] = 1 + int(chance() * 5000)
            return [key]
        place = 1 + int(chance() ** 2 * (len(side) - 1))
        if place >= len(side):
            return [self._add(state, side, side[-1] + 1 + int(chance() * 5))]
        key = side[place]
        if kind < 0.75:
            del side[place], state.lots[key]
        elif kind < 0.9:
            key += 1 + int(chance() * 3)
            self._add(state, side, key)
        else:
            state.lots[key] = 1 + int(chance() * 5000)
        return [key]

    def _add(self, state: _Symbol, side: list[int], key: int) -> int:
        """Put a random amount at `key`; below one tick there is no price, so the lowest free one is taken instead."""
        if key >= 0 and side is state.bids:
            key = next((free for free in range(-1, side[0], -1) if free not in state.lots), side[-1])
        if key not in state.lots:
            insort(side, key)
        state.lots[key] = 1 + int(self._random.random() * 5000)
        return key

    def book(self, symbol: str) -> tuple[list[Row], list[Row]]:
        """Return (bids, asks), best first, as (price, amount)."""
        state = self._symbols[symbol]
        return state.rows(state.bids), state.rows(state.asks)

    def top(self, symbol: str, depth: int) -> tuple[list[Row], list[Row]]:
        """Return the best `depth` of (bids, asks), best first."""
        state = self._symbols[symbol]
        return state.rows(state.bids[:depth]), state.rows(state.asks[:depth])

    def trades(self, symbol: str, from_id: int | None = None, limit: int = 1000) -> list[MarketTrade]:
        """Return up to `limit` kept trades, oldest first: from `from_id` on, or the latest."""
        kept = self._symbols[symbol].trades
        if from_id is None:
            return list(kept)[-limit:]
        rows = list(kept)
        start = bisect_left(rows, from_id, key=lambda trade: trade.trade_id)
        return rows[start : start + limit]

    def candle(self, symbol: str, interval_ns: int, now_ns: int, offset_ns: int = 0) -> MarketCandle:
        """Return the candle that contains `now_ns`; from the first call on it is kept from every trade.

        Boundaries lie at `offset_ns` plus whole multiples of the interval.
        """
        return self._candles(symbol, interval_ns, now_ns, offset_ns).roll(now_ns)

    def closed_candles(
        self, symbol: str, interval_ns: int, after: int, now_ns: int, offset_ns: int = 0
    ) -> list[MarketCandle]:
        """Return the candles that closed by `now_ns` and open after `after` (int ns), oldest first."""
        candles = self._candles(symbol, interval_ns, now_ns, offset_ns)
        candles.roll(now_ns)
        if not candles.closed or candles.closed[-1].open_time <= after:
            return []
        return [candle for candle in candles.closed if candle.open_time > after]

    def _candles(self, symbol: str, interval_ns: int, now_ns: int, offset_ns: int) -> _Candles:
        state = self._symbols[symbol]
        known = state.candles.get((interval_ns, offset_ns))
        if known is None:
            known = _Candles(interval_ns, offset_ns, state.last, now_ns)
            for trade in state.trades:
                if trade.ts >= known.open.open_time:
                    known.open.take(trade)
            state.candles[interval_ns, offset_ns] = known
        return known

    def index_price(self, symbol: str) -> Decimal:
        """Return the middle of the book, as an index over several exchanges would have it."""
        state = self._symbols[symbol]
        return (state.asks[0] - state.bids[0]) * state.listing.tick / 2

    def mark_price(self, symbol: str) -> Decimal:
        """Return a price that follows the index within half a tick a step of a thousand."""
        state = self._symbols[symbol]
        return self.index_price(symbol) + (state.steps // 1000 % 5 - 2) * state.listing.tick / 2

    def funding_rate(self, symbol: str) -> Decimal:
        """Return a rate that drifts slowly around 0.0001."""
        state = self._symbols[symbol]
        return Decimal((state.phase + state.steps // 500) % 401 - 100) * Decimal("0.000001")

    def open_interest(self, symbol: str) -> Decimal:
        """Return a number of lots that drifts slowly, in the exchange's unit."""
        state = self._symbols[symbol]
        return (1_000_000 + 1000 * state.phase + state.steps // 100) * state.listing.lot
