"""Faults the simulator's server can do to any exchange: only what TCP and a real exchange can produce.

Times count from the opening of a connection, chances are per frame of market
data; answers to what the client sent are left alone. Events on frames that a
fault withholds stand in the truth: the exchange sent them, the client must
notice that they did not come. A connection that a fault has broken stays broken
when the faults end.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from random import Random
from typing import Literal

from attrs import define

from ..errors import ConfigError
from .script import Bounds, Script, fault_number

CORE_FAULTS: Mapping[str, str] = {
    "reset": "Seconds after which each connection is cut by a TCP reset.",
    "silence": "Seconds after which each connection goes half-open: nothing more is sent or read, nothing is closed.",
    "close": "Seconds after which each connection is closed politely, by a close frame.",
    "close_code": "Code of that close frame, 1001 if not given.",
    "every": "Resets, silence and closes strike only one connection in so many, the first to begin with.",
    "refuse": "Seconds during which connections are refused, from the start and after each reset or close.",
    "drop": "Chance that a frame is not sent.",
    "duplicate": "Chance that a frame is sent twice.",
    "reorder": "Chance that a frame is sent one to three frames late, within what is sent at once.",
    "garbage": "Chance that a broken frame is sent before a good one.",
    "rest_503": "Chance that an HTTP request is answered 503.",
    "listed": "SYMBOL@SECONDS: a symbol that is not listed before then; several with commas.",
    "delisted": "SYMBOL@SECONDS: a symbol that is listed no more from then on; several with commas.",
    "until": "Seconds after the start at which all faults end, the exchange's own too.",
}
# What random mixes draw from: bounds that leave enough alive to tell something of the rest.
PLAUSIBLE: Mapping[str, Bounds] = {
    "reset": (1.0, 6.0),
    "silence": (1.0, 6.0),
    "close": (1.0, 6.0),
    "refuse": (0.5, 3.0),
    "drop": (0.0005, 0.01),
    "duplicate": (0.001, 0.05),
    "reorder": (0.001, 0.05),
    "garbage": (0.0005, 0.01),
    "rest_503": (0.05, 0.3),
}
# How many faults a random mix has.
_FEWEST, _MOST = 2, 4
# Codes a server may close with (RFC 6455 section 7.4; IANA's registry).
_CLOSE_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


@define(frozen=True)
class LineFaults:
    """The core-wide faults that are on; times in seconds, None where off."""

    reset_s: float | None = None
    silence_s: float | None = None
    close_s: float | None = None
    close_code: int = 1001
    every: int = 1
    until_s: float | None = None
    refuse_s: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    garbage: float = 0.0
    rest_503: float = 0.0

    @classmethod
    def of(cls, faults: Mapping[str, str]) -> "LineFaults":
        """Read the core-wide ones among `faults`; raises ConfigError for a value that cannot be."""
        chances = {}
        for name in ("drop", "duplicate", "reorder", "garbage", "rest_503"):
            chances[name] = fault_number(faults, name) or 0.0
            if chances[name] > 1:
                raise ConfigError(f"fault {name}={faults[name]} needs a chance between 0 and 1")
        close_code = int(fault_number(faults, "close_code", int) or cls().close_code)
        if close_code not in _CLOSE_CODES:
            raise ConfigError(
                f"fault close_code={close_code} needs a code a server may close with, such as 1001 or 1012"
            )
        return cls(
            fault_number(faults, "reset"),
            fault_number(faults, "silence"),
            fault_number(faults, "close"),
            close_code,
            max(1, int(fault_number(faults, "every", int) or 1)),
            fault_number(faults, "until"),
            fault_number(faults, "refuse") or 0.0,
            **chances,
        )

    def due(self, age_s: float, number: int) -> Literal["silence", "reset", "close"] | None:
        """Return what befalls the connection of that age that was opened as the `number`-th, counted from 0."""
        if number % self.every:
            return None
        if self.silence_s is not None and age_s >= self.silence_s:
            return "silence"
        if self.reset_s is not None and age_s >= self.reset_s:
            return "reset"
        return "close" if self.close_s is not None and age_s >= self.close_s else None

    @property
    def touches_frames(self) -> bool:
        """Whether any fault changes what is sent."""
        return bool(self.drop or self.duplicate or self.reorder or self.garbage)

    def disturb(self, frames: list[bytes], random: Random) -> list[bytes]:
        """Return the encoded frames as a bad day would deliver them."""
        sent: list[bytes] = []
        held: bytes | None = None
        late = 0
        for frame in frames:
            if self.garbage and random.random() < self.garbage:
                sent.append(broken_frame(frame, random))
            if self.drop and random.random() < self.drop:
                continue
            if held is None and self.reorder and random.random() < self.reorder:
                held, late = frame, 1 + int(random.random() * 3)
                continue
            sent.append(frame)
            late -= 1
            if held is not None and late == 0:
                sent.append(held)
                held = None
            if self.duplicate and random.random() < self.duplicate:
                sent.append(frame)
        if held is not None:
            sent.append(held)
        return sent


def random_mix(random: Random, *scripts: type[Script]) -> dict[str, str]:
    """Return some faults with plausible values: of any exchange's, and of those that all the `scripts` have."""
    bounds = dict(PLAUSIBLE)
    if scripts:
        own = [getattr(script, "plausible", {}) for script in scripts]
        bounds |= {name: found for name, found in own[0].items() if all(name in others for others in own)}
    names = random.sample(sorted(bounds), _FEWEST + int(random.random() * (_MOST - _FEWEST + 1)))
    return {name: _drawn(random, *bounds[name]) for name in names}


