"""One WebSocket, as core needs it: connect, deliver, send, close; failures as two plain errors.

Two libraries can carry it, each known to one module here alone: `websockets`
in `websocket`, and `picows`, where it is installed, in `swift`.
"""

from .opening import open_socket
from .socket import NO_HEADERS, ConnectFailed, ConnectionLost, Socket, Take

__all__ = ["NO_HEADERS", "ConnectFailed", "ConnectionLost", "Socket", "Take", "open_socket"]
