"""Frames as a bad day delivers them: hypothesis strategies over an author's recorded frames."""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
from hypothesis import strategies as st

from ..frame import Frame

_texts = st.sampled_from(
    ["", " ", "0", "-1", "1e-18", "1e999", "NaN", "Infinity", "abc", "1,2;3", "9" * 40, "\x00", "é"]
) | st.text(max_size=8)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
_REMOVED = object()


def arbitrary(frames: Sequence[Frame]) -> st.SearchStrategy[Frame]:
    """Return frames with the tags and statuses of the recorded ones, or a refusal's, and any payload at all."""
    payload = st.binary(max_size=200) | st.text(max_size=200) | _values.map(msgspec.json.encode)
    status = st.sampled_from([200, 400, 403, 404, 500])
    return st.builds(
        lambda frame, payload, status: attrs.evolve(frame, payload=payload, status=status if frame.tag else 200),
        st.sampled_from(frames),
        payload,
        status,
    )


def truncated(frame: Frame) -> st.SearchStrategy[Frame]:
    """Return the frame cut anywhere."""
    raw = _bytes(frame)
    return st.integers(0, max(0, len(raw) - 1)).map(lambda end: attrs.evolve(frame, payload=raw[:end]))


def bit_flipped(frame: Frame) -> st.SearchStrategy[Frame]:
    """Return the frame with one to three bits turned."""
    raw = _bytes(frame)
    if not raw:
        return st.just(frame)

    def flip(places: list[int]) -> Frame:
        changed = bytearray(raw)
        for place in places:
            changed[place // 8] ^= 1 << place % 8
        return attrs.evolve(frame, payload=bytes(changed))

    return st.lists(st.integers(0, 8 * len(raw) - 1), min_size=1, max_size=3).map(flip)


def value_replaced(frame: Frame) -> st.SearchStrategy[Frame]:
    """Return the frame with one value of its JSON, however deep, replaced or removed; cut if it is not JSON."""
    try:
        whole = msgspec.json.decode(frame.payload)
    except msgspec.DecodeError:
        return truncated(frame)
    paths = list(_paths(whole, ()))
    texts = [path for path in paths if isinstance(_at(whole, path), str)] or paths

    def replace(path: tuple[Any, ...], value: Any) -> Frame:
        if not path:
            changed = None if value is _REMOVED else value
        else:
            changed = msgspec.json.decode(frame.payload)
            place = _at(changed, path[:-1])
            if value is _REMOVED:
                del place[path[-1]]
            else:
                place[path[-1]] = value
        return attrs.evolve(frame, payload=msgspec.json.encode(changed))

    # A text for a text passes a typed decode; half of the frames try what is checked behind it.
    return st.builds(replace, st.sampled_from(texts), _texts) | st.builds(
        replace, st.sampled_from(paths), _values | st.just(_REMOVED)
    )


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _paths(value: Any, path: tuple[Any, ...]) -> Any:
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _paths(inner, (*path, step))


def _bytes(frame: Frame) -> bytes:
    return frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
