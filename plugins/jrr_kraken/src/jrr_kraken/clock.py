"""Kraken's time."""

from jrr_core.frame import Frame
from jrr_core.wire import Struct, decoder


class _Result(Struct):
    unixtime: int


class _Time(Struct):
    result: _Result


_read = decoder(_Time)


def server_time(frame: Frame) -> int:
    """Return the exchange's time (int ns UTC); raises ParseError.

    `{"result":{"unixtime":1616336594}}` of /0/public/Time, whole seconds, so the middle of one.
    """
    return _read(frame.payload).result.unixtime * 1_000_000_000 + 500_000_000
