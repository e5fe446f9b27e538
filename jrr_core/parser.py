"""The Parser contract: bytes in, events out, nothing else."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .events import Message
from .frame import Frame, Hole, Request
from .subscription import Subscription


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


@runtime_checkable
class Extending(Protocol):
    """A parser whose connection may take on streams while it lives: the other optional half of a Parser.

    Without it streams that are subscribed later get connections of their own.
    """

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        """Read these streams too, from the next frame on; they are asked for after this returns.

        `wanted` are as plans have them, new to the connection, and within its
        limits. False, with nothing changed, where one of them could not begin
        without disturbing a stream that is read already; they then get a
        connection of their own.
        """
