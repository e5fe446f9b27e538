"""One symbol of the simulated exchange: its book's update ids, its trade ids, and what goes to which stream.

Pure. Everything that comes on an open stream is recorded in the truth here, what a fault withholds included.
"""

from collections import deque

from jrr_core.testing.market import Happening, Market, MarketTrade
from jrr_core.testing.simulator import Truth

from .simulator_payloads import MS, Aggregate, Payloads
from .simulator_streams import Stream

SECOND_NS = 1_000_000_000
# REST answers from these; some minutes of a busy market.
KEPT_ROWS = 100_000


class SymbolState:
    """What the exchange knows of one symbol."""

    def __init__(self, payloads: Payloads, market: Market, truth: Truth, update: int, now_ns: int) -> None:
        """Start at book update `update`."""
        self.payloads, self.symbol = payloads, payloads.symbol
        self.update, self.updated_ns = update, now_ns
        self.broken = False
        self.trades: deque[tuple[int, MarketTrade, str]] = deque(maxlen=KEPT_ROWS)
        self.aggregates: deque[Aggregate] = deque(maxlen=KEPT_ROWS)
        # The book as it was at the start, for answers that come too late to be of use.
        self.first_book = (update, now_ns, *market.book(self.symbol))
        self._market, self._truth = market, truth
        truth.begin_book(payloads.exchange, self.symbol, *self.first_book)
        self._streams: dict[str, list[Stream]] = {
            kind: [] for kind in ("trade", "aggregate", "quote", "diff", "liquidation")
        }
        self._shift = 0
        self._aggregate: Aggregate | None = None
        self._next_aggregate = 1 + update % 1_000_000
        self._liquidated_ns = 0

    def open(self, stream: Stream, now_ns: int) -> None:
        """Begin to serve a stream that has its first subscriber."""
        if stream.kind in self._streams:
            self._streams[stream.kind].append(stream)
        if stream.kind == "diff":
            stream.cursor = self.update
        elif stream.kind == "candle":
            open_time = self._market.candle(self.symbol, stream.interval_ns, now_ns, stream.offset_ns).open_time
            stream.cursor = open_time - 1

    def close(self, stream: Stream) -> None:
        """Stop serving a stream nobody is subscribed to any more."""
        if stream.kind in self._streams:
            self._streams[stream.kind].remove(stream)

    def take_change(self, happening: Happening, first: int, last: int) -> None:
        """Give the change its ids; send the best bid and ask if they changed; gather it for the diff streams."""
        self.update, self.updated_ns = last, happening.ts
        if self._truth.kept:
            self._truth.change_book(
                self.payloads.exchange, self.symbol, last, happening.ts, happening.bids, happening.asks
            )
        for stream in self._streams["diff"]:
            stream.change(first, last, happening.bids, happening.asks)
        if happening.top:
            for stream in self._streams["quote"]:
                self.send_quote(stream, happening.ts)

    def send_quote(self, stream: Stream, now_ns: int) -> None:
        """Send the best bid and ask."""
        (bid,), (ask,) = self._market.top(self.symbol, 1)
        stream.send(self.payloads.quote(self.update, bid, ask, now_ns))
        if self._truth.kept:
            self._truth.record(self.payloads.quote_event(self.update, bid, ask, now_ns))

    def send_diff(self, stream: Stream, now_ns: int, lost: bool = False) -> None:
        """Send the gathered changes as one update; `lost` ones are gathered and never sent."""
        if not stream.first:
            return
        span = (stream.first, stream.last, stream.cursor)
        bids = self.payloads.rows(stream.bids.items())
        asks = self.payloads.rows(stream.asks.items())
        stream.cursor = stream.last
        stream.first = 0
        stream.bids, stream.asks = {}, {}
        if not lost:
            stream.send(self.payloads.delta(span, bids, asks, now_ns))
            if self._truth.kept:
                self._truth.record(self.payloads.delta_event(span, bids, asks, now_ns))

    def send_partial(self, stream: Stream, now_ns: int) -> None:
        """Send the best levels if the book changed since they were last sent."""
        if stream.cursor == self.update:
            return
        previous = stream.cursor or self.update - 1
        span = (previous + 1, self.update, previous)
        stream.cursor = self.update
        bids, asks = (self.payloads.rows(side) for side in self._market.top(self.symbol, stream.depth))
        stream.send(self.payloads.partial(stream.depth, span, bids, asks, now_ns))
        if self._truth.kept:
            ts = None if self.payloads.family == "spot" else now_ns // MS * MS
            self._truth.record(self.payloads.snapshot_event(stream.depth, self.update, bids, asks, ts, now_ns))

    def skip_trade_id(self, before: MarketTrade) -> None:
        """Use up the trade id that `before` would have had."""
        for stream in self._streams["trade"]:
            stream.send(self.payloads.na_trade(before.trade_id + self._shift, before.ts))
        self._shift += 1

    def take_trade(self, trade: MarketTrade, mark: str, dropped: bool) -> None:
        """Send the trade, unless it is dropped, and gather it into its aggregate."""
        trade_id = trade.trade_id + self._shift
        self.trades.append((trade_id, trade, mark))
        for stream in self._streams["trade"]:
            if stream.peers and not dropped:
                stream.send(self.payloads.trade(trade, trade_id, mark))
            if self._truth.kept:
                self._truth.record(self.payloads.trade_event(trade, trade_id, mark, trade.ts))
        if mark != "MARKET":
            return
        gathered = self._aggregate
        if gathered is not None and (gathered.first.price, gathered.first.side) == (trade.price, trade.side):
            gathered.last_id = trade_id
            gathered.amount += trade.amount
            return
        self.flush_aggregate(trade.ts, dropped)
        self._aggregate = Aggregate(self._next_aggregate, trade, trade_id, trade_id, trade.amount)
        self._next_aggregate += 1

    def flush_aggregate(self, now_ns: int, dropped: bool = False) -> None:
        """Send the aggregate gathered so far."""
        row, self._aggregate = self._aggregate, None
        if row is None:
            return
        self.aggregates.append(row)
        for stream in self._streams["aggregate"]:
            if stream.peers and not dropped:
                stream.send(self.payloads.aggregate(row, now_ns))
            if self._truth.kept:
                self._truth.record(self.payloads.aggregate_event(row, now_ns))

    def liquidate(self, trade: MarketTrade) -> None:
        """Report the trade as a forced order, at most one a second."""
        if trade.ts - self._liquidated_ns < SECOND_NS:
            return
        self._liquidated_ns = trade.ts
        for stream in self._streams["liquidation"]:
            stream.send(self.payloads.liquidation(trade, trade.ts))
            self._truth.record(self.payloads.liquidation_event(trade, trade.ts))

    def send_closed_candles(self, stream: Stream, now_ns: int) -> None:
        """Send each candle that closed since the stream began, once."""
        interval_ns, offset_ns = stream.interval_ns, stream.offset_ns
        for candle in self._market.closed_candles(self.symbol, interval_ns, stream.cursor, now_ns, offset_ns):
            stream.cursor = candle.open_time
            stream.send(self.payloads.candle(stream.interval, candle, True, now_ns))
            if self._truth.kept:
                self._truth.record(self.payloads.candle_event(stream.interval, candle, True, now_ns, now_ns))

    def send_open_candle(self, stream: Stream, now_ns: int) -> None:
        """Send the candle as it stands."""
        candle = self._market.candle(self.symbol, stream.interval_ns, now_ns, stream.offset_ns)
        stream.send(self.payloads.candle(stream.interval, candle, False, now_ns))
        if self._truth.kept:
            self._truth.record(self.payloads.candle_event(stream.interval, candle, False, now_ns, now_ns))

    def send_mark(self, stream: Stream, now_ns: int, funding_ns: int) -> None:
        """Send mark price, index price and funding rate, dated on the full second."""
        stream.send(self.mark(now_ns // SECOND_NS * SECOND_NS, funding_ns))

    def mark(self, now_ns: int, funding_ns: int) -> str:
        """Return the mark price payload of `now_ns`, noted as sent."""
        market = self._market
        values = (market.mark_price(self.symbol), market.index_price(self.symbol), market.funding_rate(self.symbol))
        for event in self.payloads.mark_events(*values, funding_ns, now_ns):
            self._truth.record(event)
        return self.payloads.mark(*values, funding_ns, now_ns)
