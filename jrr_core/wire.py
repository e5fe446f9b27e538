"""The one place that picks the JSON codec (msgspec); parsers reach it through here.

Decoding failures become ParseError, so a parser's typed decode is also its check.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from .errors import ParseError

__all__ = ["Meta", "Raw", "Struct", "decode", "decoder", "encode"]

T = TypeVar("T")


def decoder(shape: type[T]) -> Callable[[bytes | str | Raw], T]:
    """Return a function that reads JSON as `shape` (Structs, Raw for parts to leave alone).

    The function raises ParseError, with the path of the first wrong part.
    """
    read = msgspec.json.Decoder(shape).decode

    def decode_typed(payload: bytes | str | Raw) -> T:
        try:
            return read(payload)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ParseError(f"not the expected JSON: {_short(str(error))}") from None

    return decode_typed


def _short(text: str) -> str:
    """Cut the middle, which may quote the frame; the end names the place."""
    return text if len(text) <= 300 else f"{text[:150]}...{text[-120:]}"


decode: Callable[[bytes | str | Raw], Any] = decoder(Any)


def encode(value: object) -> str:
    """Return compact JSON text."""
    return msgspec.json.encode(value).decode()
