"""Captures read back, and recorded lines of `<receive ns> <JSON>`; packed with zstd or gzip, or not at all.

Whatever is wrong with a file is told with its place and never raised.
"""

from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError
from ..frame import Frame
from ..lines import Damage, numbered_lines
from ..tape import Received
from .entry import Line, parsed, plain

Item = Line | Damage
"""What a capture holds, in order."""


def read_capture(path: Path, exchange: str | None = None) -> Iterator[Item]:
    """Yield what a file holds; frames of plain lines have no session (None).

    Lines that hold nothing and an end cut off come as Damage. `exchange`
    names the exchange of plain lines. Raises ConfigError for a file that
    cannot be read, and for plain lines without `exchange`.
    """
    try:
        with path.open("rb") as source:
            for item in numbered_lines(source):
                if isinstance(item, Damage):
                    yield item
                elif item[1][:1] == b"{":
                    yield parsed(item[1], item[0])
                elif item[1]:
                    yield _plain(item[1], item[0], exchange)
    except OSError as error:
        raise ConfigError(f"cannot read the capture {path}: {error.strerror}") from None


def _plain(line: bytes, number: int, exchange: str | None) -> Item:
    found = plain(line, number)
    if isinstance(found, Damage):
        return found
    if exchange is None:
        raise ConfigError("the file does not say which exchange it is of: add --exchange NAME")
    return Received(None, Frame(exchange, found[1], found[0]))
