"""OKX's time."""

from jrr_core.frame import Frame
from jrr_core.wire import Struct, decoder

from .messages import whole


class _Row(Struct):
    ts: str


class _Time(Struct):
    data: tuple[_Row]


_read = decoder(_Time)


def server_time(frame: Frame) -> int:
    """Return the exchange's time (int ns UTC); raises ParseError.

    `{"code":"0","data":[{"ts":"1597026383085"}]}` of /api/v5/public/time.
    """
    return whole(_read(frame.payload).data[0].ts) * 1_000_000
