"""A Tickertape exchange on this machine: python demo_server.py [PORT]; port 0 takes a free one.

Prints its address, then sends each listener a trade and a quote of every tape
it asked for, a hundred times a second, until interrupted. Each tape counts its
own lines from 1, so that a reader can tell whether any is missing.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PAUSE_S = 0.01


def line(tape: str, symbol: str, n: int) -> str:
    """Return the `n`-th line of a tape."""
    head = {"tape": tape, "symbol": symbol, "n": n, "at": time.time_ns() // 1_000_000}
    cents = 6_183_763 + n % 7
    if tape == "trade":
        body: dict[str, object] = {"price": f"{cents / 100:.2f}", "size": f"0.{n:08d}", "taker": "bs"[n % 2]}
    else:
        body = {"bid": [f"{(cents - 1) / 100:.2f}", "3.7"], "ask": [f"{cents / 100:.2f}", "0.20"]}
    return json.dumps(head | body)


async def talk(listener: ServerConnection, tapes: Sequence[str]) -> None:
    """Send the tapes until the listener is gone."""
    n = 0
    while True:
        n += 1
        for tape in tapes:
            kind, _, symbol = tape.partition(":")
            await listener.send(line(kind, symbol, n))
        await asyncio.sleep(PAUSE_S)


async def converse(listener: ServerConnection) -> None:
    """Answer one listener until it is gone; each "listen" starts its tapes."""
    try:
        async with asyncio.TaskGroup() as group:
            async for text in listener:
                message = json.loads(text)
                if message["op"] == "listen":
                    await listener.send(json.dumps({"op": "listening", "tapes": message["tapes"]}))
                    group.create_task(talk(listener, message["tapes"]))
                else:
                    await listener.send(json.dumps({"op": "pong"}))
    except* ConnectionClosed:
        pass


async def main(port: int) -> None:
    """Serve until interrupted."""
    async with serve(converse, "127.0.0.1", port) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765))
