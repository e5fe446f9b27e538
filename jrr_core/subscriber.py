"""The Subscriber contract: batches to somebody's own code."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol


class Subscriber(Protocol):
    """Is told what happens. Its errors are counted and logged, never retried, never seen by others."""

    name: ClassVar[str]
    Settings: ClassVar[type]
    accepts: tuple[type, ...]

    def __init__(self, settings: Any) -> None:
        """Take an instance of `Settings`."""

    async def notify(self, batch: Sequence[Any]) -> None:
        """Take the events that came since the last call, oldest first."""
