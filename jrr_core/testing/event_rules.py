"""What must be true of any single event, whatever exchange it is of. Each function returns what is wrong, or None."""

import types
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from ..events import ALL_EVENTS, Candle, Message
from ..levels import Levels

# Between 2009 and 2100 in nanoseconds: a time in seconds, milliseconds or microseconds falls outside.
_PLAUSIBLE = range(1_230_000_000 * 10**9, 4_100_000_000 * 10**9)
_TIMES = ("ts_event", "ts_recv", "open_time", "close_time", "next_funding_time", "ts_from", "ts_to")
_kinds = {kind.type: kind for kind in ALL_EVENTS}


def wrong_types(event: Message) -> str | None:
    """Return the first field whose value is not of the declared type."""
    for name, wanted in _declared(event.type).items():
        value = getattr(event, name)
        if not _is_of(value, wanted):
            return f"{name} is {value!r}, a {type(value).__name__}"
    return None


def wrong_times(event: Message) -> str | None:
    """Return the first time that is no int of nanoseconds between 2009 and 2100; None stands for a time not sent."""
    for name in _TIMES:
        value = getattr(event, name, None)
        if value is not None and not (type(value) is int and value in _PLAUSIBLE):
            return f"{name} is {value!r}"
    return None


def wrong_candle(event: Message) -> str | None:
    """Return how a candle contradicts itself."""
    if not isinstance(event, Candle):
        return None
    if event.low > event.high:
        return f"low {event.low}, high {event.high}"
    if event.close_time is not None and event.close_time <= event.open_time:
        return f"open_time {event.open_time}, close_time {event.close_time}"
    return None


def has_float(event: Message) -> dict[str, Any]:
    """Return the fields, by name, that hold a float or a number that is not finite."""
    return {name: value for name, value in attrs.asdict(event, recurse=False).items() if _inexact(value)}


def storable(event: Message) -> bool:
    """Whether the event has no floats and all whole numbers within 64 bits."""
    values = attrs.asdict(event, recurse=False).values()
    return not any(_inexact(value) or (isinstance(value, int) and value.bit_length() > 63) for value in values)


def _inexact(value: object) -> bool:
    if isinstance(value, Decimal):
        return not value.is_finite()
    if isinstance(value, Levels):
        return any(not (isinstance(price, str) and isinstance(amount, str)) for price, amount in value)
    return isinstance(value, float) or (isinstance(value, tuple) and any(map(_inexact, value)))


@cache
def _declared(event_type: str) -> dict[str, Any]:
    kind = _kinds[event_type]
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in attrs.fields(kind)}


def _is_of(value: object, wanted: Any) -> bool:
    if get_origin(wanted) in (Union, types.UnionType):
        return any(_is_of(value, one) for one in get_args(wanted))
    if get_origin(wanted) is Literal:
        return value in get_args(wanted)
    if get_origin(wanted) is tuple:
        return isinstance(value, tuple) and len(value) == len(get_args(wanted))
    # True is an int to isinstance, and no number to anybody else.
    return isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
