"""A WebSocket on the `websockets` library: its state machine, driven from an asyncio protocol.

The library's own way, `await connection.recv()`, costs a queue and a coroutine
a message; here messages are handed over inside the read that brought them.
One read is bounded, and other tasks run between reads, so that a flood does not
starve them; while messages are handled TCP slows the exchange down.
"""

import asyncio
import logging
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

from .connection import READ_BYTES, Connection
from .reader import Reader
from .socket import CUT, MAX_MESSAGE_BYTES, USER_AGENT, NoWebSocket, Refused, closed_by_exchange, closed_by_us

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


class WebSocket(Connection, asyncio.BufferedProtocol):
    """One connection, made by `connect`; a `Socket` from the handshake on."""

    def __init__(self, library: ClientProtocol) -> None:
        """Speak by `library`, which is fresh."""
        super().__init__()
        self._library = library
        self._reader = Reader(library, MAX_MESSAGE_BYTES, self._pong)
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._shaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unread = bytearray()
        """What came and nobody has read: the answer to the handshake, then what came while nothing was delivered."""
        self._ended = False
        """Whether the peer said its last."""

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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; asyncio calls this, as it does those below."""
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next read goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what one read brought."""
        data = bytes(self._buffer[:nbytes])
        if nbytes == READ_BYTES:
            self._pause()
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
            self._fail(error)
        self._flush()
        self._look()

    def _say(self, text: str) -> None:
        self._library.send_text(text.encode())
        self._flush()

    def _say_ping(self, mark: bytes) -> None:
        self._library.send_ping(mark)
        self._flush()

    def _say_close(self) -> None:
        self._library.send_close(CloseCode.NORMAL_CLOSURE)
        self._flush()
        self._look()

    def _catch_up(self) -> None:
        unread = bytes(self._unread)
        self._unread.clear()
        if unread:
            self._read(unread)
        if self._ended:
            self._finish()

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
        library = self._library
        if not self._shaken.done():
            if library.handshake_exc is not None:
                self._shaken.set_result(None)
        elif library.state is not OPEN:
            received, sent = library.close_rcvd, library.close_sent
            if received is not None:
                self._end(closed_by_exchange(received.code, received.reason))
            else:
                self._end(CUT if sent is None else closed_by_us(sent.code, sent.reason))


def _to_nobody(payload: bytes, ts_recv: int) -> None:
    """Take a message that came after all was over."""
