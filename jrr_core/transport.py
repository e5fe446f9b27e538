"""One WebSocket, as core needs it: connect, receive, send, close; failures as two plain errors.

The only module that knows the `websockets` library.
"""

import asyncio
import time
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from .errors import ConfigError, JrrError
from .network import host_of, reason_of
from .route import SYSTEM, Network

# The largest frame an exchange sends is a full-depth snapshot or an all-market array, about 2 MB.
_MAX_FRAME_BYTES = 16 * 2**20
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
# Frames the library may read ahead while we parse; beyond it TCP slows the exchange down.
_READ_AHEAD = 256


class ConnectFailed(JrrError):  # noqa: N818 - says what happened, not whose fault
    """No connection came about; the text names the host and the reason."""

    def __init__(self, text: str, answered: bool = True) -> None:
        """`answered` is False where nobody was reached at all."""
        super().__init__(text)
        self.answered = answered


class ConnectionLost(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The connection ended; the text says how."""


class Socket:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        """Wrap an open connection."""
        self._connection = connection

    async def receive(self) -> str | bytes:
        """Return the next payload (text as UTF-8 bytes); raises ConnectionLost when there is none."""
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed as closed:
            raise ConnectionLost(_how(closed)) from None

    async def send(self, text: str) -> None:
        """Send a text frame; raises ConnectionLost."""
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise ConnectionLost(_how(closed)) from None

    async def ping(self) -> None:
        """Send a ping and return when its pong came; raises ConnectionLost."""
        try:
            await (await self._connection.ping())
        except ConnectionClosed as closed:
            raise ConnectionLost(_how(closed)) from None

    async def close(self) -> None:
        """Close politely, for at most a second, then cut."""
        try:
            async with asyncio.timeout(1.0):
                await self._connection.close()
        except TimeoutError:
            self._connection.transport.abort()


class _Connect(connect):
    """The library's way to connect, without following redirects: no exchange sends any."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Return the refusal as it is."""
        return exc


async def open_socket(
    url: str, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS, network: Network = SYSTEM
) -> Socket:
    """Connect to `url`; raises ConnectFailed naming the host and why, ConfigError for an address that is none.

    `headers` are sent with the handshake.
    """
    try:
        began, parts = time.monotonic(), urlsplit(url)
        proxy, secure = network.proxy_for(url), parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        way = None if proxy is None else await proxy.open(parts.hostname or "", port, timeout_s)
        # Compression costs CPU on both sides and exchanges do not need it; liveness is the session's affair.
        connection = await _Connect(
            url,
            sock=way,
            proxy=None,
            ssl=network.tls if secure else None,
            compression=None,
            max_size=_MAX_FRAME_BYTES,
            max_queue=_READ_AHEAD,
            open_timeout=max(timeout_s - (time.monotonic() - began), 0.0),
            ping_interval=None,
            close_timeout=1.0,
            user_agent_header="jrr",
            additional_headers=headers,
        )
    # First of all: a certificate that fails is an OSError and a ValueError.
    except (OSError, TimeoutError) as error:
        raise ConnectFailed(f"cannot reach {host_of(url)}: {reason_of(error)}", answered=False) from None
    except (InvalidURI, ValueError) as error:
        raise ConfigError(f"ws_url {url!r} is not a WebSocket address (ws:// or wss://): {error}") from None
    except InvalidStatus as refused:
        raise ConnectFailed(f"{host_of(url)} refused the connection: {_status(refused)}") from None
    except (WebSocketException, EOFError) as error:
        raise ConnectFailed(f"{host_of(url)} did not answer as a WebSocket server: {error}") from None
    return Socket(connection)


def _status(refused: InvalidStatus) -> str:
    status, location = refused.response.status_code, refused.response.headers.get("Location")
    if location is not None:
        return f"HTTP {status}, redirecting to {location[:200]!r} (check ws_url)"
    meaning = {
        403: " (blocked by the exchange's firewall)",
        404: " (no such path: check ws_url)",
        418: " (this IP address is banned for a while)",
        429: " (too many requests)",
        451: " (not available from this country)",
    }.get(status, "")
    return f"HTTP {status}{meaning}"


def _how(closed: ConnectionClosed) -> str:
    if closed.rcvd is not None:
        return f"closed by the exchange: {closed.rcvd.code} {closed.rcvd.reason}".rstrip()
    if closed.sent is not None:
        return f"closed by us: {closed.sent.code} {closed.sent.reason}".rstrip()
    return "connection cut"
