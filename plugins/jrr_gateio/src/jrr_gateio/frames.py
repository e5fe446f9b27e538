"""What all of Gate's frames and numbers have in common.

Spot writes numbers as text. Futures write prices as text and sizes as text or
as numbers, whichever the header asked for; both are read digit for digit. Times
are s, ms, or "ms.fraction". Every function raises ParseError for what it cannot be.
"""

from typing import Annotated

from jrr_core.errors import ParseError
from jrr_core.exact import decimal
from jrr_core.wire import Meta, Raw, Struct, decoder

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MOST_INT = 2**63 - 1
# What the 64-bit integers of stores can hold; times are stored in ns.
Number = Annotated[int, Meta(ge=0, le=MOST_INT)]
Millis = Annotated[int, Meta(ge=0, le=MOST_INT // NS_PER_MS)]
Seconds = Annotated[int, Meta(ge=0, le=MOST_INT // NS_PER_S)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Error(Struct):
    """`{"code":2,"message":"unknown currency pair FOO_USDT"}`."""

    code: int | None = None
    message: str | None = None


class Push(Struct):
    """Any frame of Gate's.

    `{"time":1682689046,"time_ms":1682689046133,"channel":"spot.trades","event":"update","result":{..}}`, or an answer
    with `id`, `event` "subscribe" and `error` or `{"status":"success"}`
    """

    channel: str
    event: str | None = None
    time: Number | None = None
    time_ms: Millis | None = None
    id: int | None = None
    error: Error | None = None
    result: Raw = Raw()


push = decoder(Push, ("conn_id", "payload", "trace_id", "time"))


def text_of(raw: Raw) -> str:
    """Return a number as it was written, with or without quotes; "" for null and for what was not sent."""
    try:
        text = bytes(raw).decode("ascii")
    except UnicodeDecodeError:
        raise ParseError("a number in letters outside ASCII") from None
    if text == "null":
        return ""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def moment(raw: Raw) -> int | None:
    """Return a time of ms, with or without a fraction, as ns; None where none was sent."""
    text = text_of(raw)
    if not text:
        return None
    ns = int(decimal(text) * NS_PER_MS)
    if not 0 <= ns <= MOST_INT:
        raise ParseError(f"not a time in ms: {text[:40]!r}")
    return ns


def one_or_many(raw: Raw) -> bytes:
    """Return a result as an array: spot sends one row, futures arrays, an old version arrays within arrays."""
    text = bytes(raw)
    if text[:2] == b"[[" and text[-2:] == b"]]":
        return text[1:-1]
    return text if text[:1] == b"[" else b"[" + text + b"]"


def seconds(text: str) -> int:
    """Return a time in whole seconds as ns; raises ParseError for anything but digits."""
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > MOST_INT // NS_PER_S:
        raise ParseError(f"not a time in s: {text[:40]!r}")
    return int(text) * NS_PER_S
