"""What every check of a parser needs: the author's frames, fresh parsers, and reading as a session does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ..errors import ParseError
from ..events import Message
from ..frame import Frame
from ..parser import Parser
from . import recording


class ParserCase:
    """One parser and the recorded frames of its connections."""

    exchange: ClassVar[str]
    frames: ClassVar[Sequence[Path]]

    def make_parser(self) -> Parser:
        """Return a fresh parser that takes every stream of the recorded frames."""
        raise NotImplementedError("ParserSuite: define make_parser(self) in your test class")

    def _after(self, frames: Sequence[Frame]) -> Parser:
        parser = self.make_parser()
        for frame in frames:
            read(parser, frame)
            parser.requests.clear()
        return parser

    def _recordings(self) -> list[Sequence[recording.Recorded]]:
        return [recording.load(Path(path), self.exchange) for path in self.frames]

    def _connections(self) -> list[list[Frame]]:
        return [[item.frame for item in recorded] for recorded in self._recordings()]

    def _events(self) -> list[list[Message]]:
        """Return what each connection gives."""
        found: list[list[Message]] = []
        for frames in self._connections():
            parser = self.make_parser()
            found.append([event for frame in frames for event in read(parser, frame)])
        return found

    def _frame(self, text: str | Frame, number: int) -> Frame:
        if isinstance(text, Frame):
            return text
        return Frame(self.exchange, text, recording.START + number * 1_000_000)


def read(parser: Parser, frame: Frame) -> list[Message]:
    """Return the events of a frame, none where it is refused."""
    try:
        return list(parser.receive(frame))
    except ParseError:
        return []


def taken(parser: Parser) -> list[Any]:
    """Return and clear the requests, as the session does."""
    requests = list(parser.requests)
    parser.requests.clear()
    return requests
