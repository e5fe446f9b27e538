"""The parser of Harbour, an exchange that does not exist: right in everything the kit asks of a parser.

    {"ch":"trade","sym":"BTC-USD","t":1704067200001,"rows":[["101","61837.630","0.10","b"]]}
    {"ch":"quote","sym":"BTC-USD","t":1704067200002,"seq":7,"bid":["61837.6","1"],"ask":["",""]}
    {"ch":"book","sym":"BTC-USD","t":1704067200003,"seq":12,"prev":10,"bids":[["61837.6","0"]],"asks":[]}
    {"ch":"candle_1s","sym":"BTC-USD","t":1704067201000,"open":1704067200000,"ohlcv":["1","2","1","2","0"],"done":true}
    {"op":"ack","id":"sub trade.BTC-USD"}   {"op":"refused","id":"sub trade.X","stream":"trade.X","why":"not listed"}

Book updates name the one before; a whole book is fetched: GET /book?sym=BTC-USD.
"""

from collections import deque
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from jrr_core import wire
from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Candle, Gap, Message, Quote, Side, Trade
from jrr_core.exact import decimal, optional_decimal
from jrr_core.frame import Acked, Frame, Hole, HttpGet, Refused, Request
from jrr_core.levels import Levels
from jrr_core.subscription import Subscription

MS = 1_000_000
# Updates kept while a whole book is awaited.
KEPT = 200
Base = tuple[str, str, int, int]
_SIDES: dict[str, Side | None] = {"b": "buy", "s": "sell", "": None}


class Shape(wire.Struct):
    """Everything Harbour sends, in one shape; fields of other channels keep their defaults."""

    op: str = ""
    id: str = ""
    stream: str = ""
    why: str = ""
    ch: str = ""
    sym: str = ""
    t: int = 0
    seq: int = 0
    prev: int = 0
    open: int = 0
    done: bool = False
    rows: tuple[tuple[str, str, str, Literal["b", "s", ""]], ...] = ()
    bid: tuple[str, str] = ("", "")
    ask: tuple[str, str] = ("", "")
    bids: tuple[tuple[str, str], ...] = ()
    asks: tuple[tuple[str, str], ...] = ()
    ohlcv: tuple[str, ...] = ()


_decode = wire.decoder(Shape)


