"""The Parser contract: bytes in, events out, nothing else."""

from collections.abc import Sequence
from typing import Protocol

from .events import Message
from .frame import Frame, Request


class Parser(Protocol):
    """Turns the frames of one connection into events; lives as long as the connection.

    It does no I/O, reads no clock (times come with the frames) and shares
    no mutable state with another parser. What it needs from outside it
    appends to `requests`; the session takes them after each `receive`.
    """

    requests: list[Request]

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Return what the frame means: events, or () for control frames and frames not asked for.

        Any bytes whatever give events, () or ParseError and nothing else; a
        ParseError leaves the parser able to go on with the next frame.
        """
