"""One WebSocket against real servers, well and badly behaved."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

import pytest
from websockets.asyncio.server import ServerConnection

from jrr_core.errors import ConfigError
from jrr_core.transport import ConnectFailed, ConnectionLost, open_socket
from tests.inbox import Inbox
from tests.toy import ToyServer, says, toy_server, until


@asynccontextmanager
async def raw_server(answer: bytes | None, hang: bool = False) -> AsyncIterator[str]:
    """Run a TCP server that says `answer` to whatever comes, then hangs up or hangs."""
    release = asyncio.Event()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        if hang:
            await release.wait()
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
    finally:
        release.set()
        server.close()
        await server.wait_closed()


# RFC 6455, section 1.3.
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@asynccontextmanager
async def hostile_server(sent: bytes, *headers: str) -> AsyncIterator[str]:
    """Run a server that shakes hands, with these headers besides, and sends these bytes."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"(?i)sec-websocket-key: (.*)\r\n", head)
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + _ACCEPT).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *headers]
        with closing(writer), suppress(OSError):
            writer.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode() + sent)
            await reader.read(100)

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


def _part(first: int, size: int) -> bytes:
    """Return the head of a frame: its first byte, and the size it says it has."""
    return bytes([first, 127]) + size.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (_part(0x81, 17 * 2**20), "closed by us: 1009"),
        (_part(0x81, 2**62), "closed by us: 1009"),
        (_part(0x01, 2**20) + bytes(2**20) + _part(0x80, 16 * 2**20), "closed by us: 1009"),
        (b"\xc1\x01x", "closed by us: 1002"),
    ],
    ids=["large", "monstrous", "large in parts", "compressed"],
)
def test_a_frame_beyond_the_limits_ends_the_connection(sent: bytes, words: str) -> None:
    async def main() -> None:
        async with hostile_server(sent) as url:
            socket = await open_socket(url, 1.0)
            inbox = Inbox(socket)
            with pytest.raises(ConnectionLost, match=words):
                await inbox.next()
            await socket.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (["Sec-WebSocket-Extensions: permessage-deflate"], "no extensions supported"),
        (["X: " + "x" * 70_000], "did not answer as a WebSocket server"),
        ([f"X{n}: 1" for n in range(300)], "did not answer as a WebSocket server"),
    ],
    ids=["compression nobody asked for", "a long header", "many headers"],
)
def test_a_handshake_beyond_the_limits_is_refused(headers: list[str], words: str) -> None:
    async def main() -> None:
        async with hostile_server(b"", *headers) as url:
            with pytest.raises(ConnectFailed, match=words):
                await open_socket(url, 1.0)

    asyncio.run(main())


