"""Bytes of a WebSocket to messages: what is plain at once, all else through the library's state machine.

Plain is a whole, unmasked text or binary frame within the limit and outside of
a fragmented message: all that exchanges send but for pings and closes. Every
other frame is handed to the library byte for byte. The library thus sees whole
frames only, so that whenever it is between two of them, so is this reader;
once the connection is closing it gets all there is. Pure: knows no socket.
"""

from collections.abc import Callable

from websockets.frames import DATA_OPCODES, OP_PONG, Frame, Opcode
from websockets.protocol import OPEN, Protocol

from .socket import Take

# Text and binary, whole.
_PLAIN = (0x81, 0x82)
_OPCODES = frozenset(Opcode)


class Reader:
    """Reads for one connection whose handshake is done."""

    __slots__ = ("_lent", "_library", "_max_bytes", "_needed", "_parts", "_pong", "_rest")

    def __init__(self, library: Protocol, max_bytes: int, pong: Callable[[bytes], object]) -> None:
        """Messages beyond `max_bytes`, as `library` has it too, fail the connection; `pong` is told of each pong."""
        self._library = library
        self._max_bytes = max_bytes
        self._pong = pong
        self._rest = bytearray()
        """The beginning of a frame that is not whole yet."""
        self._needed = 0
        """How many bytes `_rest` needs at least for anything to come of it."""
        self._lent: int | None = 0
        """How many bytes of its frame the library still lacks; None once it gets everything."""
        self._parts: list[bytes] = []
        """Of a fragmented message, what came so far."""

    def read(self, data: bytes, take: Take, ts_recv: int) -> None:
        """Give `take` the messages that `data` completes, as received from `ts_recv` on; raises what it raises."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._needed:
                return
            data = bytes(rest)
            rest.clear()
        at, end, max_bytes, needed = 0, len(data), self._max_bytes, 0
        try:
            while at < end:
                if self._lent != 0:
                    at = self._lend(data, at)
                    for event in self._library.events_received():
                        if isinstance(event, Frame):
                            self._heed(event, take, ts_recv)
                            ts_recv += 1
                    continue
                start = at + 2
                if start > end:
                    needed = 2
                    break
                first, size = data[at], data[at + 1]
                if size >= 126:
                    start = at + (4 if size == 126 else 10)
                    if start > end or size > 127:
                        if size > 127 or first & 0x0F not in _OPCODES:
                            # Masked or unknown: the library fails the connection.
                            self._lent = None
                            continue
                        needed = start - at
                        break
                    size = int.from_bytes(data[at + 2 : start])
                if first in _PLAIN and size <= max_bytes and not self._parts:
                    stop = start + size
                    if stop > end:
                        needed = stop - at
                        break
                    at = stop
                    take(data[start:stop], ts_recv)
                    ts_recv += 1
                else:
                    self._lent = start + size - at
        finally:
            if at < end:
                rest += data[at:]
            self._needed = needed

    def _lend(self, data: bytes, at: int) -> int:
        """Let the library have its frame from `at` on, as far as it is there; return where that ends."""
        library = self._library
        stop = len(data) if self._lent is None else min(len(data), at + self._lent)
        library.receive_data(data[at:stop])
        if self._lent is not None:
            self._lent -= stop - at
        if library.state is not OPEN:
            self._lent = None
        return stop

    def _heed(self, frame: Frame, take: Take, ts_recv: int) -> None:
        if frame.opcode in DATA_OPCODES:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                whole = b"".join(self._parts)
                self._parts.clear()
                take(whole, ts_recv)
        elif frame.opcode is OP_PONG:
            self._pong(bytes(frame.data))
