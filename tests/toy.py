"""A small exchange, its server on loopback, and a sink in memory: what the runtime's tests run against.

The protocol is one word and its arguments per frame: `trade X 1`, `gap X 3`,
`ack KEY`, `refuse KEY`, `refuse? [KEY]` (without a name), `rotate`, `get`, `bad` (ParseError), `boom` (a parser's
mistake), `junk` (no event at all); anything else is a control frame.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from http import HTTPStatus
from typing import Any, ClassVar

from attrs import Factory, define, field
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from jrr_core.connector import ExchangeSettings, Keepalive, Limits, Numbering, Rate, SessionPlan
from jrr_core.continuity import Continuity
from jrr_core.counters import ExchangeCounters, SinkCounters
from jrr_core.desk import Desk
from jrr_core.errors import ConfigError, ParseError, SinkRejected, SinkUnavailable
from jrr_core.events import ALL_EVENTS, Gap, Message, Trade
from jrr_core.frame import Acked, Frame, HttpGet, Refused, Request, Rotate, Send
from jrr_core.instrument import Instrument
from jrr_core.setting import setting
from jrr_core.sink import BatchPolicy, WriteResult
from jrr_core.stream import StreamBoard
from jrr_core.subscription import Subscription

FAST = Rate(10_000, 1.0)
SECOND = 1_000_000_000


def trade(number: int, symbol: str = "X", exchange: str = "toy", ts_recv: int | None = None) -> Trade:
    """Return a trade whose id is `number`."""
    received = time.time_ns() if ts_recv is None else ts_recv
    return Trade(exchange, symbol, None, received, Decimal(number), Decimal(1), "buy", str(number))


def toy_desk(
    emit: Callable[[Sequence[Message]], None],
    counters: ExchangeCounters | None = None,
    board: StreamBoard | None = None,
    quarantine: Callable[[str, str, str | bytes], None] = lambda *entry: None,
    numbering: Mapping[str | None, Numbering] | None = None,
    most: int = 200_000,
) -> Desk:
    """Return where the toy exchange's events are laid; without `numbering` its trade ids are no numbers."""
    continuity = Continuity("toy", numbering or {}, most)
    return Desk("toy", board or StreamBoard(), continuity, counters or ExchangeCounters(), emit, quarantine)


async def until(fact: Callable[[], Any], within_s: float = 10.0) -> None:
    """Return once `fact()` holds; fails when it does not in time."""
    deadline = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.002)


