"""The lines of a file, plain, gzip or zstd, as far as they can be read: damage is told with its place, never raised.

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
# RFC 8878, "Zstandard Frames".
_ZSTD = b"\x28\xb5\x2f\xfd"
# A frame of zstd is handed on once its checksum is known to be right; a larger one as it comes.
_MOST_UNCHECKED = 64 * 2**20


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
    """Yield the content in pieces, unpacked where it is packed, and damage to the packing as text."""
    chunk = source.read(_CHUNK)
    if chunk[:2] == b"\x1f\x8b":
        yield from _unpacked(source, chunk)
        return
    if chunk[:4] == _ZSTD:
        yield from _unpacked_zstd(source, chunk)
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


def _unpacked_zstd(source: BinaryIO, chunk: bytes) -> Iterator[bytes | str]:
    """Yield the content of one zstd frame after the other; behind a damaged one the next is looked for."""
    from zstandard import ZstdDecompressor, ZstdError

    packer = ZstdDecompressor()
    unpack, held, size, begun = packer.decompressobj(), list[bytes](), 0, False
    while chunk:
        begun = True
        try:
            content = unpack.decompress(chunk)
        except ZstdError as error:
            yield f"a piece of the zstd stream is damaged and left out: {error}"
            chunk = _from_next_frame(source, chunk)
            unpack, held, size, begun = packer.decompressobj(), [], 0, False
            continue
        held.append(content)
        size += len(content)
        if unpack.eof or size > _MOST_UNCHECKED:
            yield from held
            held = []
        if unpack.eof:
            chunk = unpack.unused_data
            unpack, size, begun = packer.decompressobj(), 0, False
        else:
            chunk = b""
        chunk = chunk or source.read(_CHUNK)
    yield from held
    if begun:
        yield "the file ends inside its zstd stream: its writer was killed or is still writing"


def _from_next_frame(source: BinaryIO, chunk: bytes) -> bytes:
    """Return what begins with the next zstd frame behind the first byte of `chunk`; empty where there is none."""
    chunk = chunk[1:]
    while (at := chunk.find(_ZSTD)) < 0:
        more = source.read(_CHUNK)
        if not more:
            return b""
        chunk = chunk[-3:] + more
    return chunk[at:]
