"""A TCP relay in front of a server, whose line a test can cut, hush, slow down or refuse.

It runs in a thread of its own, so that it works for whatever the test does: block, run an event
loop, or wait for another process.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self
from urllib.parse import urlsplit

from .server import free_port

_CALL_S = 10.0
# SO_LINGER on and zero seconds: closing resets the connection instead of ending it.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Relays connections to the server of `dsn`; `address` is the same DSN through the proxy."""

    def __init__(self, dsn: str) -> None:
        self.lead_to(dsn)
        self.port = free_port()
        parts = urlsplit(dsn)
        account, at, _ = parts.netloc.rpartition("@")
        self.address = parts._replace(netloc=f"{account}{at}127.0.0.1:{self.port}").geturl()
        self.delay_s = 0.0
        """How long each piece waits on its way, both ways."""
        self.end_delay_s = 0.0
        """How long the end of a connection waits behind the last the server said on it."""
        self.accepted = 0
        """How many connections came in."""
        self._links: set[_Link] = set()
        self._cut_after: int | None = None
        self._markers: tuple[bytes, ...] = ()
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S)
        self._loop.close()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    def lead_to(self, dsn: str) -> None:
        """Relay new connections to the server of another DSN, as a name does after a failover."""
        parts = urlsplit(dsn)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)

    def accept(self) -> None:
        """Take connections again after `refuse`."""
        self._call(self._listen())

    def refuse(self) -> None:
        """Have new connections refused; those open live on."""
        self._call(self._deafen())

    def cut(self, *, reset: bool = True) -> None:
        """End all connections at both ends, by reset or in order."""
        self._call(self._cut_all(reset))

    def cut_after(self, count: int) -> None:
        """Reset the connection that first brings the server `count` more bytes, with no byte passed beyond them."""
        self._call(self._arm(count))

    def lose_reply_to(self, *markers: bytes) -> None:
        """Let the next requests that hold these, one after another on one connection, reach the server.

        When the answer to the last of them comes, the connection is reset: the client cannot know whether it
        was done, and it was.
        """
        self._call(self._expect(markers))

    def silence(self) -> None:
        """Pass nothing more on open and new connections, yet keep them: a line that died without a word."""
        self._call(self._hush())

    def resume(self) -> None:
        """Pass what `silence` kept, and all that follows."""
        self._call(self._unhush())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_S)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def _deafen(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _cut_all(self, reset: bool) -> None:
        links = list(self._links)
        for link in links:
            link.end(reset)
        await asyncio.gather(*(link.task for link in links), return_exceptions=True)

    async def _arm(self, count: int) -> None:
        self._cut_after = count

    async def _hush(self) -> None:
        self._passing.clear()

    async def _unhush(self) -> None:
        self._passing.set()

    async def _expect(self, markers: tuple[bytes, ...]) -> None:
        self._markers = markers

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        # A task of its own: asyncio takes it amiss when the one it made for a connection is cancelled.
        link = _Link(writer)
        link.task = asyncio.create_task(self._pass_on(link, reader))
        self._links.add(link)
        await asyncio.wait([link.task])
        self._links.discard(link)
        link.close()

    async def _pass_on(self, link: "_Link", reader: asyncio.StreamReader) -> None:
        try:
            server_reader, link.server = await asyncio.open_connection(*self._target)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._requests_of(link, reader, link.server))
                pumps.create_task(self._replies_of(link, server_reader))
        except* OSError:
            link.end(reset=True)

    async def _requests_of(self, link: "_Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._passing.wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            self._look_for_markers(link, data)
            if self._cut_after is not None and self._cut_after < len(data):
                writer.write(data[: self._cut_after])
                self._cut_after = None
                await writer.drain()
                link.end(reset=True)
                return
            if self._cut_after is not None:
                self._cut_after -= len(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    def _look_for_markers(self, link: "_Link", data: bytes) -> None:
        for marker in self._markers[link.markers_seen :]:
            if marker not in data:
                return
            link.markers_seen += 1
            if link.markers_seen == len(self._markers):
                link.last, self._markers = True, ()

    async def _replies_of(self, link: "_Link", reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            await self._passing.wait()
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if link.last:
                link.end(reset=True)
                return
            link.client.write(data)
            await link.client.drain()
        await asyncio.sleep(self.end_delay_s)
        link.client.write_eof()


class _Link:
    """One connection through the proxy: its two sockets and the task between them."""

    task: "asyncio.Task[None]"

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.markers_seen = 0
        self.last = False

    def end(self, reset: bool) -> None:
        if reset and not self.client.is_closing():
            self.client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.task.cancel()

    def close(self) -> None:
        self.client.transport.abort()
        if self.server is not None:
            # What was written to the server still reaches it.
            self.server.close()
