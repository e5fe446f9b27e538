"""Open interest by REST: no stream carries it, so each symbol is asked for at an interval.

A parser has no clock: the frames of a steady stream (mark price) say when a
poll is due.
"""

from collections.abc import Sequence
from urllib.parse import quote

from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.frame import Frame, HttpGet

from . import messages
from .products import Product

TAG = "open_interest:"
# An answer not here after so many intervals is given up.
_PATIENCE = 10


class Polls:
    """When each symbol was asked for, and when it is due again; times in ns."""

    def __init__(self, product: Product, rest_url: str, interval_s: float) -> None:
        """Start with every symbol due."""
        self._product = product
        self._url = f"{rest_url}{product.api}/openInterest?symbol="
        self._interval_ns = int(interval_s * 1e9)
        self._asked: dict[str, int] = {}
        self._due: dict[str, int] = {}
        self._refused: set[str] = set()

    def request(self, symbol: str, now_ns: int) -> HttpGet | None:
        """Return the GET to make now, None while it is not time."""
        if now_ns < self._due.get(symbol, 0):
            return None
        self._asked[symbol] = now_ns
        self._due[symbol] = now_ns + _PATIENCE * self._interval_ns
        # Weight 1 on both futures products (measured 2026-10-07).
        return HttpGet(self._url + quote(symbol), TAG + symbol, 1, self._product.pool)

    def reply(self, frame: Frame, symbol: str) -> Sequence[Message]:
        """Take an answer; a refusal is a ParseError once per symbol, then silence."""
        if symbol in self._asked:
            self._due[symbol] = self._asked[symbol] + self._interval_ns
        try:
            if frame.status != 200:
                reason = messages.problem(frame.payload)
                raise ParseError(f"{symbol}: no open interest: HTTP {frame.status}: {reason}")
            row = messages.read_open_interest(frame.payload)
            event = messages.open_interest(row, self._product.exchange, frame.ts_recv)
        except ParseError:
            if symbol in self._refused:
                return ()
            self._refused.add(symbol)
            raise
        self._refused.discard(symbol)
        return (event,)
