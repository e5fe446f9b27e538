"""A WebSocket on the `websockets` library: its state machine, driven from an asyncio protocol.

The library's own way, `await connection.recv()`, costs a queue and a coroutine
a message; here messages are handed over inside the read that brought them.
One read is at most `_READ_BYTES`, and other tasks run between reads, so that a
flood does not starve them; while messages are handled TCP slows the exchange.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Mapping
from ssl import SSLContext
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.frames import CloseCode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from .reader import Reader
from .socket import (
    CLOSE_S,
    CUT,
    MAX_MESSAGE_BYTES,
    USER_AGENT,
    ConnectionLost,
    NoWebSocket,
    Refused,
    Take,
    closed_by_exchange,
    closed_by_us,
)  # fmt: skip

_READ_BYTES = 64 * 1024
_HEAD_END = b"\r\n\r\n"
# The library tells its logger of every frame where that listens; a child of no logger is never told to.
_SILENT = logging.Logger("jrr.websockets", logging.CRITICAL + 1)


async def connect(
    url: str, headers: Mapping[str, str], tls: SSLContext | None, way: socket.socket | None
) -> "WebSocket":
    """Return a WebSocket to `url`, over `way` where that is made already.

    Raises OSError, ValueError for an address that is none, Refused and NoWebSocket.
    """
    try:
        address = parse_uri(url)
    except InvalidURI as error:
        raise ValueError(str(error)) from None
    library = ClientProtocol(address, max_size=MAX_MESSAGE_BYTES, logger=_SILENT)
    where: dict[str, Any] = {"host": address.host, "port": address.port} if way is None else {"sock": way}
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: WebSocket(library), ssl=tls, server_hostname=address.host if tls else None, **where
    )
    try:
        await connection.shake_hands(headers)
    except BaseException:
        connection.cut()
        raise
    return connection


class WebSocket(asyncio.BufferedProtocol):
    """One connection, made by `connect`; a `Socket` from the handshake on."""

    def __init__(self, library: ClientProtocol) -> None:
        """Speak by `library`, which is fresh."""
        self._library = library
        self._reader = Reader(library, MAX_MESSAGE_BYTES, self._pong)
        self._transport: asyncio.Transport
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._shaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unread = bytearray()
        """What came and nobody has read: the answer to the handshake, then what came while nothing was delivered."""
        self._ended = False
        """Whether the peer said its last."""
        self._take: Take | None = None
        self._failed: Exception | None = None
        """What `take` raised."""
        self._lost: str | None = None
        """How the connection ended, once it has."""
        self._over = asyncio.Event()
        """Nothing more will be delivered: it ended, or `take` raised."""
        self._gone = asyncio.Event()
        self._pongs: dict[bytes, asyncio.Event] = {}
        self._writable = asyncio.Event()
        self._writable.set()

    async def shake_hands(self, headers: Mapping[str, str]) -> None:
        """Become a WebSocket; raises Refused and NoWebSocket."""
        request = self._library.connect()
        request.headers.update(headers)
        request.headers.setdefault("User-Agent", USER_AGENT)
        self._library.send_request(request)
        self._flush()
        await self._shaken
        failure = self._library.handshake_exc
        if isinstance(failure, InvalidStatus):
            raise Refused(failure.response.status_code, failure.response.headers.get("Location"))
        if failure is not None:
            raise NoWebSocket(str(failure))

    async def deliver(self, take: Take) -> None:
        """Hand every message to `take`; see `Socket`."""
        self._take = take
        try:
            self._catch_up()
            await self._over.wait()
        finally:
            self._take = None
            self._choose_reading()
        if self._failed is not None:
            raise self._failed
        self._must_be_open()

    async def send(self, text: str) -> None:
        """Send a text message; raises ConnectionLost."""
        self._must_be_open()
        self._library.send_text(text.encode())
        self._flush()
        await self._writable.wait()
        self._must_be_open()

    async def ping(self) -> None:
        """Send a ping and return when its pong came; raises ConnectionLost."""
        self._must_be_open()
        mark, ponged = os.urandom(4), asyncio.Event()
        self._pongs[mark] = ponged
        self._library.send_ping(mark)
        self._flush()
        try:
            await ponged.wait()
        finally:
            del self._pongs[mark]
        self._must_be_open()

    async def close(self) -> None:
        """Close politely, for at most a second, then cut."""
        if self._lost is None:
            self._library.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
            self._end()
        try:
            self._catch_up()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._gone.wait()
        finally:
            self.cut()

    def cut(self) -> None:
        """Close without a word."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; asyncio calls this, as it does those below."""
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next read goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what one read brought."""
        data = bytes(self._buffer[:nbytes])
        if self._take is not None or self._lost is not None:
            self._read(data)
        elif self._shaken.done():
            self._unread += data
        else:
            self._shake(data)

    def eof_received(self) -> None:
        """Note that the peer said its last."""
        self._ended = True
        self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self._ended = True
        self._gone.set()
        self._finish()

    def pause_writing(self) -> None:
        """Read no further from a peer that does not read: it may be asking for pongs without end."""
        self._writable.clear()
        self._choose_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()
        self._choose_reading()

    def _shake(self, data: bytes) -> None:
        """Give the library the answer to the handshake, and keep what comes after it for the reader."""
        library, known = self._library, len(self._unread)
        self._unread += data
        end = self._unread.find(_HEAD_END, max(known - len(_HEAD_END), 0))
        stop = len(data) if end < 0 else end + len(_HEAD_END) - known
        library.receive_data(data[:stop])
        if library.state is OPEN:
            library.events_received()
            self._unread = bytearray(data[stop:])
            self._shaken.set_result(None)
            self._choose_reading()
        else:
            # The body of a refusal, if any.
            library.receive_data(data[stop:])
            self._look()
        self._flush()

    def _read(self, data: bytes) -> None:
        try:
            self._reader.read(data, self._take or _to_nobody, time.time_ns())
        except Exception as error:
            self._failed, self._take = error, None
            self._over.set()
            self._choose_reading()
        self._flush()
        self._look()

    def _catch_up(self) -> None:
        """Read what came while nothing was delivered, and go on reading."""
        unread = bytes(self._unread)
        self._unread.clear()
        if unread:
            self._read(unread)
        if self._ended:
            self._finish()
        self._choose_reading()

    def _finish(self) -> None:
        """Tell the library that nothing more comes, unless something is yet to be read."""
        if not self._shaken.done() or not self._unread:
            self._library.receive_eof()
            self._flush()
            self._look()

    def _flush(self) -> None:
        for data in self._library.data_to_send():
            if self._transport.is_closing():
                continue
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def _look(self) -> None:
        """See whether the connection, or the handshake, has ended."""
        if not self._shaken.done():
            if self._library.handshake_exc is not None:
                self._shaken.set_result(None)
        elif self._library.state is not OPEN and self._lost is None:
            self._end()

    def _end(self) -> None:
        received, sent = self._library.close_rcvd, self._library.close_sent
        if received is not None:
            self._lost = closed_by_exchange(received.code, received.reason)
        else:
            self._lost = CUT if sent is None else closed_by_us(sent.code, sent.reason)
        self._over.set()
        self._writable.set()
        for ponged in self._pongs.values():
            ponged.set()
        self._choose_reading()

    def _pong(self, mark: bytes) -> None:
        ponged = self._pongs.get(mark)
        if ponged is not None:
            ponged.set()

    def _must_be_open(self) -> None:
        if self._lost is not None:
            raise ConnectionLost(self._lost)

    def _choose_reading(self) -> None:
        """Read while something is delivered, or the connection closes."""
        if self._transport.is_closing():
            return
        if self._lost is not None or (self._take is not None and self._writable.is_set()):
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


def _to_nobody(payload: bytes, ts_recv: int) -> None:
    """Take a message that came after all was over."""
