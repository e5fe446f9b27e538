"""The floors: what a transport costs that does nothing with its frames, or decodes them to typed objects and no more.

Argument: one JSON object. `transport` is "asyncio" (a Protocol that counts
bytes), "websockets" (its recv loop), "jrr's websockets" or "picows"; `decode` whether frames are decoded.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import picows
from websockets.asyncio.client import connect

from jrr_core.eventloop import loop_in_use, run_on
from jrr_core.route import Network, NetworkSettings
from jrr_core.transport import open_socket

from .probe import Probe

Take = Callable[[Any], object]
Levels = list[tuple[str, str]]


class _Trade(msgspec.Struct):
    s: str
    a: int
    p: str
    q: str
    T: int
    m: bool


class _Depth(msgspec.Struct):
    s: str
    E: int
    U: int
    u: int
    b: Levels
    a: Levels


class _Bar(msgspec.Struct):
    t: int
    i: str
    o: str
    c: str
    h: str
    l: str  # noqa: E741 - Binance's name
    v: str
    x: bool


class _Kline(msgspec.Struct):
    s: str
    k: _Bar


class _OkxTrade(msgspec.Struct, rename="camel"):
    trade_id: str
    px: str
    sz: str
    side: str
    ts: str


class _OkxBook(msgspec.Struct, rename="camel"):
    asks: list[tuple[str, str, str, str]]
    bids: list[tuple[str, str, str, str]]
    ts: str
    seq_id: int
    prev_seq_id: int


class _TradePush(msgspec.Struct):
    data: _Trade


class _DepthPush(msgspec.Struct):
    data: _Depth


class _KlinePush(msgspec.Struct):
    data: _Kline


class _OkxTradePush(msgspec.Struct):
    data: list[_OkxTrade]


class _OkxBookPush(msgspec.Struct):
    data: list[_OkxBook]


class _OkxCandlePush(msgspec.Struct):
    data: list[list[str]]


# By exchange: what tells the kinds of frames apart, and what each is decoded to.
_SHAPES: dict[str, list[tuple[bytes, type]]] = {
    "binance": [(b"@aggTrade", _TradePush), (b"@depth", _DepthPush), (b"@kline", _KlinePush)],
    "okx": [(b'"trades"', _OkxTradePush), (b'"books"', _OkxBookPush), (b'"candle', _OkxCandlePush)],
}
_HEAD = 64


def decoding(exchange: str) -> Take:
    """Return what decodes a frame of the exchange; control answers are left alone."""
    shapes: list[tuple[bytes, Take]] = [(mark, msgspec.json.Decoder(shape).decode) for mark, shape in _SHAPES[exchange]]

    def decode(payload: bytes) -> object:
        head = payload[:_HEAD]
        for mark, read in shapes:
            if mark in head and b'"event"' not in head and b'"id"' not in head:
                return read(payload)
        return None

    return decode


class Reader:
    """Counts what comes; `take` is done with each payload."""

    def __init__(self, take: Take | None) -> None:
        """Begin at nothing."""
        self.count = 0
        self.take = take

    async def by_websockets(self, url: str, asks: list[str]) -> None:
        """Read by the recv loop of `websockets`."""
        async with connect(url, compression=None, max_queue=256, ping_interval=None, proxy=None) as connection:
            for text in asks:
                await connection.send(text)
            while True:
                payload = await connection.recv(decode=False)
                if self.take is not None:
                    self.take(payload)
                self.count += 1

    async def by_jrr(self, url: str, asks: list[str]) -> None:
        """Read by jrr's own transport on `websockets`, without anything of jrr behind it."""
        opened = await open_socket(url, 5.0, network=Network(NetworkSettings(proxy="none", transport="websockets")))
        for text in asks:
            await opened.send(text)
        take = self.take

        def count(payload: bytes, ts_recv: int) -> None:
            if take is not None:
                take(payload)
            self.count += 1

        await opened.deliver(count)

    async def by_picows(self, url: str, asks: list[str]) -> None:
        """Read by a listener of picows."""
        reader = self

        class Listener(picows.WSListener):
            def on_ws_connected(self, transport: picows.WSTransport) -> None:
                for text in asks:
                    transport.send(picows.WSMsgType.TEXT, text.encode())

            def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
                if reader.take is not None:
                    reader.take(frame.get_payload_as_bytes())
                reader.count += 1

        transport, _ = await picows.ws_connect(Listener, url)
        await transport.wait_disconnected()

    async def by_asyncio(self, url: str, asks: list[str], size: float) -> None:
        """Read by a Protocol that knows nothing of frames; `size` is how many bytes one has, on average."""
        reader, parts = self, url.removeprefix("ws://").partition("/")
        host, _, port = parts[0].partition(":")
        got = 0

        class Bytes(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                transport.write(f"GET /{parts[2]} HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n".encode())
                for text in asks:
                    data = text.encode()
                    head = bytes([128 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
                    transport.write(b"\x81" + head + bytes(4) + data)

            def data_received(self, data: bytes) -> None:
                nonlocal got
                got += len(data)
                reader.count = round(got / size)

        await asyncio.get_running_loop().create_connection(Bytes, host, int(port))
        await asyncio.get_running_loop().create_future()


async def main(given: dict[str, Any]) -> None:
    """Read until told to end."""
    reader = Reader(decoding(given["exchange"]) if given["decode"] else None)
    probe = Probe(lambda: reader.count)
    tasks = []
    for url, asks in given["sockets"]:
        match given["transport"]:
            case "websockets":
                reading = reader.by_websockets(url, asks)
            case "jrr's websockets":
                reading = reader.by_jrr(url, asks)
            case "picows":
                reading = reader.by_picows(url, asks)
            case _:
                reading = reader.by_asyncio(url, asks, given["size"])
        tasks.append(asyncio.create_task(reading))
    await probe.serve()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    run_on(loop_in_use(told["loop"]), main(told))
