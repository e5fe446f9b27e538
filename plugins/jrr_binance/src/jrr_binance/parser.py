"""Frames of one Binance connection into events: envelope, dispatch by stream, control replies, REST replies.

A payload that begins with its kind is decoded together with its envelope; of
others the envelope is (`stream`, `data` left raw), then the data into its typed
row. Unwrapped payloads are told by `e` and `s`. Does no I/O; book snapshots and
open interest are asked for through `requests`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import define

from jrr_core import pages
from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.frame import Absent, Acked, Frame, Hole, Refused, Request, Rotate, Unknown
from jrr_core.subscription import Subscription
from jrr_core.wire import Raw, Struct, decoder

from . import books, history, messages, polls, streams
from .products import Payload, Product
from .streams import Stream

# Streams remembered in replay, where names come from the file: no file of lines can grow it further.
_MOST_ROUTES = 50_000

_BARE_PAYLOADS: dict[str, Payload] = {
    "trade": "trade",
    "aggTrade": "aggTrade",
    "blockTrade": "blockTrade",
    "bookTicker": "bookTicker",
    "depthUpdate": "depth",
    "kline": "kline",
    "markPriceUpdate": "markPrice",
    "forceOrder": "forceOrder",
}

_ARRAY_EVENTS = frozenset({"bookTicker", "markPriceUpdate", "forceOrder"})


class _Envelope(Struct):
    """What wraps every payload of a combined connection."""

    stream: str = ""
    data: Raw = Raw()


class _Order(Struct):
    s: str = ""


class _Bare(Struct):
    """An unwrapped object: a payload, a reply to a request of ours, or an error in either spelling."""

    e: str | None = None
    s: str | None = None
    o: Raw = Raw()
    u: int | None = None
    lastUpdateId: int | None = None  # noqa: N815 - Binance's name
    openInterest: str | None = None  # noqa: N815
    id: int | str | None = None
    result: Raw = Raw()
    error: messages.ProblemRow | None = None
    code: int | None = None
    msg: str | None = None


Data = Raw | bytes | str

_KIND_FIRST = b',"data":{"e":"'
_read_envelope = decoder(_Envelope)
_read_bare = decoder(_Bare)
_read_list = decoder(list[Raw])
_read_order = decoder(_Order)


def _as_it_is(data: Data) -> Data:
    return data


def _is_array(data: Data) -> bool:
    if isinstance(data, str):
        return data.lstrip().startswith("[")
    return bytes(data).lstrip().startswith(b"[")


@define(frozen=True, slots=True)
class Route:
    """Where a stream's payloads go: read as rows, taken by a method; and what was asked of the stream."""

    read: Callable[[Data], Any]
    take: Callable[["Route", Any, int], Sequence[Message]]
    row: type | None
    channels: frozenset[str]
    symbol: str
    depth: int = 0
    offset: str = ""

    def receive(self, data: Data, ts_recv: int) -> Sequence[Message]:
        """Return what a payload means."""
        return self.take(self, self.read(data), ts_recv)


_Way = tuple[Callable[[Data], Any], Callable[[Route, Any, int], Sequence[Message]], type | None]


