"""The lines of a file, plain or gzip, as far as they can be read: damage is told with its place, and never raised.

Called by the reader of captures.
"""

import codecs
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from attrs import define

# Four times the largest frame a session takes.
_MAX_LINE = 64 * 2**20
_CHUNK = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


@define(frozen=True)
class Damage:
    """A line (counted from 1) that holds no frame, and why; the reader goes on behind it where it can."""

    line: int
    reason: str


def numbered_lines(source: BinaryIO) -> Iterator[tuple[int, bytes] | Damage]:
    """Yield (number, line) without surrounding space, and what is wrong with the file itself as Damage.

    A byte order mark at the beginning is passed over.
    """
    number, rest, skipping, begun = 1, b"", False, False
    for part in _parts(source):
        if isinstance(part, str):
            # What stands before the damage is cut off somewhere inside its line.
            rest = b""
            yield Damage(number, part)
            continue
        if not begun:
            part, begun = part.removeprefix(codecs.BOM_UTF8), bool(part)
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            if not skipping:
                yield number, line.strip()
            number, skipping = number + 1, False
        if len(rest) > _MAX_LINE:
            if not skipping:
                yield Damage(number, f"a line of more than {_MAX_LINE} bytes")
            rest, skipping = b"", True
    if rest.strip() and not skipping:
        yield number, rest.strip()


def _parts(source: BinaryIO) -> Iterator[bytes | str]:
    """Yield the content in pieces, unpacked where it is gzip, and damage to the gzip stream as text."""
    chunk = source.read(_CHUNK)
    if chunk[:2] == b"\x1f\x8b":
        yield from _unpacked(source, chunk)
        return
    while chunk:
        yield chunk
        chunk = source.read(_CHUNK)


def _unpacked(source: BinaryIO, chunk: bytes) -> Iterator[bytes | str]:
    unpack = zlib.decompressobj(_GZIP)
    while chunk:
        before = unpack.copy()
        try:
            yield unpack.decompress(chunk)
        except zlib.error as error:
            yield _until_damage(before, chunk)
            yield f"the gzip stream is damaged: {error}"
            return
        if unpack.eof:
            # Members may follow one another, with zeros as padding.
            chunk = unpack.unused_data.lstrip(b"\0")
            unpack = zlib.decompressobj(_GZIP)
            chunk = chunk or source.read(_CHUNK).lstrip(b"\0")
            if not chunk:
                return
        else:
            chunk = source.read(_CHUNK)
    yield "the file ends inside its gzip stream: its writer was killed or is still writing"


def _until_damage(unpack: "zlib._Decompress", chunk: bytes) -> bytes:
    """Return what a chunk holds before its first wrong byte; zlib itself gives nothing of a chunk with an error."""
    found = []
    with suppress(zlib.error):
        for at in range(len(chunk)):
            found.append(unpack.decompress(chunk[at : at + 1]))
    return b"".join(found)
