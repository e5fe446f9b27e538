"""Reads every frame of one OKX connection, spot, swap and futures alike.

Frames are told apart as OKX documents: the text `pong`, JSON with `event` is
about the connection, JSON with `arg` and `data` is market data. Data may come
before the acknowledgement, so nothing waits for one.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from jrr_core import pages
from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.frame import Frame, Hole, Request, Unknown
from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import channels_of

from . import history, messages
from .books import BookStream
from .control import Argument, answers, envelope
from .messages import Payload
from .products import DERIVED_DEPTHS, EXCHANGE, REST_URL, RULES
from .topics import Topic, batches, is_target, request, request_id, topic_of

Stream = Callable[[Payload, int], Sequence[Message]]
# One entry per topic and kind of push; more than this are not one connection's topics but noise.
_MOST_HEADS = 10_000
# Enough of a frame behind its `arg` to tell a push (`},"data"`, `},"action"`) from an acknowledgement.
_BEHIND_ARG = 6


class OkxParser:
    """Parser of OKX's public and business sockets; `subscriptions` None reads every topic that comes."""

    exchange: ClassVar[str] = EXCHANGE

    def __init__(
        self,
        subscriptions: Sequence[Subscription] | None,
        trade_stream: str = "trades",
        rest_url: str = REST_URL,
    ) -> None:
        """Take the streams of the connection; raises ConfigError for one OKX does not have."""
        self.requests: list[Request] = []
        self._replaying = subscriptions is None
        self._wanted: dict[str, list[Subscription]] = {}
        self._topics: dict[str, Topic] = {}
        self._trade_stream = trade_stream
        self._proved: dict[str, tuple[Subscription, ...]] = {}
        self._batches: dict[str, Sequence[str]] = {}
        self._streams: dict[str, Stream] = {}
        self._by_head: dict[Payload, Stream] = {}
        self.extend(subscriptions or ())
        self._backfill = history.backfill(rest_url, self._ask, self._replaying)

    def _ask(self, request: Request) -> None:
        self.requests.append(request)

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return the events of a frame, () for control frames and topics not asked for; raises ParseError."""
        if frame.tag is not None:
            return self._backfill.reply(frame) if frame.tag.startswith(pages.TAG) else ()
        payload = frame.payload
        end = payload.find("}") if isinstance(payload, str) else payload.find(b"}")
        stream = self._by_head.get(payload[: end + _BEHIND_ARG])
        if stream is not None:
            return stream(payload, frame.ts_recv)
        if payload in ("pong", b"pong"):
            return ()
        return self._receive_new(payload, end, frame.ts_recv)

    def refill(self, hole: Hole) -> bool:
        """Ask for trades, candles or settled funding rates that are missing; False where OKX has no way to them."""
        return self._backfill.refill(hole)

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        """Read these streams too; False for one made from a book that is kept already."""
        topics = {subscription: topic_of(subscription, self._trade_stream) for subscription in wanted}
        if any(topic.rule.deep and topic.key in self._topics for topic in topics.values()):
            return False
        for subscription, topic in topics.items():
            self._topics[topic.key] = topic
            self._wanted.setdefault(topic.key, []).append(subscription)
        asked = list({topic.key: topic for topic in topics.values()}.values())
        self._remember(asked)
        for topic in asked:
            self._remember([topic])
            self._proved[topic.key] = self._proved_by_ack(topic.key)
            self._streams[topic.key] = self._open(topic)
        # What begins alike may have to be read otherwise now.
        self._by_head.clear()
        return True

    def _receive_new(self, payload: Payload, end: int, ts_recv: int) -> Sequence[Message]:
        """Read a frame whose beginning has not been seen yet."""
        read = envelope(payload)
        if read.event is not None:
            self.requests.extend(answers(read, self._proved, self._batches))
            return ()
        if read.arg is None or not len(read.data):
            raise ParseError("neither an event nor a push with arg and data")
        stream = self._streams.get(read.arg.key)
        if stream is None:
            if read.arg.channel not in RULES:
                self.requests.append(Unknown(f"channel {read.arg.channel!r}"))
                return ()
            if not self._replaying:
                return ()
            stream = self._streams[read.arg.key] = self._found(read.arg)
        events = stream(payload, ts_recv)
        head = payload[: end + _BEHIND_ARG]
        if head.startswith('{"arg":{') if isinstance(head, str) else head.startswith(b'{"arg":{'):
            if len(self._by_head) >= _MOST_HEADS:
                self._by_head.clear()
            self._by_head[head] = stream
        return events

    def _found(self, argument: Argument) -> Stream:
        if not is_target(argument.target):
            raise ParseError(f"not an instrument: {argument.target[:60]!r}")
        return self._open(Topic(argument.channel, argument.target))

    def _open(self, topic: Topic) -> Stream:
        """Return what reads the pushes of a topic."""
        rule, symbol = topic.rule, topic.target
        if rule.channel == "trade":
            return partial(messages.trades, symbol, "fill" if topic.channel == "trades-all" else None)
        if rule.deep:
            return self._open_book(topic)
        if rule.channel == "liquidation":
            return partial(messages.liquidations, self._symbols(topic))
        if rule.channel.startswith("candle_"):
            return partial(messages.candles, symbol, rule.channel.removeprefix("candle_"))
        return partial(_READERS[rule.channel], symbol)

    def _open_book(self, topic: Topic) -> Stream:
        channels = channels_of(self._wanted.get(topic.key), ("book",))
        depths = [DERIVED_DEPTHS[channel] for channel in channels if channel in DERIVED_DEPTHS]
        return BookStream(topic.target, channels, depths, partial(self._resubscribe, topic)).receive

    def _resubscribe(self, topic: Topic) -> None:
        self.requests.append(request("unsubscribe", [topic]))
        self.requests.append(request("subscribe", [topic]))

    def _symbols(self, topic: Topic) -> frozenset[str] | None:
        """Return the symbols whose liquidations are wanted, None for all of the instrument type."""
        wanted = self._wanted.get(topic.key)
        if wanted is None or any(item.native is not None for item in wanted):
            return None
        return frozenset(item.symbol for item in wanted)

    def _proved_by_ack(self, key: str) -> tuple[Subscription, ...]:
        """Return the streams an acknowledgement proves: a book is proved by its snapshot alone."""
        return () if self._topics[key].rule.deep else tuple(self._wanted[key])

    def _remember(self, topics: Sequence[Topic]) -> None:
        """Note the ids of the requests that subscribe these topics together."""
        for batch in batches(topics):
            keys = [topic.key for topic in batch]
            self._batches[request_id("subscribe", keys)] = keys


_READERS: dict[str, Callable[[str, Payload, int], Sequence[Message]]] = {
    "quote": messages.quotes,
    "book_snapshot_5": messages.top_books,
    "funding": messages.funding_rates,
    "mark_price": messages.mark_prices,
    "open_interest": messages.open_interests,
}
