"""What all WebSockets here share: when they read, whom they deliver to, how they end; the library is the subclass's."""

import asyncio
import contextlib
import os

from .socket import CLOSE_S, ConnectionLost, Take

# One read; what brought so many bytes has more of them.
READ_BYTES = 64 * 1024


class Connection:
    """One connection over an asyncio transport; with a library, and its handshake done, a `Socket`."""

    def __init__(self) -> None:
        """Begin without a transport; whoever connects sets it."""
        self._transport: asyncio.Transport
        self._take: Take | None = None
        self._failed: Exception | None = None
        """What `take` raised."""
        self._lost: str | None = None
        """How the connection ended, once it has."""
        self._over = asyncio.Event()
        """Nothing more will be delivered: it ended, or `take` raised."""
        self._gone = asyncio.Event()
        self._pongs: dict[bytes, asyncio.Event] = {}
        self._writable = asyncio.Event()
        self._writable.set()
        self._pausing = False

    def _catch_up(self) -> None:
        """Read what came while nothing was delivered."""
        raise NotImplementedError

    def _say(self, text: str) -> None:
        """Send a text message."""
        raise NotImplementedError

    def _say_ping(self, mark: bytes) -> None:
        """Send a ping."""
        raise NotImplementedError

    def _say_close(self) -> None:
        """Begin to close."""
        raise NotImplementedError

    async def deliver(self, take: Take) -> None:
        """Hand every message to `take`; see `Socket`."""
        self._take = take
        try:
            self._catch_up()
            self._choose_reading()
            await self._over.wait()
        finally:
            self._take = None
            self._choose_reading()
        if self._failed is not None:
            raise self._failed
        self._must_be_open()

    async def send(self, text: str) -> None:
        """Send a text message; raises ConnectionLost."""
        self._must_be_open()
        self._say(text)
        await self._writable.wait()
        self._must_be_open()

    async def ping(self) -> None:
        """Send a ping and return when its pong came; raises ConnectionLost."""
        self._must_be_open()
        mark, ponged = os.urandom(4), asyncio.Event()
        self._pongs[mark] = ponged
        self._say_ping(mark)
        try:
            await ponged.wait()
        finally:
            del self._pongs[mark]
        self._must_be_open()

    async def close(self) -> None:
        """Close politely, for at most a second, then cut."""
        if self._lost is None:
            self._say_close()
        try:
            self._catch_up()
            self._choose_reading()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._gone.wait()
        finally:
            self.cut()

    def cut(self) -> None:
        """Close without a word."""
        self._transport.abort()

    def pause_writing(self) -> None:
        """Read no further from a peer that does not read: it may be asking for pongs without end."""
        self._writable.clear()
        self._choose_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()
        self._choose_reading()

    def _pong(self, mark: bytes) -> None:
        ponged = self._pongs.get(mark)
        if ponged is not None:
            ponged.set()

    def _fail(self, error: Exception) -> None:
        """Deliver no further, since `take` raised."""
        self._failed, self._take = error, None
        self._over.set()
        self._choose_reading()

    def _end(self, how: str) -> None:
        """Note that the connection is over, if it was not."""
        if self._lost is None:
            self._lost = how
            self._over.set()
            self._writable.set()
            for ponged in self._pongs.values():
                ponged.set()
            self._choose_reading()

    def _must_be_open(self) -> None:
        if self._lost is not None:
            raise ConnectionLost(self._lost)

    def _choose_reading(self) -> None:
        """Read while something is delivered, or the connection closes."""
        if self._transport.is_closing():
            return
        wanted = self._lost is not None or (self._take is not None and self._writable.is_set())
        if wanted and not self._pausing:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _pause(self) -> None:
        """Let other tasks run before the next read; without it uvloop reads on while there is anything to read."""
        self._pausing = True
        self._choose_reading()
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._pausing = False
        self._choose_reading()
