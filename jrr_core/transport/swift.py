"""A WebSocket on the `picows` library, which reads frames in C; installed by `jrr-core[fast]`.

What the library leaves to its user is here: messages in parts and their limit,
bits that no extension explains, the answer to a close, and that one read is
bounded, so that a flood does not starve other tasks.
"""

import asyncio
import contextlib
import logging
import re
import socket
import time
from collections.abc import Mapping
from ssl import SSLContext
from typing import cast
from urllib.parse import urlsplit

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSInvalidURL,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)  # fmt: skip

from .connection import READ_BYTES, Connection
from .socket import CUT, MAX_MESSAGE_BYTES, USER_AGENT, NoWebSocket, Refused, closed_by_exchange, closed_by_us

_SILENT = logging.Logger("jrr.picows", logging.CRITICAL + 1)
# What stands for a close without a code, RFC 6455 7.1.5.
_NO_CODE = 1005
_STATUS = re.compile(rb"HTTP/1\.\d (\d{3})")
_TEXT, _BINARY = WSMsgType.TEXT, WSMsgType.BINARY


async def connect(
    url: str, headers: Mapping[str, str], tls: SSLContext | None, way: socket.socket | None
) -> "SwiftSocket":
    """Return a WebSocket to `url`, over `way` where that is made already.

    Raises OSError, ValueError for an address that is none, Refused and NoWebSocket.
    """
    parts = urlsplit(url)
    sent = {"User-Agent": USER_AGENT, **headers}
    if way is None:
        way = await _reach(parts.hostname or "", parts.port or (443 if tls else 80))
    try:
        transport, listener = await ws_connect(
            lambda request, response: SwiftSocket(),
            url,
            ssl_context=tls,
            socket_factory=lambda address: way,
            extra_headers=sent,
            logger_name=_SILENT,
            websocket_handshake_timeout=None,
            max_frame_size=MAX_MESSAGE_BYTES,
            max_redirects=0,
            use_aiofastnet=False,
            read_buffer_init_size=READ_BYTES,
        )
        if not isinstance(listener, SwiftSocket):
            raise NoWebSocket("it hung up")
        if "Sec-WebSocket-Extensions" in transport.response.headers:
            listener.cut()
            raise NoWebSocket("no extensions supported")
    except BaseException as error:
        # The library lets go of a connection only when that ends.
        with contextlib.suppress(OSError):
            way.shutdown(socket.SHUT_RDWR)
        if isinstance(error, WSError):
            raise _told(error) from None
        raise
    return listener


async def _reach(host: str, port: int) -> socket.socket:
    """Return a socket to a host, at the first of its addresses that answers; raises OSError, ValueError."""
    loop = asyncio.get_running_loop()
    failure = OSError(f"{host} has no address")
    for family, kind, number, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            way = socket.socket(family, kind, number)
        except OSError as error:
            failure = error
            continue
        try:
            way.setblocking(False)
            await loop.sock_connect(way, address)
        except OSError as error:
            way.close()
            failure = error
        except BaseException:
            way.close()
            raise
        else:
            return way
    raise failure


def _told(error: WSError) -> Exception:
    """Return in our terms why there is no WebSocket."""
    if isinstance(error, WSInvalidURL):
        return ValueError(str(error))
    if isinstance(error, WSHandshakeError):
        status = _STATUS.match(error.raw_header or b"")
        if status is not None and status[1] != b"101":
            location = None if error.response is None else error.response.headers.get("Location")
            return Refused(int(status[1]), location)
    return NoWebSocket(str(error))


