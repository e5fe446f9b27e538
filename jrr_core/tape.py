"""What happens to an exchange's streams beside frames, told in order: whoever does the same again gets the same events.

A live run tells its tape; a capture keeps it, and a replay does it again. Pure
records: nothing here reads a clock, a socket or a file.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import define

from .events import Gap
from .frame import Frame
from .sink import StreamKey
from .subscription import Subscription

LISTING = ""
"""The session of a frame that holds part of an exchange's list of instruments."""


@define(frozen=True)
class Begun:
    """A connection was opened; its parser was made for `subscriptions`, None where it takes whatever comes."""

    exchange: str
    session: str
    ts: int
    url: str
    subscriptions: tuple[Subscription, ...] | None


@define(frozen=True)
class Sent:
    """`text` went to the exchange: a message, or with a `tag` the address of a GET."""

    exchange: str
    session: str
    ts: int
    text: str
    tag: str | None = None


@define(frozen=True)
class Wanted:
    """The connection was asked to deliver these streams."""

    exchange: str
    session: str
    ts: int
    subscriptions: tuple[Subscription, ...]


@define(frozen=True)
class Unwanted:
    """The connection was asked to deliver these streams no more."""

    exchange: str
    session: str
    ts: int
    subscriptions: tuple[Subscription, ...]


@define(frozen=True)
class Looked:
    """Somebody looked what is due and what is missing, and there was something."""

    exchange: str
    session: str
    ts: int


@define(frozen=True)
class Ended:
    """The connection is over."""

    exchange: str
    session: str
    ts: int
    reason: str


@define(frozen=True)
class Ruled:
    """What the exchange's streams are read by in this run: its settings, those of core among them."""

    exchange: str
    ts: int
    settings: Mapping[str, Any]


@define(frozen=True)
class Resumed:
    """A store told where its streams ended before this run."""

    exchange: str
    ts: int
    points: Mapping[StreamKey, int]


@define(frozen=True)
class Reopened:
    """A store told what earlier runs missed."""

    exchange: str
    ts: int
    gaps: Sequence[Gap]


@define(frozen=True)
class Received:
    """A frame came, on a connection or as the answer to one of its GETs."""

    session: str | None
    frame: Frame

    @property
    def exchange(self) -> str:
        """The exchange it came from."""
        return self.frame.exchange

    @property
    def ts(self) -> int:
        """When it came."""
        return self.frame.ts_recv


Act = Begun | Sent | Wanted | Unwanted | Looked | Ended | Ruled | Resumed | Reopened
"""What is not a frame."""


class Tape(Protocol):
    """Takes down what happens, in order; never raises and never waits."""

    def frame(self, session: str, frame: Frame) -> None:
        """Take down a frame."""

    def act(self, act: Act) -> None:
        """Take down anything else."""
