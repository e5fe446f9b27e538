"""Reads every frame of one Kraken connection.

A push has a `channel` and rows of any symbols, an answer a `method`. Data may
come before the answer that acknowledges it, so nothing waits for one.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from attrs import evolve

from jrr_core import pages
from jrr_core.errors import ParseError
from jrr_core.events import Message, Quote
from jrr_core.frame import Frame, Hole, Request
from jrr_core.rising import Rising
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import channels_of

from . import history, messages
from .books import BookStream
from .candles import CandleStream
from .control import answers
from .messages import Push
from .products import EXCHANGE, INTERVALS
from .topics import Topic, requests, topic_of

_silent = frozenset({"heartbeat", "status", "instrument"})


class KrakenParser:
    """Parser of Kraken's v2 socket; `subscriptions` None reads every channel that comes."""

    exchange: ClassVar[str] = EXCHANGE

    def __init__(self, subscriptions: Sequence[Subscription] | None, book_depth: int, rest_url: str) -> None:
        """Take the streams of the connection; raises ConfigError for one Kraken does not have."""
        self.requests: list[Request] = []
        self._replaying = subscriptions is None
        self._book_depth = book_depth
        self._wanted: dict[Topic, list[Subscription]] = {}
        self._proves: dict[str, list[Subscription]] = {}
        self.extend(subscriptions or ())
        self._books: dict[str, BookStream] = {}
        self._quotes: dict[str, tuple[Rising, Quote]] = {}
        self._candles: dict[tuple[str, int], CandleStream] = {}
        self._backfill = history.backfill(rest_url, self._ask, self._replaying)
        self._readers: dict[str, Callable[[Push, int], Sequence[Message]]] = {
            "trade": self._read_trades,
            "ticker": self._read_quotes,
            "book": self._read_books,
            "ohlc": self._read_candles,
        }

    def _ask(self, request: Request) -> None:
        self.requests.append(request)

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return the events of a frame, () for answers, heartbeats and what was not asked for; raises ParseError."""
        if frame.tag is not None:
            return self._backfill.reply(frame) if frame.tag.startswith(pages.TAG) else ()
        push = messages.push(frame.payload)
        if push.channel is None:
            self.requests.extend(answers(push, self._proves))
            return ()
        if push.channel in _silent:
            return ()
        read = self._readers.get(push.channel)
        if read is None or push.type not in ("snapshot", "update"):
            raise ParseError(f"a push that Kraken does not document: {push.channel[:60]!r}, {str(push.type)[:60]!r}")
        return read(push, frame.ts_recv)

    def refill(self, hole: Hole) -> bool:
        """Ask for trades or candles that are missing; False where Kraken has no way to them."""
        return self._backfill.refill(hole)

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        """Read these streams too; False for one of a topic that is read already: Kraken refuses it a second time."""
        topics = [topic_of(subscription, self._book_depth) for subscription in wanted]
        if any(topic in self._wanted for topic in topics):
            return False
        for subscription, topic in zip(wanted, topics, strict=True):
            self._wanted.setdefault(topic, []).append(subscription)
            # A book and a quote are proved by their snapshot alone.
            if topic.channel in ("trade", "ohlc"):
                self._proves[topic.key] = self._wanted[topic]
        return True

    def _wants(self, topic: Topic) -> bool:
        return self._replaying or topic in self._wanted

    def _read_trades(self, push: Push, ts_recv: int) -> Sequence[Message]:
        rows = messages.read_trades(push.data)
        if push.type == "snapshot":
            # It holds the last fifty in whatever order; core counts upwards.
            rows.sort(key=lambda row: row.trade_id)
        return [messages.trade(row, ts_recv) for row in rows if self._wants(Topic("trade", 0, row.symbol))]

    def _read_quotes(self, push: Push, ts_recv: int) -> Sequence[Message]:
        """Read quotes; all rows are read before any number is taken."""
        rows = [row for row in messages.read_tickers(push.data) if self._wants(Topic("ticker", 0, row.symbol))]
        times = [None if row.timestamp is None else messages.moment(row.timestamp) for row in rows]
        events = [messages.quote(row, None, ts, ts_recv) for row, ts in zip(rows, times, strict=True)]
        return [event for event in events if self._number(event)]

    def _number(self, event: Quote) -> bool:
        """Give a quote its number; False for the last one once more, word for word."""
        numbers, last = self._quotes.get(event.symbol, (Rising(), None))
        if last is not None and evolve(event, sequence=last.sequence, ts_recv=last.ts_recv) == last:
            return False
        event.sequence = numbers.next(event.ts_recv if event.ts_event is None else event.ts_event)
        numbers.take(event.sequence)
        self._quotes[event.symbol] = numbers, event
        return True

    def _read_books(self, push: Push, ts_recv: int) -> Sequence[Message]:
        """Read books; Kraken sends one a frame, so a second one that is damaged cannot spoil a first."""
        rows = messages.read_books(push.data)
        if len(rows) != 1:
            raise ParseError(f"{len(rows)} books in one frame")
        (row,) = rows
        if not self._wants(Topic("book", self._book_depth, row.symbol)):
            return ()
        book = self._books.get(row.symbol) or self._new_book(row.symbol)
        events = book.receive(row, push.type == "snapshot", ts_recv)
        self._books[row.symbol] = book
        return events

    def _new_book(self, symbol: str) -> BookStream:
        topic = Topic("book", self._book_depth, symbol)
        channels = channels_of(self._wanted.get(topic), ("book",))
        return BookStream(symbol, self._book_depth, channels, partial(self._again, topic))

    def _again(self, topic: Topic) -> None:
        """End a topic and ask for it anew."""
        self.requests.extend(requests("unsubscribe", [topic]))
        self.requests.extend(requests("subscribe", [topic]))

    def _read_candles(self, push: Push, ts_recv: int) -> Sequence[Message]:
        rows = messages.read_candles(push.data)
        found = []
        for row in sorted(rows, key=lambda row: row.interval_begin):
            interval = INTERVALS.get(row.interval)
            if interval is None:
                raise ParseError(f"candles of {row.interval} minutes")
            if self._wants(Topic("ohlc", row.interval, row.symbol)):
                found.append((row.interval, messages.candle(row, interval, ts_recv)))
        streams = [(self._candle_stream(candle.symbol, minutes), candle) for minutes, candle in found]
        return [event for stream, candle in streams for event in stream.receive(candle)]

    def _candle_stream(self, symbol: str, minutes: int) -> CandleStream:
        known = self._candles.get((symbol, minutes))
        if known is None:
            known = self._candles[symbol, minutes] = CandleStream(symbol, minutes, self._ask)
        return known
