"""Events to compact bytes and back, exactly: what the disk spool holds.

A payload is msgpack: the classes in it with the names of their fields, then one
row of values per event. Names go along so that a later jrr, whose events have
more fields, still reads it. Decimals and Levels travel as their own text.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import msgspec
from attrs import define, fields

from .errors import ParseError
from .events import ALL_EVENTS
from .instrument import Instrument
from .levels import Levels

Kinds = Mapping[str, type]
KINDS: Kinds = {**{kind.type: kind for kind in ALL_EVENTS}, Instrument.type: Instrument}

# A row of no class: an event that could not be packed, as text.
_NO_CLASS = -1
# Extension types of msgpack for what it has no form of: larger integers, text that is not UTF-8.
_BIG_INT, _ODD_TEXT = 1, 2
_ARRAY_2, _ARRAY_32 = b"\x92", b"\xdd"


@define(frozen=True)
class Unpackable:
    """What comes in place of an event that could not be packed or unpacked: its text, and why."""

    content: str
    reason: str


class Packing:
    """Events being packed, one after the other, into one payload."""

    __slots__ = ("_indexes", "_rows", "_tables", "size")

    def __init__(self) -> None:
        """Start empty."""
        self._tables: list[tuple[str, tuple[str, ...]]] = []
        self._indexes: dict[type, tuple[int, Callable[[Any], tuple[Any, ...]]]] = {}
        self._rows: list[bytes] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, event: Any) -> None:
        """Pack one event; never raises: one of which nothing can be made goes along as text."""
        try:
            index, values = self._indexes.get(event.__class__) or self._learn(event.__class__)
            row = _encoded((index, values(event)))
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            row = _encoded((_NO_CLASS, (_text(event), f"it cannot be packed: {error!r}")))
        self._rows.append(row)
        self.size += len(row)

    def payload(self) -> bytes:
        """Return all that was added."""
        count = len(self._rows).to_bytes(4, "big")
        return b"".join((_ARRAY_2, _encode(self._tables), _ARRAY_32, count, *self._rows))

    def _learn(self, kind: type) -> tuple[int, Callable[[Any], tuple[Any, ...]]]:
        names = tuple([attribute.name for attribute in fields(kind)])
        known = self._indexes[kind] = (len(self._tables), _values(names))
        self._tables.append((_name(kind), names))
        return known


def pack(events: Sequence[Any]) -> bytes:
    """Return the payload of these events."""
    packing = Packing()
    for event in events:
        packing.add(event)
    return packing.payload()


def unpack(payload: bytes, kinds: Kinds = KINDS) -> Iterator[Any]:
    """Yield the events of a payload, in order; `kinds` are the classes by name.

    One that could not be packed, or of which no event of today can be made,
    comes as Unpackable. Raises ParseError at once for what is no payload.
    """
    try:
        tables, rows = _decode(payload)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ParseError(f"it cannot be unpacked: {error}") from None
    return _events(rows, [_maker(kinds[name], names) if name in kinds else _stranger(name) for name, names in tables])


def _events(rows: Iterable[tuple[int, list[Any]]], makers: Sequence[Callable[[list[Any]], Any]]) -> Iterator[Any]:
    for index, values in rows:
        try:
            event = makers[index](values) if index != _NO_CLASS else Unpackable(*values)
        except (ParseError, InvalidOperation, ValueError, TypeError, IndexError) as error:
            event = Unpackable(_text(values), f"no event can be made of it: {error!r}")
        yield event


def _stranger(name: str) -> Callable[[list[Any]], Any]:
    return lambda values: Unpackable(f"{name} {_text(values)}", f"there is no event class {name!r} here")


def kinds_of(accepts: Sequence[type]) -> Kinds:
    """Return jrr's own classes and those of `accepts`, by the names payloads have for them."""
    return {**KINDS, **{_name(kind): kind for kind in accepts}}


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda event: tuple([getattr(event, name) for name in names])


def _name(kind: type) -> str:
    name = getattr(kind, "type", None)
    return name if isinstance(name, str) else kind.__qualname__


def _text(event: object) -> str:
    try:
        return repr(event).encode("utf-8", "backslashreplace").decode()
    except Exception as error:  # repr of somebody's own class: anything may happen there
        return f"<{type(event).__qualname__} whose repr raised {error!r}>"


def _hook(value: object) -> object:
    if isinstance(value, Levels):
        return value.json()
    raise TypeError(f"{type(value).__qualname__} is nothing an event may hold")


_encode = msgspec.msgpack.Encoder(enc_hook=_hook).encode


def _encoded(row: tuple[int, tuple[Any, ...]]) -> bytes:
    try:
        return _encode(row)
    except (OverflowError, UnicodeEncodeError):
        index, values = row
        return _encode((index, [_extended(value) for value in values]))


def _extended(value: Any) -> Any:
    """Return a value msgpack has a form of; tuples may hold such as it has none of."""
    if isinstance(value, tuple):
        return tuple([_extended(part) for part in value])
    if isinstance(value, str):
        return msgspec.msgpack.Ext(_ODD_TEXT, value.encode("utf-8", "surrogatepass"))
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_BIG_INT, str(value).encode())
    return value


def _from_extension(code: int, data: memoryview) -> object:
    if code == _BIG_INT:
        return int(bytes(data))
    if code == _ODD_TEXT:
        return bytes(data).decode("utf-8", "surrogatepass")
    raise ValueError(f"extension type {code} of msgpack is of a newer jrr")


_decode = msgspec.msgpack.Decoder(
    tuple[list[tuple[str, tuple[str, ...]]], list[tuple[int, list[Any]]]], ext_hook=_from_extension
).decode


@cache
def _maker(kind: type, names: tuple[str, ...]) -> Callable[[list[Any]], Any]:
    """Return what makes an event of a row whose values have these names; names unknown here are left out."""
    converters = _converters(kind)
    changed = [(at, converters[name]) for at, name in enumerate(names) if name in converters]
    own = {attribute.name: attribute.alias for attribute in fields(kind)}
    as_now = names == tuple(own)

    def make(values: list[Any]) -> Any:
        for at, convert in changed:
            values[at] = convert(values[at])
        if as_now:
            return kind(*values)
        return kind(**{own[name]: value for name, value in zip(names, values, strict=True) if name in own})

    return make


@cache
def _converters(kind: type) -> Mapping[str, Callable[[Any], Any]]:
    """Return, by field, how its value is made of what msgpack gives; fields that need nothing are left out."""
    found: dict[str, Callable[[Any], Any]] = {}
    for name, hint in get_type_hints(kind).items():
        types = (hint, *get_args(hint))
        if Decimal in types:
            found[name] = _decimal
        elif Levels in types:
            found[name] = _levels
        elif any(getattr(each, "__origin__", None) is tuple for each in types):
            found[name] = _tuple
    return found


def _decimal(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) else value


def _levels(value: Any) -> Any:
    return Levels.from_json(value.encode()) if isinstance(value, str) else value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
