"""Harbour as a simulator: right in everything the kit asks of a script."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import ClassVar

from jrr_core.errors import ConfigError, ParseError
from jrr_core.events import BookDelta, BookSnapshot, Candle, Message, Quote, Trade
from jrr_core.exact import plain
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels
from jrr_core.testing.market import Happening, Listing, Market, MarketCandle, Row
from jrr_core.testing.script import Close, Peer, Ping, Reply, fault_number
from jrr_core.testing.truth import Truth
from jrr_core.wire import decode, encode

MS, S = 1_000_000, 1_000_000_000
SPANS = {"candle_1s": S, "candle_1m": 60 * S}
CHANNELS = ("trade", "quote", "book", *SPANS)


class HarbourPeer:
    """One connection and the names of its streams."""

    def __init__(self, script: "HarbourScript", now_ns: int) -> None:
        self.outbox: list[str | bytes | Close | Ping] = []
        self.streams: set[str] = set()
        self.script = script
        self.heard_ns = now_ns

    def receive(self, text: str, now_ns: int) -> None:
        """Take `ping` or a request."""
        self.heard_ns = now_ns
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict) or request.get("op") not in ("ping", "sub", "unsub"):
            self.outbox.append(encode({"op": "error", "why": "not a request"}))
        elif request["op"] == "ping":
            self.outbox.append('{"op":"pong"}')
        else:
            self.ask(request["op"], str(request.get("id", "")), request.get("streams"))

    def ask(self, op: str, identity: str, names: object) -> None:
        """Begin or end streams, answering under the request's id."""
        listed = [str(name) for name in names] if isinstance(names, list) else []
        known = [name for name in listed if name in self.script.names]
        if op == "sub":
            self.streams.update(known)
            self.script.opened.update(known)
        else:
            self.streams.difference_update(known)
        for name in sorted(set(listed) - set(known)):
            self.outbox.append(encode({"op": "refused", "id": identity, "stream": name, "why": "not listed"}))
        if known:
            self.outbox.append(encode({"op": "ack", "id": identity}))

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Take a pong; Harbour's idle rule takes no notice of it."""


