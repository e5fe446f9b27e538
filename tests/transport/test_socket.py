"""One WebSocket against real servers, well and badly behaved."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection

from jrr_core.errors import ConfigError
from jrr_core.route import Network, NetworkSettings
from jrr_core.transport import NO_HEADERS, ConnectFailed, ConnectionLost, Socket, open_socket
from tests.inbox import Inbox
from tests.toy import ToyServer, says, toy_server, until


class Open:
    """Opens sockets by one of the libraries, on one kind of event loop."""

    def __init__(self, transport: str, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._network = Network(NetworkSettings(proxy="none", transport=transport))
        self._loop = loop

    async def __call__(self, url: str, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS) -> Socket:
        return await open_socket(url, timeout_s, headers, self._network)

    def run(self, main: Coroutine[Any, Any, object]) -> None:
        with asyncio.Runner(loop_factory=self._loop) as runner:
            runner.run(main)


@pytest.fixture(params=["websockets", "picows", "websockets-uvloop", "picows-uvloop"])
def opened(request: pytest.FixtureRequest) -> Open:
    """What opens sockets, each way there is."""
    transport, _, loop = request.param.partition("-")
    return Open(transport, uvloop.new_event_loop if loop else asyncio.new_event_loop)


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
async def hostile_server(
    sent: bytes, *headers: str, then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
) -> AsyncIterator[str]:
    """Run a server that shakes hands, with these headers besides, and sends these bytes."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"(?i)sec-websocket-key: (.*)\r\n", head)
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + _ACCEPT).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *headers]
        with closing(writer), suppress(OSError):
            writer.write("\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode() + sent)
            if then is not None:
                await then(writer)
            await reader.read(100)

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


def _frame(first: int, payload: bytes, masked: bool = False) -> bytes:
    """Return a frame of at most 65,535 bytes."""
    size, mask = len(payload), 0x80 if masked else 0
    head = bytes([mask | size]) if size < 126 else bytes([mask | 126]) + size.to_bytes(2)
    return bytes([first]) + head + (b"\0\0\0\0" if masked else b"") + payload


def _part(first: int, size: int) -> bytes:
    """Return the head of a frame: its first byte, and the size it says it has."""
    return bytes([first, 127]) + size.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (_part(0x81, 17 * 2**20), "closed by us: 1009"),
        (_part(0x81, 2**62), "closed by us: 1009"),
        (_part(0x01, 2**20) + bytes(2**20) + _part(0x80, 2**24) + bytes(2**24), "closed by us: 1009"),
        (b"\xc1\x01x", "closed by us: 1002"),
    ],
    ids=["large", "monstrous", "large in parts", "compressed"],
)
def test_a_frame_beyond_the_limits_ends_the_connection(opened: Open, sent: bytes, words: str) -> None:
    async def main() -> None:
        async with hostile_server(sent) as url:
            socket = await opened(url, 1.0)
            inbox = Inbox(socket)
            with pytest.raises(ConnectionLost, match=words):
                await inbox.next()
            await socket.close()

    opened.run(main())


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (["Sec-WebSocket-Extensions: permessage-deflate"], "no extensions supported"),
        (["X: " + "x" * 70_000], "did not answer as a WebSocket server"),
        ([f"X{n}: 1" for n in range(300)], "did not answer as a WebSocket server"),
    ],
    ids=["compression nobody asked for", "a long header", "many headers"],
)
def test_a_handshake_beyond_the_limits_is_refused(opened: Open, headers: list[str], words: str) -> None:
    async def main() -> None:
        async with hostile_server(b"", *headers) as url:
            with pytest.raises(ConnectFailed, match=words):
                await opened(url, 1.0)

    opened.run(main())


