"""Gate's time."""

from jrr_core.frame import Frame
from jrr_core.wire import Struct, decoder


class _Time(Struct):
    server_time: int


_read = decoder(_Time)


def server_time(frame: Frame) -> int:
    """Return the exchange's time (int ns UTC); raises ParseError.

    `{"server_time":1597026383085}` of /api/v4/spot/time.
    """
    return _read(frame.payload).server_time * 1_000_000