class HarbourScript:
    """Trades and quotes as they happen, book updates ten times a second, candles once a second."""

    exchange: ClassVar[str] = "harbour"
    listings: ClassVar[tuple[Listing, ...]] = (
        Listing("BTC-USD", Decimal("61837.6"), Decimal("0.1"), Decimal("0.0001")),
        Listing("ETH-USD", Decimal("3012.4"), Decimal("0.01"), Decimal("0.001")),
    )
    faults: ClassVar[Mapping[str, str]] = {"lose": "Chance that an update of a book is not sent."}
    demo: ClassVar[tuple[str, ...]] = tuple(
        f"harbour:{channel}:{symbol}" for symbol in ("BTC-USD", "ETH-USD") for channel in CHANNELS
    )

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        self.market, self.truth = market, truth
        self.lose = fault_number(faults, "lose") or 0.0
        if self.lose > 1:
            raise ConfigError(f"fault lose={faults['lose']} needs a chance between 0 and 1")
        symbols = [listing.symbol for listing in market.listings]
        self.names = {f"{channel}.{symbol}" for symbol in symbols for channel in CHANNELS}
        self.opened: set[str] = set()
        self.peers: dict[HarbourPeer, None] = {}
        self.numbers = dict.fromkeys(symbols, 1000)
        self.sent = dict.fromkeys(symbols, 1000)
        self.changed: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}
        self.quotes = 0
        self.batch_ns = self.second_ns = now_ns
        self.resting = False
        for symbol in symbols:
            self.changed[symbol] = ({}, {})
            truth.begin_book(self.exchange, symbol, 1000, now_ns, *market.book(symbol))
            for span in SPANS.values():
                market.candle(symbol, span, now_ns)

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        if path != "/v1":
            return Reply(404)
        peer = HarbourPeer(self, now_ns)
        self.peers[peer] = None
        return peer

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        assert isinstance(peer, HarbourPeer)
        self.peers.pop(peer, None)

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        if path == "/instruments":
            for listing in self.market.listings:
                self.note(listing)
            return Reply(200, encode([instrument_row(listing) for listing in self.market.listings]))
        symbol = query.get("sym", "")
        if path != "/book" or symbol not in self.numbers:
            return Reply(404)
        bids, asks = (pairs(side) for side in self.market.book(symbol))
        sequence = self.numbers[symbol]
        ts = now_ns // MS * MS
        self.truth.offer(BookSnapshot(self.exchange, symbol, ts, now_ns, Levels(bids), Levels(asks), None, sequence))
        body = {"ch": "book", "sym": symbol, "t": now_ns // MS, "seq": sequence, "bids": bids, "asks": asks}
        return Reply(200, encode(body))

    def note(self, listing: Listing) -> None:
        """Note in the truth that a client is told of an instrument."""
        base, _, quote = listing.symbol.partition("-")
        self.truth.offer(
            Instrument(
                self.exchange, listing.symbol, base, quote, None, "spot", listing.tick, listing.lot, None, None,
                f"{base}-{quote}",
            )
        )  # fmt: skip

    def happen(self, happening: Happening) -> None:
        symbol, now_ns = happening.symbol, happening.ts
        self.numbers[symbol] += 1
        self.truth.change_book(self.exchange, symbol, self.numbers[symbol], now_ns, happening.bids, happening.asks)
        for side, rows in zip(self.changed[symbol], (happening.bids, happening.asks), strict=True):
            side.update(rows)
        if happening.trade is not None:
            self.trade(happening)
        if happening.top:
            self.quote(symbol, now_ns)

    def trade(self, happening: Happening) -> None:
        trade, symbol = happening.trade, happening.symbol
        assert trade is not None
        row = [str(trade.trade_id), plain(trade.price), plain(trade.amount), trade.side[0]]
        event = Trade(
            self.exchange, symbol, trade.ts // MS * MS, trade.ts, trade.price, trade.amount, trade.side, row[0]
        )
        self.publish("trade", symbol, trade.ts, {"rows": [row]}, event)

    def quote(self, symbol: str, now_ns: int) -> None:
        self.quotes += 1
        (bid, *_), (ask, *_) = self.market.top(symbol, 1)
        body = {"seq": self.quotes, "bid": pairs([bid])[0], "ask": pairs([ask])[0]}
        event = Quote(self.exchange, symbol, now_ns // MS * MS, now_ns, *bid, *ask, self.quotes)
        self.publish("quote", symbol, now_ns, body, event)

    def tick(self, now_ns: int) -> None:
        """Send the batches and candles that are due; end connections that were silent for 30 s."""
        if not self.resting:
            if now_ns - self.batch_ns >= 100 * MS:
                self.batch_ns = now_ns
                self.flush(now_ns)
            if now_ns // S != self.second_ns // S:
                for symbol in self.numbers:
                    self.candles(symbol, now_ns)
                self.second_ns = now_ns
        for peer in self.peers:
            if now_ns - peer.heard_ns >= 30 * S:
                peer.heard_ns = now_ns
                peer.outbox.append(Close(4000, "silent for 30 s"))

    def flush(self, now_ns: int) -> None:
        """Send each book's changes since the last time."""
        for symbol, (bids, asks) in self.changed.items():
            number, before = self.numbers[symbol], self.sent[symbol]
            if number == before:
                continue
            rows = pairs(bids.items()), pairs(asks.items())
            self.changed[symbol], self.sent[symbol] = ({}, {}), number
            event = BookDelta(
                self.exchange, symbol, now_ns // MS * MS, now_ns, Levels(rows[0]), Levels(rows[1]), None, number, before
            )
            body = {"seq": number, "prev": before, "bids": rows[0], "asks": rows[1]}
            self.publish("book", symbol, now_ns, body, event)

    def candles(self, symbol: str, now_ns: int) -> None:
        """Send the candles that closed within the last second, and how the open ones stand."""
        for channel, span in SPANS.items():
            done = self.market.closed_candles(symbol, span, self.second_ns - span - S, now_ns)
            for candle in done:
                if candle.close_time > self.second_ns:
                    self.candle(channel, symbol, candle, True, now_ns)
            self.candle(channel, symbol, self.market.candle(symbol, span, now_ns), False, now_ns)

    def candle(self, channel: str, symbol: str, candle: MarketCandle, done: bool, now_ns: int) -> None:
        numbers = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        body = {"open": candle.open_time // MS, "ohlcv": [plain(number) for number in numbers], "done": done}
        event = Candle(
            self.exchange, symbol, now_ns // MS * MS, now_ns, channel[7:], candle.open_time, None, *numbers, None, None,
            done,
        )  # fmt: skip
        self.publish(channel, symbol, now_ns, body, event)

    def finish(self, now_ns: int) -> None:
        self.flush(now_ns)
        self.resting = True

    def publish(self, channel: str, symbol: str, now_ns: int, body: Mapping[str, object], event: Message) -> None:
        """Queue a frame for whoever has the stream, and note the truth of it once anybody had."""
        name = f"{channel}.{symbol}"
        if name not in self.opened:
            return
        self.truth.record(event)
        text = encode({"ch": channel, "sym": symbol, "t": now_ns // MS, **body})
        for peer in self.peers:
            if name in peer.streams:
                peer.outbox.append(text)


def pairs(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Return levels as Harbour writes them."""
    return [(plain(price), plain(amount)) for price, amount in rows]


def instrument_row(listing: Listing) -> Mapping[str, str]:
    """Return a listing as `/instruments` has it."""
    base, _, quote = listing.symbol.partition("-")
    return {
        "sym": listing.symbol, "base": base, "quote": quote, "tick": plain(listing.tick), "lot": plain(listing.lot),
    }  # fmt: skip
