"""The one place that picks the JSON codec (msgspec); parsers reach it through here.

Decoding failures become ParseError, so a parser's typed decode is also its check.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from .errors import ParseError

__all__ = ["Meta", "Raw", "Struct", "decode", "decoder", "encode", "inspecting"]

T = TypeVar("T")


Ignored = Collection[str] | Mapping[Any, Collection[str]]


def decoder(shape: type[T], ignored: Ignored | None = None) -> Callable[[bytes | str | Raw], T]:
    """Return a function that reads JSON as `shape` (Structs, Raw for parts to leave alone).

    The function raises ParseError, with the path of the first wrong part.
    `ignored` are the fields that the exchange sends and `shape` leaves out,
    of all its Structs alike or by Struct: with it any other is noticed by
    `inspecting`.
    """
    read = msgspec.json.Decoder(shape).decode
    known = ignored if ignored is None or isinstance(ignored, Mapping) else frozenset(ignored)

    def decode_typed(payload: bytes | str | Raw) -> T:
        try:
            value = read(payload)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ParseError(f"not the expected JSON: {_short(str(error))}") from None
        if _noticed is not None and known is not None:
            _noticed.update(_new_fields(value, msgspec.json.decode(payload), known))
        return value

    return decode_typed


_noticed: set[str] | None = None


@contextmanager
def inspecting() -> Iterator[set[str]]:
    """Collect, for the length of the block, the fields that decoders meet and nobody has told them of.

    Costs some microseconds a payload: for a frame now and then.
    """
    global _noticed
    before, _noticed = _noticed, set()
    try:
        yield _noticed
    finally:
        _noticed = before


def _new_fields(value: object, plain: object, known: Ignored) -> Iterator[str]:
    """Yield the fields of `plain` that neither its Struct has nor `known` names; of a list its first row tells."""
    if isinstance(value, Struct) and isinstance(plain, dict):
        fields = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
        ignored = known[type(value)] if isinstance(known, Mapping) else known
        for name, part in plain.items():
            if name in fields:
                yield from _new_fields(getattr(value, fields[name]), part, known)
            elif name not in ignored:
                yield f"{type(value).__name__.lstrip('_')}.{name}"
    elif isinstance(value, (list, tuple)) and isinstance(plain, list) and value and plain:
        yield from _new_fields(value[0], plain[0], known)


def _short(text: str) -> str:
    """Cut the middle, which may quote the frame; the end names the place."""
    return text if len(text) <= 300 else f"{text[:150]}...{text[-120:]}"


decode: Callable[[bytes | str | Raw], Any] = decoder(Any)


def encode(value: object) -> str:
    """Return compact JSON text."""
    return msgspec.json.encode(value).decode()
