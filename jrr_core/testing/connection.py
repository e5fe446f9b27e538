"""One connection to a simulator: the library's server side, with what it keeps to itself, and what goes over it.

Only `simulator` uses it.
"""

import logging
import socket
import struct
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import WebSocketException
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Response

from .faults import text_frame
from .script import Close, HearsPings, Peer, Ping, Reply

_RESET = struct.pack("ii", 1, 0)


class Connection(ServerConnection):
    """A library connection that also reports pings, pongs and its end.

    `peer` is the script's, None before the handshake and once the client will
    see nothing more; `opened_s` (loop time) and `number` tell when and as the
    how manieth it was opened.
    """

    peer: Peer | None = None
    opened_s = 0.0
    number = 0
    forget: Callable[["Connection"], None]

    def process_event(self, event: Any) -> None:
        """Tell the peer of pings and pongs."""
        super().process_event(event)
        if self.peer is not None and isinstance(event, WireFrame):
            if event.opcode is Opcode.PONG:
                self.peer.pong(bytes(event.data), time.time_ns())
            elif event.opcode is Opcode.PING and isinstance(self.peer, HearsPings):
                self.peer.ping(bytes(event.data), time.time_ns())

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end."""
        super().connection_lost(exc)
        if self.peer is not None:
            self.forget(self)

    def reset(self) -> None:
        """End the connection by a TCP reset."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


def take_frames(peer: Peer, encoded: MutableMapping[str, bytes]) -> tuple[list[bytes], Close | None]:
    """Empty an outbox: return its frames up to a Close, and that; `encoded` shares work between connections."""
    items, peer.outbox = peer.outbox, []
    frames: list[bytes] = []
    for item in items:
        if isinstance(item, str):
            frame = encoded.get(item)
            if frame is None:
                frame = encoded[item] = text_frame(item.encode())
            frames.append(frame)
        elif isinstance(item, bytes):
            frames.append(text_frame(item, opcode=2))
        elif isinstance(item, Ping):
            frames.append(text_frame(item.payload, opcode=9))
        else:
            return frames, item
    return frames, None


def response(reply: Reply) -> Response:
    """Return a plain HTTP answer as the library sends it."""
    body = reply.body.encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
    for name, value in reply.headers.items():
        if name in headers:
            del headers[name]
        headers[name] = value
    return Response(reply.status, "OK" if reply.status < 400 else "Refused", headers, body)


class _Gossip(logging.Filter):
    """Keeps out of sight what the library says of clients that vanish in mid-handshake; a script's errors stay."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return record.levelno >= logging.ERROR and not isinstance(error, (WebSocketException, EOFError, OSError))


def quiet_log() -> logging.Logger:
    """Return the log that the library may write to."""
    log = logging.getLogger("jrr.simulator.websockets")
    if not log.filters:
        log.addFilter(_Gossip())
    return log
