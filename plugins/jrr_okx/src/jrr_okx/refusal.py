"""What OKX's REST says instead of an answer, most often with HTTP status 200."""

from jrr_core.errors import ParseError
from jrr_core.wire import Struct, decoder


class Refusal(Struct):
    """An answer of REST that is none: `{"code":"51001","msg":"Instrument ID doesn't exist.","data":[]}`."""

    code: str
    msg: str = ""

    def __str__(self) -> str:
        """The code and the exchange's words, as one line."""
        return f"{self.code} {self.msg[:120]}".rstrip()


_read = decoder(Refusal)


def refusal(payload: str | bytes) -> Refusal | None:
    """Return what REST refuses with, None for an answer (`"code":"0"`); raises ParseError for what is neither."""
    read = _read(payload)
    return None if read.code == "0" else read


def refusal_if_any(payload: str | bytes) -> Refusal | None:
    """Return what REST refuses with, None for anything else."""
    try:
        return refusal(payload)
    except ParseError:
        return None