class SwiftSocket(Connection, WSListener):
    """One connection, made by `connect`; a `Socket` once it is."""

    def __init__(self) -> None:
        """Begin; the library calls this when hands are shaken."""
        super().__init__()
        self._library: WSTransport
        self._ts_recv = time.time_ns()
        self._held: list[tuple[bytes, int]] = []
        """Messages that came while nothing was delivered."""
        self._parts: list[bytes] = []
        """Of a message in parts, what came so far."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Read nothing until something is delivered to; the library calls this, as it does those below."""
        self._library, self._transport = transport, transport.underlying_transport
        self._transport.set_protocol(_Reads(cast(asyncio.BufferedProtocol, self._transport.get_protocol()), self))
        self._choose_reading()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame, whose payload is the library's again when this returns."""
        kind, take = frame.msg_type, self._take
        plain = (kind is _TEXT or kind is _BINARY) and frame.fin
        if plain and take is not None and not (frame.rsv1 or frame.rsv2 or frame.rsv3 or self._parts):
            self._ts_recv = ts_recv = self._ts_recv + 1
            try:
                take(frame.get_payload_as_bytes(), ts_recv)
            except Exception as error:
                self._fail(error)
        elif kind is WSMsgType.PONG:
            self._pong(frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            self._closed(frame)
        elif self._lost is None and self._failed is None:
            self._add(frame, kind is WSMsgType.CONTINUATION)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note that the connection is gone."""
        self._gone.set()
        self._look()

    def read_begins(self, nbytes: int) -> None:
        """Note that the frames that follow were received now, in a read of so many bytes."""
        self._ts_recv = time.time_ns()
        if nbytes == READ_BYTES:
            self._pause()

    def read_ended(self) -> None:
        """See whether the library failed the connection for what came."""
        if self._library.is_close_frame_sent:
            self._look()

    def _add(self, frame: WSFrame, goes_on: bool) -> None:
        """Take a part of a message, or one that nobody takes yet."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._violated(WSCloseCode.PROTOCOL_ERROR, "reserved bits must be 0")
        elif goes_on != bool(self._parts):
            self._violated(WSCloseCode.PROTOCOL_ERROR, "a part of a message is missing")
        elif sum(map(len, self._parts)) + frame.payload_size > MAX_MESSAGE_BYTES:
            self._violated(WSCloseCode.MESSAGE_TOO_BIG, f"over {MAX_MESSAGE_BYTES} bytes in parts")
        else:
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                whole = b"".join(self._parts)
                self._parts.clear()
                self._ts_recv += 1
                self._held.append((whole, self._ts_recv))
                if self._take is not None:
                    self._catch_up()

    def _violated(self, code: WSCloseCode, how: str) -> None:
        """Fail the connection for what came, and hear no more of it."""
        self._library.send_close(code, how)
        self._parts.clear()
        self._look()

    def _closed(self, frame: WSFrame) -> None:
        """Answer a close."""
        if not self._library.is_close_frame_sent:
            self._library.send_close(frame.get_close_code() or WSCloseCode.OK, frame.get_close_message())
        self._look()

    def _look(self) -> None:
        """See how the connection ended."""
        shaken = self._library.close_handshake
        if shaken is not None and shaken.recv is not None:
            self._end(closed_by_exchange(_number(shaken.recv.code) or _NO_CODE, shaken.recv.reason or ""))
        elif shaken is not None and shaken.sent is not None:
            self._end(closed_by_us(_number(shaken.sent.code), shaken.sent.reason))
        elif self._gone.is_set():
            self._end(CUT)

    def _catch_up(self) -> None:
        held = self._held.copy()
        self._held.clear()
        for payload, ts_recv in held:
            if self._take is not None:
                try:
                    self._take(payload, ts_recv)
                except Exception as error:
                    self._fail(error)

    def _say(self, text: str) -> None:
        self._library.send(_TEXT, text)

    def _say_ping(self, mark: bytes) -> None:
        self._library.send_ping(mark)

    def _say_close(self) -> None:
        self._library.send_close(WSCloseCode.OK)
        self._look()


def _number(code: WSCloseCode) -> int:
    """Return a code as a number, which at run time it is."""
    return int(cast(int, code))


class _Reads(asyncio.BufferedProtocol):
    """What stands between the transport and the library's protocol, which would read all there is at once."""

    def __init__(self, inner: asyncio.BufferedProtocol, socket: SwiftSocket) -> None:
        self._inner = inner
        self._socket = socket

    def get_buffer(self, sizehint: int) -> memoryview:
        return cast(memoryview, self._inner.get_buffer(sizehint))[:READ_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        self._socket.read_begins(nbytes)
        self._inner.buffer_updated(nbytes)
        self._socket.read_ended()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
