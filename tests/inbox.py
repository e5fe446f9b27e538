"""A socket's messages one by one, for tests that would rather ask than be told."""

import asyncio

from jrr_core.transport import Socket


class Inbox:
    """What a socket delivers, from now on."""

    def __init__(self, socket: Socket) -> None:
        """Begin to deliver."""
        self.times: list[int] = []
        self._messages: asyncio.Queue[bytes] = asyncio.Queue()
        self._ended = asyncio.ensure_future(socket.deliver(self._take))

    def _take(self, payload: bytes, ts_recv: int) -> None:
        self.times.append(ts_recv)
        self._messages.put_nowait(payload)

    async def next(self) -> bytes:
        """Return the next message; raises what the delivery ended with, once all are returned."""
        message = asyncio.ensure_future(self._messages.get())
        await asyncio.wait((message, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if not message.done():
            message.cancel()
            self._ended.result()
        return message.result()