def _drawn(random: Random, low: float, high: float) -> str:
    if isinstance(low, int) and isinstance(high, int):
        return str(random.randint(low, high))
    return f"{random.uniform(low, high):.4g}"


def listing_changes(faults: Mapping[str, str], symbols: Collection[str]) -> list[tuple[float, str, bool]]:
    """Return when (seconds after the start) which symbol is listed (True) or delisted, in order; raises ConfigError."""
    found = []
    for name in ("listed", "delisted"):
        for part in filter(None, faults.get(name, "").split(",")):
            symbol, _, seconds = part.partition("@")
            if symbol not in symbols or not seconds.replace(".", "", 1).isdecimal():
                raise ConfigError(f"fault {name}={part} needs SYMBOL@SECONDS; symbols: {', '.join(symbols)}")
            found.append((float(seconds), symbol, name == "listed"))
    return sorted(found)


def split_faults(faults: Mapping[str, str], own: Mapping[str, str], exchange: str) -> dict[str, str]:
    """Return the faults that are the script's own; raises ConfigError for a name neither side knows."""
    for name in faults:
        if name not in own and name not in CORE_FAULTS:
            near = get_close_matches(name, [*own, *CORE_FAULTS], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            have = ", ".join(sorted([*own, *CORE_FAULTS]))
            raise ConfigError(f"the {exchange} simulator has no fault {name!r}{hint or '.'} It has: {have}")
    return {name: value for name, value in faults.items() if name in own}


def text_frame(payload: bytes, opcode: int = 1) -> bytes:
    """Return an unfragmented WebSocket frame as a server sends it (RFC 6455 section 5.2): unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def broken_frame(frame: bytes, random: Random) -> bytes:
    """Return a frame no parser can take for data: cut short, not JSON, not what was promised, or binary."""
    header = 2 if frame[1] < 126 else 4 if frame[1] == 126 else 10
    payload = frame[header:]
    kinds = (payload[: len(payload) // 2], b"<html>502 Bad Gateway</html>", b"", b'{"unheard":"of"}', b'[1,2,"x"]')
    if random.random() < 0.2:
        return text_frame(random.randbytes(40), opcode=2)
    # Half of a JSON text in UTF-8 may end inside a character, which a client must refuse by closing: cut before it.
    kind = kinds[int(random.random() * len(kinds))].decode("utf-8", "ignore").encode()
    return text_frame(kind)