class Book:
    """One symbol's place in its row of updates; `last` is None while a whole book is awaited."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.waiting: deque[BookDelta] = deque(maxlen=KEPT)
        self.asked = False
        self.fresh = False


class HarbourParser:
    """Reads one connection; `streams` are the subscriptions by Harbour's name for them, to be proved by acks."""

    def __init__(self, rest_url: str, streams: dict[str, Subscription]) -> None:
        self.requests: list[Request] = []
        self.books: dict[str, Book] = {}
        self.rest_url = rest_url
        self.streams = streams

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return what the frame means; raises ParseError."""
        shape = _decode(frame.payload)
        if frame.status != 200:
            return ()
        if shape.op:
            self.answer(shape)
            return ()
        base = (frame.exchange, self.symbol(shape), self.time(shape.t), frame.ts_recv)
        if shape.ch == "trade":
            return [self.trade(base, row) for row in shape.rows]
        if shape.ch == "quote":
            return [self.quote(base, shape)]
        if shape.ch == "book":
            return self.whole(base, shape) if frame.tag else self.update(base, shape)
        if shape.ch.startswith("candle_"):
            return [self.candle(base, shape)]
        raise ParseError(f"neither an answer nor a channel of Harbour: {shape.ch[:40]!r}")

    def answer(self, shape: Shape) -> None:
        """Pass on what the exchange says to a subscribe message."""
        if shape.op == "ack":
            names = shape.id.split()[1:]
            self.requests.append(Acked(shape.id, tuple(self.streams[name] for name in names if name in self.streams)))
        elif shape.op == "refused":
            self.requests.append(Refused(shape.id, shape.stream, shape.why))

    def symbol(self, shape: Shape) -> str:
        if not shape.sym:
            raise ParseError("no symbol")
        return shape.sym

    def time(self, ms: int) -> int:
        """Return nanoseconds; raises ParseError for what is no time of this century in milliseconds."""
        if not 1_230_768_000_000 < ms < 4_100_000_000_000:
            raise ParseError(f"not a time in milliseconds: {ms}")
        return ms * MS

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return Trade(*base, decimal(row[1]), decimal(row[2]), _SIDES[row[3]], row[0])

    def quote(self, base: Base, shape: Shape) -> Quote:
        (bid, bid_amount), (ask, ask_amount) = shape.bid, shape.ask
        return Quote(
            *base, optional_decimal(bid), optional_decimal(bid_amount), optional_decimal(ask),
            optional_decimal(ask_amount), self.number(shape.seq),
        )  # fmt: skip

    def candle(self, base: Base, shape: Shape) -> Candle:
        if len(shape.ohlcv) != 5:
            raise ParseError("a candle without five numbers")
        o, h, low, c, v = map(decimal, shape.ohlcv)
        return Candle(*base, shape.ch[7:], self.time(shape.open), None, o, h, low, c, v, None, None, shape.done)

    def number(self, sequence: int) -> int:
        """Return an update's number; raises ParseError for one no store could hold."""
        if not 0 <= sequence < 2**62:
            raise ParseError(f"not the number of an update: {sequence}")
        return sequence

    def whole(self, base: Base, shape: Shape) -> Sequence[Message]:
        """Take a whole book and the updates that were kept for it."""
        bids, asks = Levels(shape.bids), Levels(shape.asks)
        book = self.books.setdefault(base[1], Book())
        snapshot = BookSnapshot(*base, bids, asks, None, self.number(shape.seq))
        book.last, book.asked, book.fresh = snapshot.sequence, False, True
        events: list[Message] = [snapshot]
        waiting, book.waiting = book.waiting, deque(maxlen=KEPT)
        for update in waiting:
            events += self.follow(book, update)
        return events

    def update(self, base: Base, shape: Shape) -> Sequence[Message]:
        """Take one update: keep it, leave it out as old, or give it."""
        bids, asks = Levels(shape.bids), Levels(shape.asks)
        update = BookDelta(*base, bids, asks, None, self.number(shape.seq), self.number(shape.prev))
        return self.follow(self.books.setdefault(base[1], Book()), update)

    def follow(self, book: Book, update: BookDelta) -> Sequence[Message]:
        if book.last is None:
            book.waiting.append(update)
            self.ask(book, update.symbol)
            return ()
        # A whole book was fetched between two updates: it holds those before it, and part of the one it falls in.
        assert update.previous_sequence is not None
        inside = book.fresh and update.previous_sequence < book.last
        if inside and update.sequence <= book.last:
            return ()
        if not inside and update.previous_sequence != book.last:
            return self.lose(book, update)
        book.last, book.fresh = update.sequence, False
        return [update]

    def refill(self, hole: Hole) -> bool:
        """Ask for trades by their ids; the answer reads like a push of them."""
        if hole.channel != "trade":
            return False
        url = f"{self.rest_url}/trades?sym={quote(hole.symbol)}&from={hole.first}&to={hole.last}"
        self.requests.append(HttpGet(url, "trades", pool="rest", patient=True))
        return True

    def lose(self, book: Book, update: BookDelta) -> Sequence[Message]:
        """Say that updates are missing, and fetch the book anew."""
        gap = Gap(
            update.exchange, update.symbol, update.ts_event, update.ts_recv, "book", "", "sequence break", None,
            update.ts_event, update.ts_event,
        )  # fmt: skip
        book.last = None
        book.waiting.append(update)
        self.ask(book, update.symbol)
        return [gap]

    def ask(self, book: Book, symbol: str) -> None:
        if not book.asked:
            book.asked = True
            self.requests.append(HttpGet(f"{self.rest_url}/book?sym={quote(symbol)}", f"book:{symbol}", pool="rest"))