def test_a_redirect_is_refused_with_where_it_leads(opened: Open) -> None:
    async def main() -> None:
        async with raw_server(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as url:
            with pytest.raises(
                ConnectFailed, match=r"HTTP 302, redirecting to 'ws://127\.0\.0\.1:1/' \(check ws_url\)"
            ):
                await opened(url, 1.0)

    opened.run(main())


def test_text_and_bytes_arrive_as_bytes_and_text_is_sent(opened: Open) -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            await connection.send("tëxt")
            await connection.send(b"\xff")

        async with toy_server(script) as server:
            socket = await opened(server.url, 1.0)
            inbox = Inbox(socket)
            assert [await inbox.next(), await inbox.next()] == ["tëxt".encode(), b"\xff"]
            await socket.send("hello")
            await socket.ping()
            await until(lambda: server.heard)
            assert server.heard == ["hello"]
            await socket.close()

    opened.run(main())


def test_headers_are_sent_with_the_handshake(opened: Open) -> None:
    async def main() -> None:
        async with toy_server() as server:
            await (await opened(server.url, 1.0, {"X-Size": "1"})).close()
            assert server.headers[-1]["X-Size"] == "1"

    opened.run(main())


def test_what_was_sent_before_a_close_is_still_received(opened: Open) -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            for n in range(100):
                await connection.send(f"trade X {n}")
            await connection.close(1008, "policy violated")

        async with toy_server(script) as server:
            socket = await opened(server.url, 1.0)
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

    opened.run(main())


def test_a_reset_is_a_cut_connection(opened: Open) -> None:
    async def main() -> None:
        async with toy_server(says("hello")) as server:
            socket = await opened(server.url, 1.0)
            inbox = Inbox(socket)
            await inbox.next()
            server.drop()
            with pytest.raises(ConnectionLost, match="connection cut"):
                await inbox.next()
            await socket.close()

    opened.run(main())


def test_our_own_close_is_told_as_ours(opened: Open) -> None:
    async def main() -> None:
        async with toy_server() as server:
            socket = await opened(server.url, 1.0)
            inbox = Inbox(socket)
            await socket.close()
            with pytest.raises(ConnectionLost, match="closed"):
                await inbox.next()

    opened.run(main())


def test_closing_on_a_peer_that_does_not_answer_takes_about_a_second(opened: Open) -> None:
    async def main() -> None:
        async def deaf(server: ToyServer, connection: ServerConnection, number: int) -> None:
            connection.transport.pause_reading()

        async with toy_server(deaf) as server:
            socket = await opened(server.url, 1.0)
            await until(lambda: server.open)
            await asyncio.sleep(0.02)
            began = time.monotonic()
            await socket.close()
            assert time.monotonic() - began < 1.3
            server.drop()

    opened.run(main())


def test_a_refused_connection_names_host_and_reason(opened: Open) -> None:
    async def main() -> None:
        async with toy_server() as server:
            url = server.url
        with pytest.raises(ConnectFailed, match=r"cannot reach 127\.0\.0\.1:\d+: connection refused"):
            await opened(url, 1.0)

    opened.run(main())


def test_a_server_that_accepts_and_never_answers_times_out(opened: Open) -> None:
    async def main() -> None:
        async with raw_server(None, hang=True) as url:
            with pytest.raises(ConnectFailed, match="no answer in time"):
                await opened(url, 0.1)

    opened.run(main())


def test_a_server_that_hangs_up_at_once_did_not_answer(opened: Open) -> None:
    async def main() -> None:
        async with raw_server(None) as url:
            with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1"):
                await opened(url, 1.0)

    opened.run(main())


def test_a_server_that_speaks_something_else_did_not_answer_as_one(opened: Open) -> None:
    async def main() -> None:
        async with raw_server(b"220 mail.example.com ESMTP\r\n\r\n") as url:
            with pytest.raises(ConnectFailed, match="did not answer as a WebSocket server"):
                await opened(url, 1.0)

    opened.run(main())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "blocked"),
        (404, "check ws_url"),
        (418, "banned"),
        (429, "too many"),
        (451, "country"),
        (503, "HTTP 503"),
        (522, "HTTP 522"),
    ],
)
def test_a_refusing_status_is_explained(opened: Open, status: int, words: str) -> None:
    async def main() -> None:
        async with raw_server(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()) as url:
            with pytest.raises(ConnectFailed, match=words):
                await opened(url, 1.0)

    opened.run(main())


@pytest.mark.parametrize(
    "url", ["http://x/", "nonsense", "ws://", "ws://127.0.0.1:99999/", "ws://127.0.0.1:x/", "ws://[::1", "ws://a..b/"]
)
def test_an_address_that_is_none_is_the_user_s_to_mend(opened: Open, url: str) -> None:
    with pytest.raises(ConfigError, match="ws_url"):
        opened.run(opened(url, 1.0))


def test_a_message_in_parts_is_one_and_pings_between_are_answered(opened: Open) -> None:
    async def main() -> None:
        sent = _frame(0x01, b"on") + _frame(0x89, b"mark") + _frame(0x00, b"") + _frame(0x80, b"e") + _frame(0x81, b"2")
        async with hostile_server(sent) as url:
            socket = await opened(url, 1.0)
            inbox = Inbox(socket)
            assert [await inbox.next(), await inbox.next()] == [b"one", b"2"]
            await socket.close()

    opened.run(main())


@pytest.mark.parametrize(
    "sent", [_frame(0x80, b"x"), _frame(0x01, b"x") + _frame(0x81, b"y"), _frame(0x82, b"", masked=True), b"\x83\x00"],
    ids=["a part of nothing", "a message in another", "masked", "unknown"],
)  # fmt: skip
def test_what_breaks_the_protocol_ends_the_connection(opened: Open, sent: bytes) -> None:
    async def main() -> None:
        async with hostile_server(_frame(0x81, b"good") + sent + _frame(0x81, b"never")) as url:
            socket = await opened(url, 1.0)
            inbox = Inbox(socket)
            assert await inbox.next() == b"good"
            with pytest.raises(ConnectionLost, match="closed by us: 1002"):
                await inbox.next()
            await socket.close()

    opened.run(main())