def test_a_redirect_is_refused_with_where_it_leads() -> None:
    async def main() -> None:
        async with raw_server(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as url:
            with pytest.raises(
                ConnectFailed, match=r"HTTP 302, redirecting to 'ws://127\.0\.0\.1:1/' \(check ws_url\)"
            ):
                await open_socket(url, 1.0)

    asyncio.run(main())


def test_text_and_bytes_arrive_as_bytes_and_text_is_sent() -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            await connection.send("tëxt")
            await connection.send(b"\xff")

        async with toy_server(script) as server:
            socket = await open_socket(server.url, 1.0)
            inbox = Inbox(socket)
            assert [await inbox.next(), await inbox.next()] == ["tëxt".encode(), b"\xff"]
            await socket.send("hello")
            await socket.ping()
            await until(lambda: server.heard)
            assert server.heard == ["hello"]
            await socket.close()

    asyncio.run(main())


def test_headers_are_sent_with_the_handshake() -> None:
    async def main() -> None:
        async with toy_server() as server:
            await (await open_socket(server.url, 1.0, {"X-Size": "1"})).close()
            assert server.headers[-1]["X-Size"] == "1"

    asyncio.run(main())


def test_what_was_sent_before_a_close_is_still_received() -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            for n in range(100):
                await connection.send(f"trade X {n}")
            await connection.close(1008, "policy violated")

        async with toy_server(script) as server:
            socket = await open_socket(server.url, 1.0)
            inbox = Inbox(socket)
            await asyncio.sleep(0.05)
            received = [await inbox.next() for _ in range(100)]
            assert received[-1] == b"trade X 99"
            with pytest.raises(ConnectionLost, match="closed by the exchange: 1008 policy violated"):
                await inbox.next()
            with pytest.raises(ConnectionLost, match="1008"):
                await socket.send("too late")
            with pytest.raises(ConnectionLost, match="1008"):
                await socket.ping()
            await socket.close()

    asyncio.run(main())


def test_a_reset_is_a_cut_connection() -> None:
    async def main() -> None:
        async with toy_server(says("hello")) as server:
            socket = await open_socket(server.url, 1.0)
            inbox = Inbox(socket)
            await inbox.next()
            server.drop()
            with pytest.raises(ConnectionLost, match="connection cut"):
                await inbox.next()
            await socket.close()

    asyncio.run(main())


def test_our_own_close_is_told_as_ours() -> None:
    async def main() -> None:
        async with toy_server() as server:
            socket = await open_socket(server.url, 1.0)
            inbox = Inbox(socket)
            await socket.close()
            with pytest.raises(ConnectionLost, match="closed"):
                await inbox.next()

    asyncio.run(main())


def test_closing_on_a_peer_that_does_not_answer_takes_about_a_second() -> None:
    async def main() -> None:
        async def deaf(server: ToyServer, connection: ServerConnection, number: int) -> None:
            connection.transport.pause_reading()

        async with toy_server(deaf) as server:
            socket = await open_socket(server.url, 1.0)
            await until(lambda: server.open)
            await asyncio.sleep(0.02)
            began = time.monotonic()
            await socket.close()
            assert time.monotonic() - began < 1.3
            server.drop()

    asyncio.run(main())


def test_a_refused_connection_names_host_and_reason() -> None:
    async def main() -> None:
        async with toy_server() as server:
            url = server.url
        with pytest.raises(ConnectFailed, match=r"cannot reach 127\.0\.0\.1:\d+: connection refused"):
            await open_socket(url, 1.0)

    asyncio.run(main())


def test_a_server_that_accepts_and_never_answers_times_out() -> None:
    async def main() -> None:
        async with raw_server(None, hang=True) as url:
            with pytest.raises(ConnectFailed, match="no answer in time"):
                await open_socket(url, 0.1)

    asyncio.run(main())


def test_a_server_that_hangs_up_at_once_did_not_answer() -> None:
    async def main() -> None:
        async with raw_server(None) as url:
            with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1"):
                await open_socket(url, 1.0)

    asyncio.run(main())


def test_a_server_that_speaks_something_else_did_not_answer_as_one() -> None:
    async def main() -> None:
        async with raw_server(b"220 mail.example.com ESMTP\r\n\r\n") as url:
            with pytest.raises(ConnectFailed, match="did not answer as a WebSocket server"):
                await open_socket(url, 1.0)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "blocked"), (404, "check ws_url"), (418, "banned"), (429, "too many"), (451, "country"), (503, "HTTP 503")],
)
def test_a_refusing_status_is_explained(status: int, words: str) -> None:
    async def main() -> None:
        async with raw_server(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()) as url:
            with pytest.raises(ConnectFailed, match=words):
                await open_socket(url, 1.0)

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["http://x/", "nonsense", "ws://", "ws://127.0.0.1:99999/", "ws://127.0.0.1:x/", "ws://[::1", "ws://a..b/"]
)
def test_an_address_that_is_none_is_the_user_s_to_mend(url: str) -> None:
    with pytest.raises(ConfigError, match="ws_url"):
        asyncio.run(open_socket(url, 1.0))
