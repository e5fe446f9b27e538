"""The contract of connectors whose captures can be served to other clients, as the exchange itself would serve them.

Optional, for `jrr replay --serve`. Like all of a connector: pure, no I/O.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


class Reception(Protocol):
    """What one client of the exchange has asked for; made as it connects.

    `topics` are those that it gets, in the words of `PlaysBack.topic_of`.
    """

    topics: set[str]

    def hear(self, text: str) -> Sequence[str]:
        """Take a message of the client's, change `topics` accordingly, and return the exchange's answers."""

    def shaped(self, payload: str) -> str:
        """Return a recorded frame as this client gets it; on most exchanges the frame itself."""


@runtime_checkable
class PlaysBack(Protocol):
    """A Connector whose captures can be served to clients."""

    def topic_of(self, payload: str) -> str | None:
        """Return what clients ask for to get a frame; None for frames that answer, greet or keep alive.

        Raises ParseError for what is no frame of the exchange's; nobody gets it.
        """

    def reception(self, path: str, query: str) -> Reception | None:
        """Return what receives a client at this address, None where the exchange has none; `query` is undecoded."""
