"""Binance's time."""

from jrr_core.frame import Frame
from jrr_core.wire import Struct, decoder


class _Time(Struct):
    serverTime: int  # noqa: N815 - the exchange's name


_read = decoder(_Time)


def server_time(frame: Frame) -> int:
    """Return the exchange's time (int ns UTC); raises ParseError.

    `{"serverTime":1499827319559}` of /time.
    """
    return _read(frame.payload).serverTime * 1_000_000
