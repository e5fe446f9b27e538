"""One run of one contestant on one load: warm up, saturate, count.

The client is idle before and after what is measured, so its CPU time between
belongs to those messages alone. What comes out must be what went in.
"""

import asyncio
import math
from pathlib import Path
from typing import Any

from attrs import asdict, define

from .contestants import Contestant, Place
from .process import LoadServer, Process

_POLL_S = 0.05
# Nothing new for so long: what is missing will not come.
_PATIENCE_S = 3.0
_SETTLED_S = 0.4
_WARM_RATE = 5000
_MOST = 3_000_000


@define(frozen=True)
class Saturation:
    """What a run at full speed gave: `lost` messages never came through; the server's part of a core."""

    messages: int
    per_s: float
    cpu_us: float
    rss_mb: float
    lost: int
    gaps: int
    server_cpu: float

    def figures(self) -> dict[str, float]:
        """Return them by name."""
        return asdict(self)


@define(frozen=True)
class Mark:
    """A client's figures at one moment."""

    count: int
    cpu_s: float
    at_s: float
    rss_mb: float


async def mark(client: Process) -> Mark:
    """Ask for them."""
    return Mark(**await client.ask({"mark": 1}))


async def settled(client: Process, within_s: float = 30.0) -> Mark:
    """Return when its count has stood still for a while."""
    loop = asyncio.get_running_loop()
    last = await mark(client)
    begun = since = loop.time()
    while loop.time() - since < _SETTLED_S and loop.time() - begun < within_s:
        await asyncio.sleep(_POLL_S)
        now = await mark(client)
        if now.count != last.count:
            since = loop.time()
        last = now
    return last


async def through(client: Process, sending: "asyncio.Future[Any]", target: int) -> list[Mark]:
    """Return marks until `target` is reached, or nothing comes any more once all is sent."""
    loop, marks = asyncio.get_running_loop(), [await mark(client)]
    since = loop.time()
    while marks[-1].count < target and (not sending.done() or loop.time() - since < _PATIENCE_S):
        await asyncio.sleep(_POLL_S)
        marks.append(await mark(client))
        if marks[-1].count != marks[-2].count:
            since = loop.time()
    return marks


def speed(marks: list[Mark], base: Mark, target: int) -> float:
    """Return messages/s of the time in which the client was busy."""
    busy = [each for each in marks if base.count < each.count < target]
    # Who writes all in one piece was busy with nothing in between.
    if len(busy) > 5 and busy[-1].count > busy[0].count:
        return (busy[-1].count - busy[0].count) / (busy[-1].at_s - busy[0].at_s)
    return (marks[-1].count - base.count) / max(marks[-1].at_s - base.at_s, 1e-9)


async def started(contestant: Contestant, server: LoadServer, place: Place, python: Path | None) -> Process:
    """Start a client and return it when it is subscribed to everything and warm."""
    client = contestant.command(place, python)
    await client.start()
    try:
        await client.hear()
        await server.subscribed(len(server.topics))
        await asyncio.sleep(0.2)
        await server.send(place.load.block, _WARM_RATE)
        await settled(client)
    except BaseException:
        await client.end()
        raise
    return client


async def saturate(
    contestant: Contestant, server: LoadServer, place: Place, seconds: float, python: Path | None
) -> Saturation:
    """Run it once; about `seconds` are measured."""
    client = await started(contestant, server, place, python)
    try:
        share, block = contestant.share(place.load), place.load.block
        first = await settled(client)
        trial = 3 * block
        sending = asyncio.ensure_future(server.send(trial))
        await through(client, sending, first.count + round(trial * share))
        await sending
        base = await settled(client)
        cpu_s = max(base.cpu_s - first.cpu_s, 1e-9)
        count = min(_MOST, max(trial, math.ceil(trial / cpu_s * seconds / block) * block))
        target = base.count + round(count * share)
        sending = asyncio.ensure_future(server.send(count))
        marks = await through(client, sending, target)
        sent = await sending
        account = await client.ask({"mark": 1, "account": 1})
        end = marks[-1]
        # cryptofeed writes a whole book now and then beside the updates, so its rows alone do not tell.
        missing = max(base.count + round(count * share) - end.count, account.get("lost", 0))
        return Saturation(
            count, speed(marks, base, target) / share, (end.cpu_s - base.cpu_s) / count * 1e6, end.rss_mb,
            missing, account.get("gaps", 0), sent["cpu_s"] / sent["took_s"],
        )  # fmt: skip
    finally:
        await client.end()
