"""A capture played back as the exchange it was recorded from: a WebSocket server on this machine for other clients.

Clients connect, subscribe and get answers as at the exchange; each recorded
frame of what they asked for reaches them once, in the recorded order and at
the recorded pace. The recording begins to run when somebody has subscribed and
for a second asked for nothing more.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from attrs import Factory, define
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.http11 import Request, Response

from ..capture import Line, Lost, Opened, read_capture
from ..connector import Connector
from ..errors import ConfigError, ParseError
from ..lines import Damage
from ..observe.address import Address
from ..playback import PlaysBack, Reception
from ..tape import LISTING, Ended, Received, Sent
from .tempo import Tempo
from .window import EVERYTHING, Window

# What one client may leave unread before it is cut off, as exchanges do.
_MOST_UNREAD_BYTES = 16_000_000
# How long a GET waits for the recording to come to its answer.
_PATIENCE_S = 10.0
# Clients ask for their topics one message after another; the recording begins when they have.
_SETTLED_S = 1.0
_GOING_AWAY = 1001

Key = tuple[str, tuple[tuple[str, str], ...]]


@define
class Served:
    """What has been played so far: frames of the recording, copies that went out, clients that came."""

    frames: int = 0
    sent: int = 0
    clients: int = 0
    cut_off: int = 0
    damaged: int = 0
    skipped: int = 0
    damages: list[str] = Factory(list)


class Playback:
    """One exchange of a capture, on one port."""

    def __init__(self, exchange: str, connector: Connector, window: Window = EVERYTHING) -> None:
        """Raises ConfigError where the exchange's plugin cannot answer clients."""
        if not isinstance(connector, PlaysBack):
            raise ConfigError(
                f"{exchange} cannot be served: its plugin does not say how clients are answered "
                "(jrr_core.playback.PlaysBack); ask its author"
            )
        self.counts = Served()
        self._exchange = exchange
        self._plays: PlaysBack = connector
        self._window = window
        self._clients: dict[ServerConnection, Reception] = {}
        self._receptions: dict[ServerConnection, Reception] = {}
        self._wanted = asyncio.Event()
        self._wanted_s = 0.0
        # A topic that two connections carried comes from the one that delivered it first, until that ends.
        self._carriers: dict[str, str] = {}
        self._urls = {(LISTING, get.tag): get.url for get in connector.instrument_requests()}
        self._answers: dict[Key, tuple[int, bytes]] = {}
        self._news = asyncio.Condition()
        self._over = False

    async def run(
        self, files: Sequence[Path], address: Address, speed: float, on_ready: Callable[[Address], None]
    ) -> None:
        """Serve until the recording is over; `on_ready` is told where clients find it.

        Raises ConfigError for a file that cannot be read and for an address
        that cannot be had.
        """
        listener = _listener(address)
        where = Address(address.host, listener.getsockname()[1])
        log = logging.getLogger("jrr.replay.websockets")
        log.addFilter(_quiet)
        async with serve(
            self._converse, sock=listener, process_request=self._request, compression=None, close_timeout=2, logger=log
        ) as server:
            on_ready(where)
            await self._play(files, Tempo(speed))
            async with self._news:
                self._over = True
                self._news.notify_all()
            server.close(code=_GOING_AWAY, reason="the recording is over")

    async def _play(self, files: Sequence[Path], tempo: Tempo) -> None:
        for number, item in enumerate(self._items(files), start=1):
            if number % 256 == 0:
                await asyncio.sleep(0)
            if self._window.over(item.ts):
                break
            match item:
                case Sent(_, session, _, url, tag) if tag is not None:
                    self._urls[session, tag] = url
                case Ended(_, session):
                    for topic in [topic for topic, carrier in self._carriers.items() if carrier == session]:
                        del self._carriers[topic]
                case Received(session, frame) if frame.tag is not None:
                    await self._answered((session or "", frame.tag), frame.status, frame.payload)
                case Received(session, frame) if self._window.within(frame.ts_recv):
                    await self._frame(session or "", frame.payload, frame.ts_recv, tempo)

    async def _frame(self, session: str, payload: str | bytes, ts: int, tempo: Tempo) -> None:
        try:
            text = payload if isinstance(payload, str) else payload.decode()
            topic = self._plays.topic_of(text)
        except (ParseError, UnicodeDecodeError):
            return
        if topic is None or self._carriers.setdefault(topic, session) != session:
            return
        await self._begin()
        await tempo.wait(ts)
        self.counts.frames += 1
        for client, reception in list(self._clients.items()):
            if topic not in reception.topics:
                continue
            if client.transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
                self.counts.cut_off += 1
                client.transport.abort()
                continue
            broadcast([client], reception.shaped(text))
            self.counts.sent += 1

    def _want(self) -> None:
        self._wanted.set()
        self._wanted_s = asyncio.get_running_loop().time()

    async def _begin(self) -> None:
        """Wait, once, until somebody has subscribed and goes on to nothing more."""
        await self._wanted.wait()
        while not self.counts.frames:
            left = self._wanted_s + _SETTLED_S - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.sleep(left)

    async def _answered(self, asked: tuple[str, str], status: int, payload: str | bytes) -> None:
        url = self._urls.get(asked)
        if url is None:
            return
        parts = urlsplit(url)
        async with self._news:
            body = payload.encode() if isinstance(payload, str) else payload
            self._answers[_key(parts.path, parts.query)] = (status, body)
            self._news.notify_all()

    async def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a GET from the recording, refuse an address that the exchange has not, or let a client in."""
        parts = urlsplit(request.path)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await self._got(_key(parts.path, parts.query))
        reception = self._plays.reception(parts.path, parts.query)
        if reception is None:
            return _response(404, b'{"msg":"no WebSocket of the exchange is at this address"}')
        self._receptions[connection] = reception
        return None

    async def _got(self, key: Key) -> Response:
        async with self._news:
            try:
                async with asyncio.timeout(_PATIENCE_S if self._wanted.is_set() else 0):
                    await self._news.wait_for(lambda: self._over or key in self._answers)
            except TimeoutError:
                pass
            found = self._answers.get(key)
        return _response(404, b'{"msg":"the recording has no answer to this"}') if found is None else _response(*found)

    async def _converse(self, client: ServerConnection) -> None:
        reception = self._receptions.pop(client)
        self._clients[client] = reception
        self.counts.clients += 1
        try:
            if reception.topics:
                self._want()
            async for message in client:
                text = message if isinstance(message, str) else message.decode("utf-8", "replace")
                before = len(reception.topics)
                for answer in reception.hear(text):
                    await client.send(answer)
                if len(reception.topics) > before:
                    self._want()
        except ConnectionClosed:
            pass
        finally:
            del self._clients[client]

    def _items(self, files: Sequence[Path]) -> Iterator[Line]:
        for file in files:
            for item in read_capture(file, self._exchange):
                if isinstance(item, Damage):
                    self._damaged(f"{file.name} line {item.line}: {item.reason}")
                elif isinstance(item, Lost):
                    self._damaged(f"{file.name}: {item.count} entries were not captured")
                elif isinstance(item, Opened):
                    continue
                elif item.exchange == self._exchange:
                    yield item
                elif isinstance(item, Received):
                    self.counts.skipped += 1

    def _damaged(self, what: str) -> None:
        self.counts.damaged += 1
        if len(self.counts.damages) < 5:
            self.counts.damages.append(what)


def exchange_of(files: Sequence[Path]) -> str:
    """Return the exchange of the first frame in a capture; raises ConfigError where there is none."""
    for file in files:
        for item in read_capture(file):
            if isinstance(item, Received):
                return item.exchange
    raise ConfigError("there are no frames to play back")


def _key(path: str, query: str) -> Key:
    return path, tuple(sorted(parse_qsl(query, keep_blank_values=True)))


def _listener(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {address}: {error.strerror or error}; choose another port, or 0 for a free one"
        ) from None


def _response(status: int, body: bytes) -> Response:
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
    return Response(status, "OK" if status < 400 else "Refused", headers, body)


def _quiet(record: logging.LogRecord) -> bool:
    """Keep out of sight what the library says of clients that vanish in mid-handshake."""
    error = record.exc_info[1] if record.exc_info else None
    return record.levelno >= logging.ERROR and not isinstance(error, (WebSocketException, EOFError, OSError))
