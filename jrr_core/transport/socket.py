"""What every WebSocket here promises, whichever library carries it, and how it fails."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from ..errors import JrrError

# The largest message an exchange sends is a full-depth snapshot or an all-market array, about 2 MB.
MAX_MESSAGE_BYTES = 16 * 2**20
# How long a peer has to answer our close.
CLOSE_S = 1.0
USER_AGENT = "jrr"
# What HTTP statuses mean for a user.
_REFUSALS = {
    403: " (blocked by the exchange's firewall)",
    404: " (no such path: check ws_url)",
    418: " (this IP address is banned for a while)",
    429: " (too many requests)",
    451: " (not available from this country)",
}
CUT = "connection cut"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

Take = Callable[[bytes, int], object]
"""Takes a payload (text as its UTF-8 bytes) and when it was received, int ns."""


class ConnectFailed(JrrError):  # noqa: N818 - says what happened, not whose fault
    """No connection came about; the text names the host and the reason."""

    def __init__(self, text: str, answered: bool = True) -> None:
        """`answered` is False where nobody was reached at all."""
        super().__init__(text)
        self.answered = answered


class Refused(Exception):  # noqa: N818 - says what happened, not whose fault
    """The handshake was answered with an HTTP status; the text says what it means."""

    def __init__(self, status: int, location: str | None) -> None:
        """`location` is where a redirect leads, if it is one."""
        if location is not None:
            meaning = f", redirecting to {location[:200]!r} (check ws_url)"
        else:
            meaning = _REFUSALS.get(status, "")
        super().__init__(f"HTTP {status}{meaning}")


class NoWebSocket(Exception):  # noqa: N818 - says what happened, not whose fault
    """What answered the handshake is no WebSocket server; the text says how that shows."""


class ConnectionLost(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The connection ended; the text says how."""


class Socket(Protocol):
    """An open WebSocket. It reads nothing until something is there to deliver to."""

    async def deliver(self, take: Take) -> None:
        """Hand every message to `take`, inside the read that brought it; ends by raising.

        Raises ConnectionLost once the connection is over and all that came
        before was handed over, and what `take` raises: a message after that
        one is lost. Messages of one read are told apart by a nanosecond each,
        since rows that bear no other number are.
        """

    async def send(self, text: str) -> None:
        """Send a text message; raises ConnectionLost."""

    async def ping(self) -> None:
        """Send a ping and return when its pong came, for which something must deliver; raises ConnectionLost."""

    async def close(self) -> None:
        """Close politely, for at most a second, then cut."""


def closed_by_exchange(code: int, reason: str) -> str:
    """Return how a connection ended that the exchange closed."""
    return f"closed by the exchange: {code} {reason}".rstrip()


def closed_by_us(code: int, reason: str) -> str:
    """Return how a connection ended that we closed, or failed for what came."""
    return f"closed by us: {code} {reason}".rstrip()