class ToyParser:
    """Reads the toy protocol."""

    def __init__(self, rest_url: str = "") -> None:
        """Start with nothing asked."""
        self.requests: list[Request] = []
        self.rest_url = rest_url
        self.seen: list[Frame] = []

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return what the frame means; see the module for the words."""
        if frame.tag is not None:
            self.seen.append(frame)
            return (trade(int(frame.payload), "X", frame.exchange, frame.ts_recv),) if frame.status == 200 else ()
        text = frame.payload.decode() if isinstance(frame.payload, bytes) else frame.payload
        word, *rest = text.split()
        if word == "trade":
            return [trade(int(number), rest[0], frame.exchange, frame.ts_recv) for number in rest[1:]]
        if word == "gap":
            return [Gap(frame.exchange, rest[0], None, frame.ts_recv, "trade", "", "ids missing", int(rest[1]))]
        if word == "bad":
            raise ParseError("bad frame")
        if word == "boom":
            raise ZeroDivisionError("the parser's mistake")
        if word == "junk":
            return ["not an event"]  # type: ignore[list-item]  # that is the point
        if word == "ack":
            proves = tuple([Subscription("toy", "trade", symbol) for symbol in rest[1:]])
            self.requests.append(Acked(rest[0], proves))
        elif word == "refuse":
            self.requests.append(Refused(rest[0], rest[0], "no such stream"))
        elif word == "refuse?":
            self.requests.append(Refused("".join(rest), "", "no such stream"))
        elif word == "rotate":
            self.requests.append(Rotate("the exchange said so"))
        elif word == "get":
            self.requests.append(HttpGet(self.rest_url + rest[0], "reply"))
        return ()


@define(kw_only=True)
class ToySettings(ExchangeSettings):
    """Settings of the toy exchange; times fit for tests."""

    connect_timeout_s: float = setting(1.0, "Seconds a connection attempt may take.")
    acked: bool = setting(False, "Whether subscribe messages must be answered.")
    lists: bool = setting(False, "Whether the exchange lists its instruments.")
    keepalive_s: float | None = setting(None, "Idle seconds before `ping` is sent.")
    ping_s: float | None = setting(None, "Seconds between protocol pings.")
    rotate_after_s: float | None = setting(None, "Seconds after which a connection is renewed.")
    breaks: str = setting("", "The method that raises ZeroDivisionError.")


class ToyConnector:
    """The toy exchange."""

    exchange: ClassVar[str] = "toy"
    Settings: ClassVar[type[ExchangeSettings]] = ToySettings
    simulator: ClassVar[str | None] = None
    limits: Limits = Limits(connects=FAST, messages=FAST, http={"": FAST})

    def __init__(self, settings: Any) -> None:
        """Take ToySettings."""
        self.settings: ToySettings = settings

    def sessions(self, wanted: Sequence[Subscription]) -> Sequence[SessionPlan]:
        """Put everything on one connection."""
        self._break("sessions")
        for subscription in wanted:
            if subscription.channel not in ("trade", "quote"):
                raise ConfigError(f"{subscription}: the toy exchange has no such channel")
        return (toy_plan(self.settings, tuple(wanted), self.exchange),)

    def parser(self, subscriptions: Sequence[Subscription] | None) -> ToyParser:
        """Return a fresh parser."""
        self._break("parser")
        return ToyParser(self.settings.rest_url)

    def instrument_requests(self) -> Sequence[HttpGet]:
        """Return the one request, or none."""
        return (HttpGet(f"{self.settings.rest_url}/instruments", "instruments"),) if self.settings.lists else ()

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        """Read symbols separated by spaces."""
        self._break("instruments")
        text = frame.payload.decode() if isinstance(frame.payload, bytes) else frame.payload
        return [
            Instrument(self.exchange, s, s, "USDT", None, "spot", None, None, None, None, f"{s}-USDT")
            for s in text.split()
        ]

    def _break(self, method: str) -> None:
        if self.settings.breaks == method:
            raise ZeroDivisionError("the connector's mistake")


class OtherConnector(ToyConnector):
    """A second exchange beside the toy one."""

    exchange: ClassVar[str] = "other"


def toy_plan(settings: ToySettings, wanted: tuple[Subscription, ...], exchange: str = "toy") -> SessionPlan:
    """Return the plan of one toy connection."""

    def say(word: str, some: Sequence[Subscription]) -> Sequence[Send]:
        return [
            Send(f"{word} {s.channel} {s.symbol}", (f"{s.channel}:{s.symbol}",) if settings.acked else ()) for s in some
        ]

    return SessionPlan(
        name=f"{exchange}-0",
        exchange=exchange,
        url=settings.ws_url,
        subscriptions=wanted,
        subscribe=lambda some: say("sub", some),
        unsubscribe=lambda some: say("unsub", some),
        keepalive=None if settings.keepalive_s is None else Keepalive("ping", settings.keepalive_s),
        ping_interval_s=settings.ping_s,
        rotate_after_s=settings.rotate_after_s,
    )


Script = Callable[["ToyServer", ServerConnection, int], Awaitable[None]]


@define(eq=False)
class ToyServer:
    """A real WebSocket and HTTP server on loopback that does what `script` says with each connection."""

    script: Script
    url: str = ""
    rest_url: str = ""
    pages: dict[str, tuple[int, str, dict[str, str]]] = field(factory=dict)
    heard: list[str] = field(factory=list)
    asked: list[str] = field(factory=list)
    headers: list[dict[str, str]] = field(factory=list)
    opened_s: list[float] = field(factory=list)
    open: set[ServerConnection] = field(factory=set)
    _server: Server | None = None

    async def send(self, text: str) -> None:
        """Send to every open connection."""
        for connection in list(self.open):
            with suppress(ConnectionClosed):
                await connection.send(text)

    def drop(self) -> None:
        """Cut every connection without a goodbye."""
        for connection in list(self.open):
            connection.transport.abort()

    async def serve_one(self, connection: ServerConnection) -> None:
        """Listen to one connection while the script speaks on it."""
        self.opened_s.append(time.monotonic())
        number = len(self.opened_s)
        self.open.add(connection)
        speaking = asyncio.ensure_future(self.script(self, connection, number))
        try:
            async for text in connection:
                self.heard.append(str(text))
        except ConnectionClosed:
            pass
        finally:
            self.open.discard(connection)
            speaking.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await speaking

    def answer(self, connection: ServerConnection, request: HttpRequest) -> Response | None:
        """Answer a plain GET from `pages`; None lets the WebSocket handshake go on."""
        self.headers.append(dict(request.headers.raw_items()))
        if request.headers.get("Upgrade") is not None:
            return None
        self.asked.append(request.path)
        status, body, headers = self.pages.get(request.path, (404, "", {}))
        phrase = HTTPStatus(status).phrase
        sent = Headers({"Content-Length": str(len(body.encode())), "Connection": "close", **headers})
        return Response(status, phrase, sent, body.encode())


async def quiet(server: ToyServer, connection: ServerConnection, number: int) -> None:
    """Say nothing."""


def says(*frames: str) -> Script:
    """Return a script that sends these frames at each connect."""

    async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
        for text in frames:
            await connection.send(text)

    return script


@asynccontextmanager
async def toy_server(
    script: Script = quiet, port: int = 0, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[ToyServer]:
    """Run a ToyServer for as long as the block lasts; `host` is what its addresses call the machine."""
    toy = ToyServer(script)
    async with serve(
        toy.serve_one, "127.0.0.1", port, process_request=toy.answer, compression=None, ping_interval=None,
        close_timeout=0.2, ssl=tls,
    ) as server:  # fmt: skip
        port, s = server.sockets[0].getsockname()[1], "" if tls is None else "s"
        toy.url, toy.rest_url = f"ws{s}://{host}:{port}/ws", f"http{s}://{host}:{port}"
        yield toy


@define
class MemorySettings:
    """A sink in memory needs none."""


@define(eq=False)
class MemorySink:
    """Keeps rows in memory by KEY; `away`, `refuses`, `delay_s`, `raises` make it the store it has to be."""

    name: ClassVar[str] = "memory"
    Settings: ClassVar[type] = MemorySettings
    embedded: ClassVar[bool] = True

    settings: Any = None
    accepts: tuple[type, ...] = (*ALL_EVENTS, Instrument)
    batch: BatchPolicy = Factory(lambda: BatchPolicy(max_rows=100, max_age_s=0.01))
    away: bool = False
    raises: BaseException | None = None
    refuses: Callable[[Any], bool] = lambda row: False
    delay_s: float = 0.0
    rows: list[Any] = Factory(list)
    tries: list[list[Any]] = Factory(list)
    opened: int = 0
    closed: int = 0

    async def open(self) -> None:
        """Open, unless away."""
        if self.away:
            raise SinkUnavailable("nobody home")
        self.opened += 1

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Keep the rows that are new."""
        self.tries.append(list(batch))
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.away:
            raise SinkUnavailable("nobody home")
        if self.raises is not None:
            raise self.raises
        if any(self.refuses(row) for row in batch):
            raise SinkRejected("a row is refused")
        known = {key_of(row) for row in self.rows}
        fresh = {key_of(row): row for row in batch if key_of(row) not in known}
        self.rows.extend(fresh.values())
        return WriteResult(len(fresh), len(batch) - len(fresh))

    async def close(self) -> None:
        """Count it."""
        self.closed += 1

    def ids(self, symbol: str = "X") -> list[str]:
        """Return the ids of the trades kept, in order of arrival."""
        return [row.trade_id for row in self.rows if isinstance(row, Trade) and row.symbol == symbol]

    def kinds(self) -> Counter[str]:
        """Return how many rows of each type are kept."""
        return Counter(row.type for row in self.rows)


