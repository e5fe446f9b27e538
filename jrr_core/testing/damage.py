"""Frames as a bad day delivers them, made of an author's recorded frames.

Each kind of damage is a function of frames and a seeded Random; the strategies
draw only the seed, which costs a tenth of drawing every choice. The same seed
gives the same damage.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from ..frame import Frame

Damage = Callable[[Frame, Random], Frame]

_TEXTS = ("", " ", "0", "-1", "1e-18", "1e999", "NaN", "Infinity", "abc", "1,2;3", "9" * 40, "\x00", "é")
_STATUSES = (200, 400, 403, 404, 500)
_MOST_BYTES = 200
_MANY = 200_000
MONSTERS = (
    b"[" * _MANY + b"]" * _MANY, b'{"a":' * _MANY + b"1" + b"}" * _MANY, b"[" * _MANY,
    b"1e999999999", b'"1e999999999"', b'"1e-999999999"', b"1" * _MANY, b'"' + b"1" * _MANY + b'"',
    b'"0.' + b"1" * _MANY + b'"', b"-0." + b"1" * _MANY, b'[["' + b"1" * _MANY + b'","1"]]', b'"' + b"x" * _MANY + b'"',
)  # fmt: skip
"""JSON that is too deep, too long, or a number that no store can hold."""
_HERE = "a monster stands here"


def seeded(make: Callable[[Random], Any]) -> st.SearchStrategy[Any]:
    """Return a strategy of what `make` gives for seeds."""
    return st.integers(0, 2**62).map(lambda seed: make(Random(seed)))


def arbitrary(frames: Sequence[Frame]) -> st.SearchStrategy[Frame]:
    """Return frames with the tags and statuses of the recorded ones, or a refusal's, and any payload at all."""
    return seeded(lambda random: noise(random.choice(frames), random))


def truncated(frame: Frame) -> st.SearchStrategy[Frame]:
    """Return the frame cut anywhere."""
    return seeded(lambda random: cut(frame, random))


def bit_flipped(frame: Frame) -> st.SearchStrategy[Frame]:
    """Return the frame with one to three bits turned."""
    return seeded(lambda random: flip(frame, random))


def value_replaced(frame: Frame) -> st.SearchStrategy[Frame]:
    """Return the frame with one value of its JSON, however deep, replaced or removed; cut if it is not JSON."""
    return seeded(lambda random: replace_value(frame, random))


def noise(frame: Frame, random: Random) -> Frame:
    """Return any payload under the frame's tag, with any status where it has one."""
    status = random.choice(_STATUSES) if frame.tag else 200
    payload: str | bytes
    match random.randrange(3):
        case 0:
            payload = random.randbytes(random.randint(0, _MOST_BYTES))
        case 1:
            payload = _text(random, _MOST_BYTES)
        case _:
            payload = msgspec.json.encode(_value(random))
    return msgspec.structs.replace(frame, payload=payload, status=status)


def cut(frame: Frame, random: Random) -> Frame:
    """Return the frame cut anywhere."""
    raw = _bytes(frame)
    return msgspec.structs.replace(frame, payload=raw[: random.randrange(max(1, len(raw)))])


def flip(frame: Frame, random: Random) -> Frame:
    """Return the frame with one to three bits turned."""
    changed = bytearray(_bytes(frame))
    if not changed:
        return frame
    for _ in range(random.randint(1, 3)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return msgspec.structs.replace(frame, payload=bytes(changed))


def replace_value(frame: Frame, random: Random) -> Frame:
    """Return the frame with one value of its JSON replaced or removed; cut if it is not JSON."""
    try:
        whole = msgspec.json.decode(frame.payload)
    except msgspec.DecodeError:
        return cut(frame, random)
    places = list(_places(whole))
    if not places or random.random() < 1 / (1 + len(places)):
        return msgspec.structs.replace(frame, payload=msgspec.json.encode(_value(random)))
    holder, key = random.choice(places)
    value = holder[key]
    # A value of the same kind passes a typed decode; half of the frames try what is checked behind it.
    alike = random.random() < 0.5
    if alike and isinstance(value, str):
        holder[key] = _short_text(random)
    elif alike and type(value) is int:
        holder[key] = _integer(random)
    elif random.random() < 0.2:
        del holder[key]
    else:
        holder[key] = _value(random)
    return msgspec.structs.replace(frame, payload=msgspec.json.encode(whole))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Return (holder, key) of every value inside, however deep."""
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _value(random: Random, depth: int = 2) -> Any:
    match random.randrange(7 if depth else 5):
        case 0:
            return random.choice((None, True, False))
        case 1:
            return _integer(random)
        case 2:
            return random.choice((0.0, -0.5, 1e308, random.uniform(-1e6, 1e6), random.expovariate(1)))
        case 3 | 4:
            return _short_text(random)
        case 5:
            return [_value(random, depth - 1) for _ in range(random.randint(0, 3))]
        case _:
            return {_text(random, 3): _value(random, depth - 1) for _ in range(random.randint(0, 3))}


def _integer(random: Random) -> int:
    return random.choice((0, 1, -1, 2**53, 2**63 - 1, 2**63, -(2**63), random.randint(-(2**63), 2**64 - 1)))


def _short_text(random: Random) -> str:
    return random.choice(_TEXTS) if random.random() < 0.7 else _text(random, 8)


def _text(random: Random, most: int) -> str:
    """Return characters of all planes, half of them ASCII; no surrogates, which UTF-8 cannot write."""
    points = [
        random.randrange(128) if random.random() < 0.5 else random.randrange(0xE000, 0x11_0000)
        for _ in range(random.randint(0, most))
    ]
    return "".join(map(chr, points))


def outgrown(frame: Frame) -> Iterator[Frame]:
    """Yield the frame with one whole number of its JSON after another replaced by one that 64 bits do not hold."""
    try:
        whole = msgspec.json.decode(frame.payload)
    except msgspec.DecodeError:
        return
    for holder, key in list(_places(whole)):
        value = holder[key]
        if type(value) is int:
            holder[key] = 2**63
            yield msgspec.structs.replace(frame, payload=msgspec.json.encode(whole))
            holder[key] = value


def monstrous(frame: Frame, random: Random) -> Iterator[Frame]:
    """Yield the frame with one value of its JSON, another each time, replaced by one that no exchange would write."""
    try:
        whole = msgspec.json.decode(frame.payload)
    except msgspec.DecodeError:
        return
    places = list(_places(whole))
    for monster in MONSTERS if places else ():
        holder, key = random.choice(places)
        value, holder[key] = holder[key], _HERE
        payload = msgspec.json.encode(whole).replace(msgspec.json.encode(_HERE), monster)
        holder[key] = value
        yield msgspec.structs.replace(frame, payload=payload)


def _bytes(frame: Frame) -> bytes:
    return frame.payload.encode() if isinstance(frame.payload, str) else frame.payload
