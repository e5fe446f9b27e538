"""Recorded frames with the events they should give: the `frames/*.jsonl` files of an exchange plugin.

One JSON object a line: `{"frame": "<text as received>", "tag": null, "status": 200, "events": [{...}]}`.
`ts_recv` (int ns) may be given; else frames are one millisecond apart. `events`
may be left out; an expected event names its `type` and whichever fields matter.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ..events import Message
from ..frame import Frame
from ..levels import Levels

START = 1_704_067_200_000_000_000
_APART = 1_000_000


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    frame: str
    tag: str | None = None
    status: int = 200
    ts_recv: int | None = None
    events: list[dict[str, Any]] | None = None


class Recorded(msgspec.Struct, frozen=True):
    """One recorded frame, what it should mean (None: not said) and the file and line it stands on."""

    frame: Frame
    events: list[dict[str, Any]] | None
    place: str


def load(path: Path, exchange: str) -> Sequence[Recorded]:
    """Read a frames file; raises ValueError naming the line that is not as described above."""
    recorded = []
    for number, text in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        place = f"{path.name}:{number}"
        try:
            line = msgspec.json.decode(text, type=_Line)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{place}: not a recorded frame: {error}") from None
        received = START + number * _APART if line.ts_recv is None else line.ts_recv
        frame = Frame(exchange, line.frame, received, line.tag, line.status)
        recorded.append(Recorded(frame, line.events, place))
    if not recorded:
        raise ValueError(f"{path}: no frames in it")
    return recorded


def mismatch(expected: Sequence[dict[str, Any]], events: Sequence[Message]) -> str | None:
    """Return how the events differ from what was recorded, None if they do not. Numbers match digit for digit."""
    types = [event.type for event in events]
    if [item.get("type") for item in expected] != types:
        return f"events of types {types} where {[item.get('type') for item in expected]} were recorded"
    for number, (item, event) in enumerate(zip(expected, events, strict=True)):
        for name, wanted in item.items():
            found = _written(getattr(event, name, "no such field"))
            if found != wanted:
                return f"event {number} ({event.type}): {name} is {found!r} where {wanted!r} was recorded"
    return None


def _written(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Levels):
        return [list(pair) for pair in value]
    return list(value) if isinstance(value, tuple) else value
