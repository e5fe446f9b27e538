"""The contract of a simulated exchange: one protocol script, without sockets and without a clock of its own.

A plugin's `simulator.py` implements Script and Peer; `simulator.Simulator`
serves them. Everything is called in one thread, nothing may block.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol, runtime_checkable

from attrs import Factory, define

from ..errors import ConfigError
from .market import Happening, Listing, Market
from .truth import Truth

Bounds = tuple[float, float]
"""The least and the greatest value of a fault that makes sense in a mix; of two ints whole numbers are drawn."""


@define(frozen=True)
class Close:
    """Close the connection with this code and reason; what stands before it in the outbox is sent first."""

    code: int = 1000
    reason: str = ""


@define(frozen=True)
class Ping:
    """Send a ping frame with this payload."""

    payload: bytes = b""


@define(frozen=True)
class Reply:
    """A plain HTTP answer; the body is JSON text unless `headers` say otherwise."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = Factory(dict)


class Peer(Protocol):
    """One accepted WebSocket connection as the exchange sees it.

    `outbox` is what to send now, in order; the server empties it after every
    call. Times are int ns UTC.
    """

    outbox: list[str | bytes | Close | Ping]

    def receive(self, text: str, now_ns: int) -> None:
        """Take a text frame from the client."""

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Take a pong frame from the client."""


@runtime_checkable
class HearsPings(Protocol):
    """A Peer that also wants to know of the client's pings (the server answers them itself)."""

    def ping(self, payload: bytes, now_ns: int) -> None:
        """Take a ping frame from the client."""


@runtime_checkable
class Heals(Protocol):
    """A Script that can end its own faults in the middle of a run."""

    def heal(self, now_ns: int) -> None:
        """Behave from now on; connections that a fault has already doomed may still end."""


class Script(Protocol):
    """One exchange's protocol.

    `faults` names the switches it implements, with one line of help each;
    `listings` is what it trades; `demo` the subscriptions `jrr demo` makes. It
    may also be a Heals, and have `plausible: ClassVar[Mapping[str, Bounds]]`:
    from where to where random mixes draw the values of its faults.
    """

    exchange: ClassVar[str]
    faults: ClassVar[Mapping[str, str]]
    listings: ClassVar[tuple[Listing, ...]]
    demo: ClassVar[tuple[str, ...]]

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        """Start at `now_ns`; `faults` are switched on for all of the run. Raises ConfigError for a bad value."""

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept a WebSocket connection, or refuse it with an HTTP answer; `query` is as in the URL, undecoded."""

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        """Forget a connection that is gone, or that will never see another frame."""

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        """Answer a plain HTTP GET; `query` is decoded."""

    def happen(self, happening: Happening) -> None:
        """Queue what a step of the market means for the connections that want it."""

    def tick(self, now_ns: int) -> None:
        """Do what time asks for: periodic streams, batches, pings, deadlines, faults. Called about every 5 ms."""

    def finish(self, now_ns: int) -> None:
        """Flush what is pending and end all periodic market data; the connections stay, pings and deadlines go on.

        Called once, after the market stopped and every whole second begun before has ended.
        """


def fault_number(faults: Mapping[str, str], name: str, read: Callable[[str], float] = float) -> float | None:
    """Return the fault's value as a number, None where it is off; raises ConfigError for text that is none."""
    text = faults.get(name)
    if text is None:
        return None
    try:
        number = read(text)
    except ValueError:
        raise ConfigError(f"fault {name}={text} needs a number, such as {name}=1") from None
    if not 0 <= number < 1e12:
        raise ConfigError(f"fault {name}={text} needs a number that is not negative")
    return number
