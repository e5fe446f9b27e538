"""Bybit's time."""

from jrr_core.errors import ParseError
from jrr_core.frame import Frame
from jrr_core.wire import Struct, decoder


class _Result(Struct):
    timeNano: str  # noqa: N815 - the exchange's name


class _Time(Struct):
    result: _Result


_read = decoder(_Time)


def server_time(frame: Frame) -> int:
    """Return the exchange's time (int ns UTC); raises ParseError.

    `{"result":{"timeSecond":"1688639403","timeNano":"1688639403423213947"}}` of /v5/market/time.
    """
    text = _read(frame.payload).result.timeNano
    if not text.isascii() or not text.isdigit():
        raise ParseError(f"timeNano is no number: {text[:40]!r}")
    return int(text)
