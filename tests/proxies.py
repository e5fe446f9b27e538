"""Proxies on loopback for tests: one that takes CONNECT, one that speaks SOCKS5; both look every name up as loopback.

So a host that does not exist, `exchange.test`, is reached through them and in
no other way.
"""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from urllib.parse import quote

from attrs import define, field

# Reserved for tests, never in the DNS: RFC 6761.
NOWHERE = "exchange.test"


@define(eq=False)
class ProxyServer:
    """A proxy at work: `asked` is what it was asked to reach, `carried` the bytes that came back through it."""

    scheme: str
    credentials: tuple[str, str] | None = None
    refuses: int | None = None
    hangs: bool = False
    port: int = 0
    asked: list[tuple[str, int]] = field(factory=list)
    carried: int = 0

    @property
    def address(self) -> str:
        """Its address with its own credentials."""
        user = ":".join(map(quote, self.credentials)) + "@" if self.credentials else ""
        return f"{self.scheme}://{user}127.0.0.1:{self.port}"

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        """Answer a CONNECT request; return what it asks for if it is let through."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        host, _, port = head.split()[1].rpartition(":")
        self.asked.append((host, int(port)))
        expected = base64.b64encode(":".join(self.credentials or ()).encode()).decode()
        refuses = self.refuses or (407 if self.credentials and f"Basic {expected}\r\n" not in head else None)
        if refuses is not None:
            writer.write(f"HTTP/1.1 {refuses} No\r\n\r\n".encode())
            return None
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return host, int(port)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        """Answer as RFC 1928 and RFC 1929 say; return what is asked for if it is let through."""
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if self.credentials and 2 not in methods:
            writer.write(b"\x05\xff")
            return None
        writer.write(b"\x05\x02" if self.credentials else b"\x05\x00")
        if self.credentials:
            words = [(await reader.readexactly((await reader.readexactly(n))[-1])).decode() for n in (2, 1)]
            granted = tuple(words) == self.credentials
            writer.write(b"\x01\x00" if granted else b"\x01\x01")
            if not granted:
                return None
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, await reader.readexactly(size))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append((host, port))
        writer.write(bytes([5, self.refuses or 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        return None if self.refuses else (host, port)

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, if it is let through."""
        handshake = self.connect if self.scheme == "http" else self.socks
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError):
            if self.hangs:
                await reader.read()
            target = await handshake(reader, writer)
            if target is not None:
                there_reader, there = await asyncio.open_connection("127.0.0.1", target[1])
                with closing(there):
                    await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer, count=True))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, count: bool = False) -> None:
        with closing(target), suppress(OSError):
            while data := await source.read(65536):
                self.carried += len(data) * count
                target.write(data)


@asynccontextmanager
async def proxy_server(scheme: str, **more: object) -> AsyncIterator[ProxyServer]:
    """Run a proxy (`http`, `socks5` or `socks5h`) for as long as the block lasts."""
    proxy = ProxyServer(scheme, **more)  # type: ignore[arg-type]  # the fields of the class
    tasks: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await proxy.serve_one(reader, writer)

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
