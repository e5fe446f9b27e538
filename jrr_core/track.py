"""One stream over all its connections: what `continuity` asks of it. What is said here is right for a plain stream."""

from collections.abc import Sequence

from .events import Message
from .frame import Hole
from .holes import Missing


class Track:
    """Decides what of a stream's events is published; what its methods return is, in order.

    `session` is the name of a connection, times are int ns UTC.

    `awake` is whether `due` and `asks` have to be called: everything but an
    event that was in turn wakes a track, and it sleeps again when nothing
    `waits`. Of thousands of streams those few that lack something are looked at.
    """

    awake = False

    @property
    def waits(self) -> bool:
        """Whether time alone, or a connection that asks, may bring something of it."""
        return False

    @property
    def numbered(self) -> bool:
        """Whether what comes after an interruption tells what it cost."""
        return False

    @property
    def seamless(self) -> bool:
        """Whether what is carried on since a session left begins where that one stopped."""
        return False

    @property
    def interrupted(self) -> bool:
        """Whether the stream was interrupted and nothing has yet shown that it cost nothing."""
        return False

    @property
    def repeated(self) -> int:
        """How many events came again and were not published."""
        return 0

    def take(self, event: Message, session: str, answered: bool) -> Sequence[Message] | None:
        """Take an event that a connection brought; None: publish it as it is.

        `answered`: it came in answer to a request for what is missing.
        """
        return None

    def settle(self, ts_recv: int, session: str) -> list[Message]:
        """Return what answers have filled since the last call."""
        return []

    def due(self, now_ns: int) -> list[Message]:
        """Return what has been held long enough, and what that shows to be missing."""
        return []

    def join(self, session: str) -> None:
        """Take note that a connection carries the stream; it may be told so again."""

    def leave(self, session: str, last: bool, now_ns: int) -> list[Message]:
        """Take note that it does so no more; `last`: and no other does."""
        return []

    def resume(self, space: str | None, point: int) -> list[Message]:
        """Take the last number a store had before this run."""
        return []

    def reopen(self, space: str | None, hole: Missing) -> None:
        """Take a hole that an earlier run left."""

    def asks(self, session: str, now_ns: int) -> list[Hole]:
        """Return the holes that `session` is to ask for now."""
        return []

    def absent(self, hole: Hole, reason: str | None, ts_recv: int, session: str) -> list[Message]:
        """Take note that the numbers of `hole` will not come; `reason` None: no event bears them."""
        return []
