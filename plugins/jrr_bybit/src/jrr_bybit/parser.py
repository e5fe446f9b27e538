"""Reads every frame of one Bybit connection, of any product.

A push has a `topic`, an answer an `op`. Data may come before the answer that
acknowledges it, so nothing waits for one.
"""

from collections.abc import Callable, Sequence
from functools import partial

from jrr_core import pages
from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.frame import Frame, Hole, Request, Unknown
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import channels_of

from . import history, messages
from .books import BookStream, QuoteStream
from .control import Requests
from .messages import Push
from .products import Product
from .tickers import TickerStream
from .topics import TICKER_CHANNELS, Topic, read_topic, topic_of

Stream = Callable[[Push, int], Sequence[Message]]


class BybitParser:
    """Parser of one product's sockets; `subscriptions` None reads every topic that comes."""

    def __init__(
        self, product: Product, subscriptions: Sequence[Subscription] | None, book_depth: int, rest_url: str
    ) -> None:
        """Take the streams of the connection; raises ConfigError for one the product does not have."""
        self.requests: list[Request] = []
        self._product = product
        self._replaying = subscriptions is None
        self._wanted: dict[Topic, list[Subscription]] = {}
        self._book_depth = book_depth
        self._asked = Requests(self._ask)
        self._streams: dict[str, Stream] = {}
        self.extend(subscriptions or ())
        self._backfill = history.backfill(product, rest_url, self._ask, self._replaying)

    def _ask(self, request: Request) -> None:
        self.requests.append(request)

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return the events of a frame, () for answers and topics not asked for; raises ParseError."""
        if frame.tag is not None:
            return self._backfill.reply(frame) if frame.tag.startswith(pages.TAG) else ()
        push = messages.push(frame.payload)
        if push.topic is None:
            self._asked.answer(push)
            return ()
        stream = self._streams.get(push.topic)
        if stream is not None:
            return stream(push, frame.ts_recv)
        topic = read_topic(push.topic)
        if topic is None:
            self.requests.append(Unknown(f"topic {push.topic.rpartition('.')[0]!r}"))
        if topic is None or not self._replaying:
            return ()
        stream = self._open(topic)
        events = stream(push, frame.ts_recv)
        self._streams[push.topic] = stream
        return events

    def refill(self, hole: Hole) -> bool:
        """Ask for candles or settled funding rates that are missing; False where Bybit has no way to them."""
        return self._backfill.refill(hole)

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        """Read these streams too; False for one of a topic that is read already: Bybit refuses it a second time."""
        topics = [topic_of(self._product, subscription, self._book_depth) for subscription in wanted]
        if any(topic in self._wanted for topic in topics):
            return False
        for subscription, topic in zip(wanted, topics, strict=True):
            self._wanted.setdefault(topic, []).append(subscription)
        fresh = list(dict.fromkeys(topics))
        # A book and a quote are proved by their snapshot alone.
        proves = {topic.text: self._wanted[topic] for topic in fresh if topic.kind != "orderbook"}
        self._asked.expect([topic.text for topic in fresh], proves)
        self._streams.update({topic.text: self._open(topic) for topic in fresh})
        return True

    def _open(self, topic: Topic) -> Stream:
        """Return what reads the pushes of a topic."""
        product = self._product
        if topic.kind == "publicTrade":
            return self._of(topic.symbol, messages.trades)
        if topic.kind == "allLiquidation":
            return self._of(topic.symbol, messages.liquidations)
        if topic.kind == "kline":
            return partial(messages.candles, product, topic.symbol, topic.interval)
        if topic.kind == "tickers":
            return TickerStream(product, topic.symbol, channels_of(self._wanted.get(topic), TICKER_CHANNELS)).receive
        if topic.depth == 1:
            return QuoteStream(product, topic.symbol).receive
        channels = channels_of(self._wanted.get(topic), ("book",))
        return BookStream(product, topic.symbol, channels, partial(self._asked.again, topic.text)).receive

    def _of(self, symbol: str, read: Callable[[Product, Push, int], Sequence[Message]]) -> Stream:
        """Return `read`, held to one symbol: a frame of another's would be laid to the wrong stream."""

        def receive(frame: Push, ts_recv: int) -> Sequence[Message]:
            events = read(self._product, frame, ts_recv)
            for event in events:
                if event.symbol != symbol:
                    raise ParseError(f"{event.symbol[:60]!r} under the topic of {symbol}")
            return events

        return receive
