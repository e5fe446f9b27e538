"""The Parser contract: bytes in, events out, nothing else."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .events import Message
from .frame import Frame, Hole, Request


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


@runtime_checkable
class Refilling(Protocol):
    """A parser of an exchange that gives out the past: the optional half of a Parser."""

    def refill(self, hole: Hole) -> bool:
        """Ask, through `requests`, for what is missing; False where the exchange has no way to give it.

        The requests are `patient`. Their replies come to `receive` as frames
        and give the events missing, in any order, others of the same stream
        among them. What the exchange turns out not to have is said by an
        `Absent` request. The same hole may be asked for again.
        """