def key_of(row: Any) -> tuple[Any, ...]:
    """Return what makes a row the same row."""
    return (row.type, row.exchange, row.symbol, *(row.key() if isinstance(row, Message) else ()))


def balanced(counters: SinkCounters, pending: int = 0) -> bool:
    """Return whether every published event is in one counter."""
    ended = counters.written + counters.duplicate + counters.dropped + counters.quarantined + counters.spooled
    return counters.published == ended + pending


class VirtualTime:
    """A clock for an event loop that sleeps no real time: `VirtualTime.run(main)` hands main the clock."""

    def __init__(self) -> None:
        """Start at 1000 s."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    @classmethod
    def run(cls, main: Callable[["VirtualTime"], Awaitable[Any]]) -> Any:
        """Run `main(clock)` to its end; each sleep moves the clock instead of waiting."""
        clock = cls()
        loop = asyncio.SelectorEventLoop()
        loop.time = clock  # type: ignore[method-assign]  # the loop's own clock is the point
        selector = loop._selector  # type: ignore[attr-defined]  # where the loop waits
        really = selector.select

        def select(timeout: float | None = None) -> Any:
            if timeout:
                clock.now += timeout
            return really(0)

        selector.select = select
        try:
            return loop.run_until_complete(main(clock))
        finally:
            loop.close()
