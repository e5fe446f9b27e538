"""The load server: one exchange on loopback, in a process of its own, that sends what it is told to and counts it.

    .venv/bin/python -m benchmarks.suite.load --check     messages/s to a reader that does nothing

Commands come as JSON lines on standard input, answers go to standard output:
`{"send": N, "rate": R}` sends N messages, R a second or (0) as fast as they
are read; `{"status": 1}` says how many streams are subscribed.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import re
import socket
import sys
import time
from typing import Any

from .answers import answer, book_start
from .feeds import EXCHANGES, Block, Load, Stream, text_frame

_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TICK_S = 0.001
# So much lies ready in the kernel, which keeps a reader busy while the next block is made.
_BUFFER = 4 * 2**20
_MS = 1_000_000


class Peer(asyncio.Protocol):
    """One connection: HTTP until it is upgraded, then a WebSocket whose control messages are answered."""

    def __init__(self, server: "Server") -> None:
        """Belong to the server."""
        self._server = server
        self._input = bytearray()
        self._open = False
        self.chosen: set[Stream] = set()
        self._block: Block | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # A block's bytes are written over for the next, so all of it has to be with the kernel first.
        transport.set_write_buffer_limits(0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._server.peers.discard(self)
        self.writable.set()

    def pause_writing(self) -> None:
        """Hold the sender."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let the sender go on."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Answer requests and control messages."""
        self._input += data
        while (self._frame if self._open else self._request)():
            pass

    def _request(self) -> bool:
        head, separator, rest = bytes(self._input).partition(b"\r\n\r\n")
        if not separator:
            return False
        self._input = bytearray(rest)
        target = head.split(b" ", 2)[1].decode()
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
        if key is None:
            body = answer(self._server.load, target, self._server.issued)
            status, text = ("404 Not Found", "{}") if body is None else ("200 OK", body)
            answered = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            self._transport.write((answered + text).encode())
            return True
        accept = base64.b64encode(hashlib.sha1(key[1] + _KEY).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._open = True
        self._server.peers.add(self)
        self._choose(target.partition("streams=")[2].split("/"))
        return True

    def _frame(self) -> bool:
        """Take one frame of the client, all of which are masked and whole."""
        data = self._input
        if len(data) < 2:
            return False
        size, at = data[1] & 127, 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            if len(data) < 2 + wide:
                return False
            size, at = int.from_bytes(data[2 : 2 + wide]), 2 + wide
        if len(data) < at + 4 + size:
            return False
        mask, masked = data[at : at + 4], data[at + 4 : at + 4 + size]
        payload = bytes(byte ^ mask[place & 3] for place, byte in enumerate(masked))
        kind = data[0] & 15
        del data[: at + 4 + size]
        if kind == 1:
            self._control(payload.decode())
        elif kind == 8:
            self._transport.write(b"\x88" + bytes([len(payload)]) + payload)
            self._transport.close()
        elif kind == 9:
            self._transport.write(b"\x8a" + bytes([len(payload)]) + payload)
        return True

    def _control(self, text: str) -> None:
        if text == "ping":
            self._say("pong")
            return
        message = json.loads(text)
        if "op" in message:
            for argument in message["args"]:
                named = {"id": message["id"]} if "id" in message else {}
                self._say(json.dumps({**named, "event": message["op"], "arg": argument, "connId": "b0000001"}))
            self._choose(f"{argument['channel']}:{argument.get('instId')}" for argument in message["args"])
        else:
            result = [self._server.load.exchange.topic(stream) for stream in self.chosen]
            asked = message["method"] == "LIST_SUBSCRIPTIONS"
            self._say(json.dumps({"result": result if asked else None, "id": message["id"]}))
            self._choose(message.get("params", []) if message["method"] == "SUBSCRIBE" else [])

    def _choose(self, topics: Any) -> None:
        load = self._server.load
        new = [load.by_topic[topic] for topic in topics if topic in load.by_topic]
        if not new:
            return
        self.chosen.update(new)
        self._block = load.pick(self.chosen)
        for stream in new:
            if stream.kind == "depth" and load.exchange.name == "okx":
                self._say(book_start(load, stream, self._server.issued))

    def _say(self, text: str) -> None:
        self._transport.write(text_frame(text.encode()))

    def push(self, number: int, first: int, last: int) -> None:
        """Send the frames of block `number` from the first to before the last, as far as they are this peer's."""
        block = self._block
        if block is None or block.ends[first] == block.ends[last]:
            return
        if block.number != number:
            block.render(number, time.time_ns() // _MS)
        self._transport.write(memoryview(block.bytes)[block.ends[first] : block.ends[last]])


class Server:
    """Counts what is issued; every peer gets its part of it."""

    def __init__(self, load: Load) -> None:
        """Serve this load."""
        self.load = load
        self.issued = 0
        self.peers: set[Peer] = set()

    @property
    def subscribed(self) -> int:
        """How many streams are subscribed."""
        return sum(len(peer.chosen) for peer in self.peers)

    async def send(self, count: int, rate: float) -> dict[str, float]:
        """Send so many messages; return how long it took and how much CPU."""
        began, cpu, target = time.monotonic(), time.process_time(), self.issued + count
        first = self.issued
        while self.issued < target and self.peers:
            due = target
            if rate:
                due = min(target, first + int((time.monotonic() - began) * rate))
                if due == self.issued:
                    await asyncio.sleep(_TICK_S)
                    continue
            number, place = divmod(self.issued, self.load.block)
            end = min(self.load.block, place + due - self.issued)
            for peer in [peer for peer in self.peers if peer.chosen]:
                peer.push(number, place, end)
            self.issued += end - place
            for peer in list(self.peers):
                await peer.writable.wait()
            await asyncio.sleep(0)
        return {"issued": self.issued, "took_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}


async def serve(load: Load) -> None:
    """Serve until standard input ends."""
    loop, server = asyncio.get_running_loop(), Server(load)
    listening = await loop.create_server(lambda: Peer(server), "127.0.0.1", 0)
    _tell({"port": listening.sockets[0].getsockname()[1]})
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        asked = json.loads(line)
        if "send" in asked:
            _tell(await server.send(asked["send"], asked.get("rate", 0)))
        else:
            _tell({"subscribed": server.subscribed, "issued": server.issued})


def _tell(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


async def check(exchange: str, load: str, messages: int) -> float:
    """Return messages/s from a server in a process of its own to a reader that only counts bytes."""
    from .process import LoadServer

    async with LoadServer(exchange, load) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**22)
        topics = "/".join(server.topics)
        writer.write(f"GET /stream?streams={topics} HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")

        async def discard() -> None:
            while await reader.read(2**20):
                pass

        reading = asyncio.create_task(discard())
        told = await server.send(messages)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        writer.close()
        return messages / told["took_s"]


def main() -> None:
    """Serve, or check how fast that is."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--exchange", choices=EXCHANGES, default="binance")
    options.add_argument("--load", default="trade", help="trade, depth or mixed")
    options.add_argument("--streams", type=int, default=1, help="how many symbols; a mixture has its own")
    options.add_argument("--check", action="store_true", help="print messages/s to a reader that does nothing")
    given = options.parse_args()
    if given.check:
        for load in ("trade", "mixed", "depth"):
            rate = asyncio.run(check(given.exchange, load, 1_000_000))
            print(f"{given.exchange} {load}: {rate:,.0f} messages/s to a reader that does nothing")
        return
    asyncio.run(serve(Load(EXCHANGES[given.exchange], given.load, given.streams)))


if __name__ == "__main__":
    main()
