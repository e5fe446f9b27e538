"""A server that pushes Binance spot trades at a chosen rate, in a process of its own.

    .venv/bin/python benchmarks/load.py --rate 10000 --seconds 60 --burst 0

Prints its port as a JSON line, answers one subscriber, and prints what it sent when it is done: `seconds` at `rate`,
or `burst` messages as fast as the socket takes them. Ids are consecutive, so that a store can be held to the count.
"""

import argparse
import asyncio
import json
import time
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

_TICK_S = 0.001


def frames(first: int, count: int) -> bytes:
    """Return `count` unmasked text frames, each a trade; ids begin at `first`."""
    now = time.time_ns() // 1_000_000
    head = f'{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{now},"s":"BTCUSDT","t":'
    parts = []
    for number in range(first, first + count):
        cents = 6_183_763 + number * 7919 % 2000
        payload = (
            f'{head}{number},"p":"{cents // 100}.{cents % 100:02d}000000","q":"0.0{1000 + number % 9000}000",'
            f'"T":{now},"m":{"true" if number % 2 else "false"},"M":true}}}}'
        ).encode()
        parts.append(b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload)
    return b"".join(parts)


async def push(connection: ServerConnection, given: argparse.Namespace) -> dict[str, Any]:
    """Send the load behind the answer to the subscription; return what was sent."""
    async for text in connection:
        message = json.loads(text)
        await connection.send(json.dumps({"result": None, "id": message["id"]}))
        if message.get("method") == "SUBSCRIBE":
            break
    await asyncio.sleep(given.settle)
    begun = time.monotonic()
    sent = 0
    if given.burst:
        for at in range(0, given.burst, 1000):
            connection.transport.write(frames(1 + at, min(1000, given.burst - at)))
            await connection.drain()
        sent = given.burst
    while not given.burst and (elapsed := time.monotonic() - begun) < given.seconds:
        due = int(elapsed * given.rate) - sent
        if due > 0:
            connection.transport.write(frames(1 + sent, due))
            sent += due
        await asyncio.sleep(_TICK_S)
    return {"sent": sent, "took_s": time.monotonic() - begun}


async def main() -> None:
    """Serve one subscriber, then stay until killed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=float, default=10_000)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--burst", type=int, default=0)
    options.add_argument("--settle", type=float, default=1.0)
    given = options.parse_args()

    async def handler(connection: ServerConnection) -> None:
        print(json.dumps(await push(connection, given)), flush=True)
        await connection.wait_closed()

    async with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None, write_limit=2**22) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