@pytest.mark.parametrize(
    ("code", "words"),
    [(b"", "1005"), (b"\x03\xe8", "1000"), (b"\x03\xf4restart", "1012 restart"), (b"\x0f\xa1why", "4001 why")],
)
def test_how_the_exchange_closed_is_told(opened: Open, code: bytes, words: str) -> None:
    async def main() -> None:
        async with hostile_server(_frame(0x88, code) + _frame(0x81, b"never")) as url:
            socket = await opened(url, 1.0)
            with pytest.raises(ConnectionLost, match=f"^closed by the exchange: {words}$"):
                await Inbox(socket).next()
            await socket.close()

    opened.run(main())


def test_what_comes_along_with_the_handshake_waits_for_its_taker(opened: Open) -> None:
    async def main() -> None:
        async with hostile_server(b"".join(_frame(0x81, b"%d" % n) for n in range(20))) as url:
            socket = await opened(url, 1.0)
            await asyncio.sleep(0.05)
            inbox = Inbox(socket)
            assert [await inbox.next() for _ in range(20)] == [b"%d" % n for n in range(20)]
            assert inbox.times == sorted(set(inbox.times))
            assert abs(inbox.times[0] - time.time_ns()) < 5 * 10**9
            await socket.close()

    opened.run(main())


def test_what_the_taker_raises_ends_the_delivery_and_closing_is_still_polite(opened: Open) -> None:
    async def main() -> None:
        taken: list[bytes] = []

        def take(payload: bytes, ts_recv: int) -> None:
            taken.append(payload)
            if len(taken) == 2:
                raise ZeroDivisionError("deep inside")

        async with toy_server(says(*[f"trade X {n}" for n in range(9)])) as server:
            socket = await opened(server.url, 1.0)
            with pytest.raises(ZeroDivisionError, match="deep inside"):
                await socket.deliver(take)
            assert taken == [b"trade X 0", b"trade X 1"]
            began = time.monotonic()
            await socket.close()
            assert time.monotonic() - began < 0.5

    opened.run(main())


def test_a_flood_leaves_other_tasks_their_turns(opened: Open) -> None:
    async def main() -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        longest, run, seen_turn, taken = 0, 0, 0, 0

        def take(payload: bytes, ts_recv: int) -> None:
            nonlocal longest, run, seen_turn, taken
            run = run + len(payload) if turns == seen_turn else len(payload)
            seen_turn, longest, taken = turns, max(longest, run), taken + 1

        total = 20_000
        async with hostile_server(_frame(0x82, bytes(500)) * total) as url:
            socket = await opened(url, 1.0)
            await asyncio.sleep(0.2)
            task = asyncio.ensure_future(other())
            delivery = asyncio.ensure_future(socket.deliver(take))
            await until(lambda: taken == total)
            # Two reads and the beginning of a frame at most.
            assert longest <= 130_000
            task.cancel()
            delivery.cancel()
            await asyncio.gather(task, delivery, return_exceptions=True)
            await socket.close()

    opened.run(main())


def test_a_peer_that_asks_for_pongs_and_reads_none_is_not_heard_forever(opened: Open) -> None:
    async def main() -> None:
        written = 0
        release = asyncio.Event()

        async def flood(writer: asyncio.StreamWriter) -> None:
            nonlocal written
            pings = _frame(0x89, b"x" * 125) * 1000
            while not release.is_set():
                writer.write(pings)
                await writer.drain()
                written += len(pings)

        async with hostile_server(b"", then=flood) as url:
            socket = await opened(url, 1.0)
            delivery = asyncio.ensure_future(socket.deliver(lambda payload, ts_recv: None))
            before = -1
            while before != written:
                before = written
                await asyncio.sleep(0.3)
            assert written < 64 * 2**20
            release.set()
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)
            await socket.close()

    opened.run(main())


def test_a_name_and_password_in_the_address_are_sent_as_such(opened: Open) -> None:
    async def main() -> None:
        async with toy_server() as server:
            await (await opened(server.url.replace("ws://", "ws://me:p%40ss@"), 1.0)).close()
            assert server.headers[-1]["Authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
            assert "@" not in server.headers[-1]["Host"]
            assert server.headers[-1]["User-Agent"] == "jrr"

    opened.run(main())


def test_a_handshake_given_up_leaves_no_connection_behind(opened: Open) -> None:
    async def main() -> None:
        async with raw_server(None, hang=True) as url:
            opening = asyncio.ensure_future(opened(url, 5.0))
            await asyncio.sleep(0.05)
            opening.cancel()
            assert isinstance((await asyncio.gather(opening, return_exceptions=True))[0], asyncio.CancelledError)
            await asyncio.sleep(0.05)

    opened.run(main())
