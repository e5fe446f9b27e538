"""Reads every frame of one Gate connection, of either product.

A push has `event` "update" or "all", an answer "subscribe". Data may come
before the answer that acknowledges it, so nothing waits for one.
"""

from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import quote

from jrr_core import pages
from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.frame import Acked, Frame, Hole, HttpGet, Refused, Request, Rotate
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import channels_of
from jrr_core.wire import Struct, decoder

from . import candles, frames, history, messages
from .books import SeededStream, StreamedBook
from .frames import Push
from .products import API, INTERVALS, SEED_LEVELS, Product
from .topics import TICKER_CHANNELS, BookChoice, Topic, is_symbol, request, topic_of

SEED_TAG = "seed:"
Stream = Callable[[Push, int], Sequence[Message]]


class _Head(Struct):
    """What tells of which symbol a row is: one of these."""

    s: str = ""
    currency_pair: str = ""
    contract: str = ""
    n: str = ""
    type: str = ""


_heads = decoder(list[_Head])


class GateParser:
    """Parser of one product's sockets; `subscriptions` None reads every channel that comes."""

    def __init__(
        self, product: Product, subscriptions: Sequence[Subscription] | None, book: BookChoice, rest_url: str
    ) -> None:
        """Take the streams of the connection; raises ConfigError for one the product does not have."""
        self.requests: list[Request] = []
        self._product = product
        self._book = book
        self._rest_url = rest_url.rstrip("/")
        self._replaying = subscriptions is None
        self._wanted: dict[Topic, list[Subscription]] = {}
        self._asked: dict[int, Topic] = {}
        self._seeded: dict[str, SeededStream] = {}
        self._streams: dict[Topic, Stream] = {}
        self.extend(subscriptions or ())
        self._backfill = history.backfill(product, self._rest_url, self._ask, self._replaying)

    def _ask(self, request: Request) -> None:
        self.requests.append(request)

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return the events of a frame, () for answers, pongs and what was not asked for; raises ParseError."""
        if frame.tag is not None:
            return self._reply(frame, frame.tag)
        push = frames.push(frame.payload)
        prefix, _, name = push.channel.partition(".")
        if prefix != self._product.prefix:
            raise ParseError(f"a channel of another product: {push.channel[:60]!r}")
        if push.event in ("subscribe", "unsubscribe"):
            self._answered(push)
            return ()
        if name == "pong":
            return ()
        if push.event not in ("update", "all"):
            raise ParseError(f"an event that Gate does not document: {str(push.event)[:60]!r}")
        if name == "system":
            self._noticed(push)
            return ()
        return self._receive(name, push, frame.ts_recv)

    def refill(self, hole: Hole) -> bool:
        """Ask for candles or settled funding rates that are missing; False where Gate has no way to them."""
        return self._backfill.refill(hole)

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        """Read these streams too; False for one of a topic that is read already."""
        topics = [topic_of(self._product, subscription, self._book) for subscription in wanted]
        if any(topic in self._wanted for topic in topics):
            return False
        for subscription, topic in zip(wanted, topics, strict=True):
            self._wanted.setdefault(topic, []).append(subscription)
        for topic in dict.fromkeys(topics):
            self._asked[topic.request_id] = topic
            self._streams[topic] = self._open(topic)
        return True

    def _reply(self, frame: Frame, tag: str) -> Sequence[Message]:
        if tag.startswith(pages.TAG):
            return self._backfill.reply(frame)
        symbol = tag.removeprefix(SEED_TAG)
        if not tag.startswith(SEED_TAG) or not is_symbol(symbol):
            return ()
        if self._replaying and symbol not in self._seeded:
            self._streams[Topic("order_book_update", symbol)] = self._open(Topic("order_book_update", symbol))
        book = self._seeded.get(symbol)
        return () if book is None else book.reply(frame)

    def _answered(self, push: Push) -> None:
        """Take an answer: one without an id (of recordings before 2022) cannot be told from another."""
        topic = None if push.id is None else self._asked.get(push.id)
        if push.event == "unsubscribe" or topic is None:
            return
        if push.error is not None:
            self._ask(Refused(topic.key, topic.key, f"{push.error.code}: {push.error.message}"))
        else:
            # A book and a quote are proved by their first row alone.
            proved = self._wanted[topic] if topic.channel not in ("book", "quote") else ()
            self._ask(Acked(topic.key, tuple(proved)))

    def _noticed(self, push: Push) -> None:
        if any(head.type == "upgrade" for head in _heads(frames.one_or_many(push.result))):
            self._ask(Rotate("the exchange announced an upgrade"))

    def _receive(self, name: str, push: Push, ts_recv: int) -> Sequence[Message]:
        topic = self._topic(name, push)
        if topic is None:
            return ()
        stream = self._streams.get(topic)
        if stream is not None:
            return stream(push, ts_recv)
        if not self._replaying:
            return ()
        stream = self._open(topic)
        events = stream(push, ts_recv)
        self._streams[topic] = stream
        return events

    def _topic(self, name: str, push: Push) -> Topic | None:
        """Return the topic a push belongs to, None for a channel no event is made of; raises ParseError."""
        heads = _heads(frames.one_or_many(push.result))
        if not heads:
            return None
        head = heads[0]
        symbol = head.s or head.currency_pair or head.contract
        if any((one.s or one.currency_pair or one.contract, one.n) != (symbol, head.n) for one in heads):
            raise ParseError("rows of several symbols in one push")
        if name == "candlesticks":
            detail, _, symbol = head.n.partition("_")
            return Topic("candlesticks", _symbol(symbol), detail) if detail in INTERVALS else None
        if name == "obu":
            start, symbol, depth = (*head.s.split("."), "", "")[:3]
            return Topic("obu", _symbol(symbol), depth) if start == "ob" and depth.isdigit() else None
        if name in ("trades", "book_ticker", "order_book_update") or (name == "tickers" and self._product.futures):
            return Topic(name, _symbol(symbol))  # type: ignore[arg-type]  # one of these names
        return None

    def _open(self, topic: Topic) -> Stream:
        """Return what reads the pushes of a topic."""
        product, symbol = self._product, topic.symbol
        if topic.name == "obu":
            name, again = topic.payload(product)[0], partial(self._again, topic)
            return StreamedBook(product, symbol, name, channels_of(self._wanted.get(topic), ("book",)), again).receive
        if topic.name == "order_book_update":
            ask = None if self._replaying else partial(self._ask_seed, symbol)
            book = self._seeded[symbol] = SeededStream(
                product, symbol, channels_of(self._wanted.get(topic), ("book",)), ask
            )
            return book.receive
        if topic.name == "candlesticks":
            return partial(candles.candles, product, symbol, topic.detail)
        if topic.name == "tickers":
            return partial(messages.tickers, product, frozenset(channels_of(self._wanted.get(topic), TICKER_CHANNELS)))
        return partial(messages.trades if topic.name == "trades" else messages.quotes, product)

    def _again(self, topic: Topic) -> None:
        """End a topic and ask for it anew."""
        self._ask(request(self._product, "unsubscribe", topic))
        self._ask(request(self._product, "subscribe", topic))

    def _ask_seed(self, symbol: str, delay_s: float) -> None:
        product = self._product
        query = f"{product.symbol_field}={quote(symbol)}&limit={SEED_LEVELS}&with_id=true"
        url = f"{self._rest_url}{API}{product.book_path}?{query}"
        self._ask(HttpGet(url, SEED_TAG + symbol, 1, product.exchange, delay_s, headers=product.headers))


def _symbol(text: str) -> str:
    if not is_symbol(text):
        raise ParseError(f"not a symbol of Gate's: {text[:60]!r}")
    return text