class Parser:
    """One connection's frames into events."""

    requests: list[Request]

    def __init__(
        self,
        product: Product,
        wanted: Sequence[Subscription] | None,
        stream_of: Callable[[Subscription], Stream],
        rest_url: str,
        depth_limit: int,
        open_interest_s: float = 60.0,
        history_url: str = "",
    ) -> None:
        """Take the subscriptions; None (replay) takes every stream and asks for nothing.

        `stream_of` names the stream that carries a subscription.
        `open_interest_s` is how often each symbol's open interest is polled,
        `history_url` the address that serves old trades, `rest_url` if empty.
        """
        self.requests = []
        self._product = product
        self._exchange = product.exchange
        self._replay = wanted is None
        self._routes: dict[str, Route] = {}
        self._bare_routes: dict[tuple[Payload, str], Route] = {}
        self._kindless = False
        rest_url = rest_url.rstrip("/")
        self._books = books.Books(product, rest_url, depth_limit, None if self._replay else self._ask)
        history_url = history_url.rstrip("/") or rest_url
        self._backfill = history.backfill(product, rest_url, history_url, self._ask, self._replay)
        self._polls = polls.Polls(product, rest_url, open_interest_s)
        read = messages
        self._ways: dict[Payload, _Way] = {
            "trade": (read.read_trade, self._trade, read.TradeRow),
            "aggTrade": (read.read_agg_trade, self._agg_trade, read.AggTradeRow),
            "blockTrade": (read.read_block_trade, self._block_trade, read.BlockTradeRow),
            "bookTicker": (read.read_quote, self._quote, None),
            "depth": (read.read_depth, self._depth, read.DepthRow),
            "partial": (read.read_depth, self._futures_top, read.DepthRow) if product.linked
            else (read.read_snapshot, self._spot_top, None),
            "kline": (read.read_candle, self._candle, read.CandleRow),
            "markPrice": (_as_it_is, self._mark, None),
            "forceOrder": (read.read_liquidation, self._liquidation, None),
        }  # fmt: skip
        self._stream_of = stream_of
        self.extend(wanted or ())

    def _ask(self, request: Request) -> None:
        self.requests.append(request)

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return what the frame means; raises ParseError and nothing else for what Binance would not send."""
        payload, ts_recv = frame.payload, frame.ts_recv
        if frame.tag is not None:
            return self._reply(frame)
        if not self._kindless or (isinstance(payload, bytes) and _KIND_FIRST in payload):
            try:
                push = messages.read_push(payload)
            except ParseError:
                pass  # of another kind, or wrong: the long way tells
            else:
                route = self._routes.get(push.stream)
                if route is not None and push.data.__class__ is route.row:
                    return route.take(route, push.data, ts_recv)
        return self._by_envelope(payload, ts_recv)

    def _by_envelope(self, payload: bytes | str, ts_recv: int) -> Sequence[Message]:
        try:
            envelope = _read_envelope(payload)
        except ParseError:
            if not _is_array(payload):
                raise
            return self._rows(payload, ts_recv)
        route = self._routes.get(envelope.stream)
        if route is not None:
            return route.receive(envelope.data, ts_recv)
        if not envelope.stream:
            return self._bare(payload, ts_recv)
        return self._unrouted(envelope, ts_recv)

    def refill(self, hole: Hole) -> bool:
        """Ask for trades, candles or settled funding rates that are missing; False where Binance has no way to them."""
        return self._backfill.refill(hole)

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        """Read these streams too, by a wider route where one is read already; False for a book begun before."""
        found = [(subscription, self._stream_of(subscription)) for subscription in wanted]
        if any(stream.payload == "depth" and stream.name in self._routes for _, stream in found):
            return False
        for subscription, stream in found:
            self._expect(subscription, stream)
        return True

    # Routing. A stream carries several channels at times (mark price and funding), and one channel
    # several streams (trade and aggTrade); routes are made once, so a frame costs one look-up.

    def _expect(self, subscription: Subscription, stream: Stream) -> None:
        """Make or widen the route of a stream: a channel asks for its own events, a native name for all there are."""
        channels = set(stream.channels) if subscription.native is not None else {subscription.channel}
        known = self._routes.get(stream.name)
        self._route(stream, subscription.symbol or stream.symbol, channels | (known.channels if known else set()))

    def _route(self, stream: Stream, symbol: str, channels: Iterable[str]) -> Route:
        route = Route(*self._ways[stream.payload], frozenset(channels), symbol, stream.depth or 0, stream.offset)
        # Where every payload says of what kind it is, nobody need look whether this one does.
        self._kindless = self._kindless or route.row is None
        if len(self._routes) < _MOST_ROUTES:
            self._routes[stream.name] = route
            self._bare_routes[stream.payload, symbol] = route
        return route

    def _unrouted(self, envelope: _Envelope, ts_recv: int) -> Sequence[Message]:
        if envelope.stream == "!serverShutdown":
            self.requests.append(Rotate("the exchange announced a shutdown"))
            return ()
        # An unknown stream is left alone even if its `e` is known: rpiDepth would spoil the ordinary book.
        stream = streams.read(envelope.stream) if self._replay else None
        if stream is None:
            return ()
        route = self._route(stream, stream.symbol, stream.channels)
        if stream.name != envelope.stream and len(self._routes) < _MOST_ROUTES:
            self._routes[envelope.stream] = route
        return route.receive(envelope.data, ts_recv)

    def _rows(self, payload: bytes | str, ts_recv: int) -> Sequence[Message]:
        """Read an unwrapped all-market array.

        Only payloads that need no memory come in arrays, so a bad row leaves no trace of the rows before it.
        """
        events: list[Message] = []
        for row in _read_list(payload):
            bare = _read_bare(row)
            if bare.e in _ARRAY_EVENTS:
                events.extend(self._bare_event(bare, row, ts_recv))
        return events

    def _bare(self, payload: Data, ts_recv: int) -> Sequence[Message]:
        bare = _read_bare(payload)
        if bare.e is not None:
            return self._bare_event(bare, payload, ts_recv)
        if bare.lastUpdateId is not None:
            return self._books.bare_snapshot(payload, ts_recv) if self._replay else ()
        if bare.openInterest is not None and self._replay:
            return (messages.open_interest(messages.read_open_interest(payload), self._exchange, ts_recv),)
        if bare.u is not None and bare.s is not None:
            return self._bare_payload("bookTicker", bare.s, payload, ts_recv)
        self._control(bare)
        return ()

    def _bare_event(self, bare: _Bare, payload: Data, ts_recv: int) -> Sequence[Message]:
        if bare.e == "serverShutdown":
            self.requests.append(Rotate("the exchange announced a shutdown"))
            return ()
        kind = _BARE_PAYLOADS.get(bare.e or "")
        if kind is None:
            self.requests.append(Unknown(f"event type {bare.e!r}"))
            return ()
        symbol = bare.s
        if symbol is None and kind == "forceOrder":
            symbol = _read_order(bare.o).s
        return self._bare_payload(kind, symbol or "", payload, ts_recv)

    def _bare_payload(self, payload_kind: Payload, symbol: str, payload: Data, ts_recv: int) -> Sequence[Message]:
        routes = self._bare_routes
        route = routes.get((payload_kind, symbol)) or routes.get((payload_kind, "*"))
        if route is None and payload_kind == "depth":
            # On futures a top of book looks like an update; it is one only if no updates were asked for.
            route = routes.get(("partial", symbol))
        if route is None:
            if not self._replay:
                return ()
            channels = frozenset({"trade", "quote", "book", "candle", "mark_price", "funding", "liquidation"})
            route = Route(*self._ways[payload_kind], channels, symbol)
        return route.receive(payload, ts_recv)

    def _control(self, bare: _Bare) -> None:
        key = "" if bare.id is None else str(bare.id)
        problem = bare.error or (messages.ProblemRow(bare.code, bare.msg or "") if bare.code is not None else None)
        if problem is not None:
            self.requests.append(Refused(key, "", f"{problem.code} {problem.msg}"))
        elif bytes(bare.result):
            # Requests may go without an id (`"id":null`); ours do not, those of a recording may.
            self.requests.extend([Acked(key)] if key else [])
        else:
            raise ParseError("neither a stream payload nor an answer to a request")

    # One method per payload: the pure function of `messages`, then what needs memory (books, polls).

    def _mine(self, st: int | None, symbol: str) -> bool:
        """Whether a row is of this product: all-market streams of either futures host carry both families."""
        if st is None:
            head, dash, tail = symbol.rpartition("_")
            st = 2 if dash and head.endswith("USD") and (tail == "PERP" or tail.isdecimal()) else 1
        return self._product.st is None or st == self._product.st

    def _trade(self, route: Route, row: messages.TradeRow, ts_recv: int) -> Sequence[Message]:
        event = messages.trade(row, self._exchange, ts_recv)
        return self._unused(row.s, None, row.t) if event is None else (event,)

    def _agg_trade(self, route: Route, row: messages.AggTradeRow, ts_recv: int) -> Sequence[Message]:
        event = messages.agg_trade(row, self._exchange, ts_recv)
        return self._unused(row.s, "agg", row.a) if event is None else (event,)

    def _unused(self, symbol: str, space: str | None, trade_id: int) -> Sequence[Message]:
        """Say that an id is used up without a trade; where ids have holes by nature nobody waits for it."""
        if space is not None or not self._product.linked:
            self._ask(Absent(Hole("trade", symbol, space, trade_id, trade_id, 1)))
        return ()

    def _block_trade(self, route: Route, row: messages.BlockTradeRow, ts_recv: int) -> Sequence[Message]:
        event = messages.block_trade(row, self._exchange, ts_recv)
        return () if event is None else (event,)

    def _quote(self, route: Route, row: messages.QuoteRow, ts_recv: int) -> Sequence[Message]:
        if route.symbol == "*" and not self._mine(row.st, row.s):
            return ()
        return (messages.quote(row, self._exchange, ts_recv),)

    def _candle(self, route: Route, row: messages.CandleRow, ts_recv: int) -> Sequence[Message]:
        return (messages.candle(row, self._exchange, ts_recv, route.offset),)

    def _mark(self, route: Route, data: Data, ts_recv: int) -> Sequence[Message]:
        # COIN-M's `<pair>@markPrice` is an array as well, over the contracts of the pair.
        if not _is_array(data):
            return self._mark_rows(route, (data,), ts_recv)
        return self._mark_rows(route, _read_list(data), ts_recv)

    def _mark_rows(self, route: Route, rows: Iterable[Data], ts_recv: int) -> Sequence[Message]:
        events: list[Message] = []
        for raw in rows:
            row = messages.read_mark(raw)
            if route.symbol != "*" or self._mine(row.st, row.s):
                events.extend(self._mark_row(route, row, ts_recv))
        return events

    def _mark_row(self, route: Route, row: messages.MarkRow, ts_recv: int) -> Sequence[Message]:
        events: list[Message] = []
        if "mark_price" in route.channels and (mark := messages.mark_price(row, self._exchange, ts_recv)):
            events.append(mark)
        if "funding" in route.channels and (funding := messages.funding(row, self._exchange, ts_recv)):
            events.append(funding)
        if "open_interest" in route.channels:
            request = self._polls.request(route.symbol, ts_recv)
            if request is not None:
                self.requests.append(request)
        return events

    def _liquidation(self, route: Route, row: messages.LiquidationRow, ts_recv: int) -> Sequence[Message]:
        st = row.st if row.st is not None else row.o.st
        if route.symbol == "*" and not self._mine(st, row.o.s):
            return ()
        return (messages.liquidation(row, self._exchange, ts_recv),)

    def _depth(self, route: Route, row: messages.DepthRow, ts_recv: int) -> Sequence[Message]:
        expected = route.symbol
        if row.s != expected and not self._replay and streams.lower(row.s) != streams.lower(expected):
            raise ParseError(f"a book update of {row.s} came on the stream of {expected}")
        return self._books.update(messages.delta(row, self._exchange, ts_recv))

    def _spot_top(self, route: Route, row: messages.SnapshotRow, ts_recv: int) -> Sequence[Message]:
        return (messages.snapshot(row, self._exchange, route.symbol, ts_recv, route.depth),)

    def _futures_top(self, route: Route, row: messages.DepthRow, ts_recv: int) -> Sequence[Message]:
        return (messages.futures_top(row, self._exchange, ts_recv, route.depth),)

    def _reply(self, frame: Frame) -> Sequence[Message]:
        """Take the answer to a GET; answers that are no market data (instruments in a capture) mean nothing here."""
        tag = frame.tag or ""
        if tag.startswith(books.TAG):
            return self._books.reply(frame, tag.removeprefix(books.TAG))
        if tag.startswith(polls.TAG):
            return self._polls.reply(frame, tag.removeprefix(polls.TAG))
        if tag.startswith(pages.TAG):
            return self._backfill.reply(frame)
        return ()
