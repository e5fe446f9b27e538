"""CPU of one WebSocket per message, frames not parsed: what jrr uses beside what the libraries offer as their own.

A process of its own sends the same frames, encoded beforehand, as fast as they
are read, or `--rate` a second, one by one. Variants alternate within the run; the medians are printed.

    .venv/bin/python benchmarks/bench_transports.py
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import multiprocessing
import re
import resource
import socket
import statistics
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from websockets.asyncio.client import connect

from jrr_core.route import Network, NetworkSettings
from jrr_core.transport import ConnectionLost, open_socket

_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SIZES = {"trade": 205, "depth": 1400}
_BURST = 500

Variant = Callable[[str], Coroutine[Any, Any, int]]


def frame(size: int) -> bytes:
    """Return a text frame with a payload of so many bytes."""
    return b"\x81\x7e" + size.to_bytes(2) + b"x" * size


def serve(told: Connection, messages: int, rate: int) -> None:
    """Answer every handshake, then send `messages` frames of the size that the path names, and hang up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        told.send(server.getsockname()[1])
        while True:
            peer, _ = server.accept()
            with peer:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += peer.recv(4096)
                key, size = re.search(rb"(?i)sec-websocket-key: (\S+)", head), re.match(rb"GET /(\d+)", head)
                assert key is not None
                assert size is not None
                accept = base64.b64encode(hashlib.sha1(key[1] + _ACCEPT).digest())
                peer.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
                together = 1 if rate else _BURST
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                burst, began = frame(int(size[1])) * together, time.monotonic()
                for number in range(messages // together):
                    if rate:
                        time.sleep(max(began + number / rate - time.monotonic(), 0.0))
                    peer.sendall(burst)
                peer.sendall(b"\x88\x02\x03\xe8")


async def by_recv(url: str) -> int:
    """Count what the library's own `recv` returns."""
    count = 0
    async with connect(url, compression=None, max_size=2**24, max_queue=256, ping_interval=None) as connection:
        async for _ in connection:
            count += 1
    return count


def by(transport: str) -> Variant:
    """Return what counts the messages that this transport of jrr delivers."""

    async def count(url: str) -> int:
        seen = 0

        def take(payload: bytes, ts_recv: int) -> None:
            nonlocal seen
            seen += 1

        opened = await open_socket(url, 5.0, network=Network(NetworkSettings(proxy="none", transport=transport)))
        with contextlib.suppress(ConnectionLost):
            await opened.deliver(take)
        await opened.close()
        return seen

    return count


VARIANTS: dict[str, Variant] = {
    "websockets, its own recv": by_recv,
    "jrr, websockets": by("websockets"),
    "jrr, picows": by("picows"),
}
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def cpu_s() -> float:
    """Return the CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run all variants and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=100_000)
    options.add_argument("--rate", type=int, default=0)
    options.add_argument("--runs", type=int, default=5)
    asked = options.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(there, asked.messages, asked.rate), daemon=True
    )
    server.start()
    port = here.recv()
    took: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(asked.runs):
        for kind, size in _SIZES.items():
            for name, variant in VARIANTS.items():
                for loop, factory in LOOPS.items():
                    began = cpu_s()
                    with asyncio.Runner(loop_factory=factory) as runner:
                        seen = runner.run(variant(f"ws://127.0.0.1:{port}/{size}"))
                    assert seen == asked.messages, (name, seen)
                    took.setdefault((name, loop, kind), []).append((cpu_s() - began) / seen * 1e6)
    print(f"{'CPU µs per message':36}" + "".join(f"{kind:>10}" for kind in _SIZES))
    for name in VARIANTS:
        for loop in LOOPS:
            figures = "".join(f"{statistics.median(took[name, loop, kind]):>10.2f}" for kind in _SIZES)
            print(f"{name + ', ' + loop:36}{figures}")
    server.terminate()


if __name__ == "__main__":
    main()
