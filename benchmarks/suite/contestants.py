"""Who takes part: how each is started on a load, and which of its messages it lets through."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define

from .feeds import EXCHANGES, Load, Stream
from .process import Process

_CHANNELS = {"trade": "trade", "depth": "book", "candle": "candle"}


@define(frozen=True)
class Place:
    """Where a run takes place: the load, the server's port, a folder, and a fresh database where one is wanted."""

    load: Load
    port: int
    folder: Path
    dsn: str = ""

    @property
    def exchange(self) -> str:
        """The exchange's name."""
        return self.load.exchange.name


@define(frozen=True)
class Contestant:
    """Somebody who reads the load; `options` go to its client."""

    name: str
    client: str
    options: Mapping[str, Any] = {}

    def command(self, place: Place, python: Path | None) -> Process:
        """Return its process, on the second core."""
        given = self.given(place)
        interpreter = str(python) if self.client == "rival" else sys.executable
        command = [interpreter, "-m", f"benchmarks.suite.{self.client}_client", json.dumps(given)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTHON", "JRR_"))}
        env = {**inherited, "XDG_CACHE_HOME": str(place.folder)}
        return Process(command, place.folder / "client.log", env, core=1)

    def given(self, place: Place) -> dict[str, Any]:
        """Return what its client is told."""
        made = {"jrr": _jrr, "floor": _floor, "rival": _rival}[self.client](place)
        return {"folder": str(place.folder), "dsn": place.dsn, **self.options, **made}

    def passes(self, stream: Stream) -> bool:
        """Whether what comes on a stream ends where this one counts; stores keep closed candles only."""
        return stream.kind != "candle" or self.options.get("to") not in ("sqlite", "postgres")

    def share(self, load: Load) -> float:
        """Return which part of the messages it counts."""
        return sum(map(self.passes, load.streams)) / len(load.streams)


def jrr(to: str, transport: str, **options: Any) -> Contestant:
    """Return jrr on a transport; picows comes with uvloop in `jrr-core[fast]`, without it there is neither."""
    loop = "asyncio" if transport == "websockets" else "auto"
    return Contestant(f"jrr, {transport}", "jrr", {"to": to, "transport": transport, "loop": loop, **options})


def floor(transport: str, decode: bool) -> Contestant:
    """Return a bare transport, or one with typed decoding behind it."""
    name = f"{transport} + msgspec" if decode else f"bare {transport}"
    loop = "auto" if transport == "picows" else "asyncio"
    return Contestant(name, "floor", {"transport": transport, "decode": decode, "loop": loop})


def rival(to: str, name: str = "cryptofeed", **options: Any) -> Contestant:
    """Return cryptofeed."""
    return Contestant(name, "rival", {"to": to, **options})


def _jrr(place: Place) -> dict[str, Any]:
    load = place.load
    topics = {load.exchange.topic(stream): stream for stream in load.streams}
    if place.exchange == "binance":
        wanted = list(topics)
    else:
        candle = {"candle": "candle_1h", "trade": "trade", "depth": "book"}
        wanted = [f"{candle[stream.kind]}:{load.exchange.symbol(stream.symbol)}" for stream in load.streams]
    channels = sorted({_CHANNELS[stream.kind] for stream in load.streams})
    return {"exchanges": {place.exchange: {"port": place.port, "streams": wanted}}, "channels": channels}


def _floor(place: Place) -> dict[str, Any]:
    load = place.load
    host = f"ws://127.0.0.1:{place.port}"
    block = load.pick(set(load.streams))
    given: dict[str, Any] = {"exchange": place.exchange, "size": len(block.bytes) / load.block}
    if place.exchange == "binance":
        return {**given, "sockets": [(f"{host}/stream?streams={'/'.join(load.by_topic)}", [])]}
    pairs = [topic.partition(":") for topic in load.by_topic]
    asked = {"op": "subscribe", "args": [{"channel": channel, "instId": symbol} for channel, _, symbol in pairs]}
    return {**given, "sockets": [(f"{host}/ws/v5/public", [json.dumps(asked)])]}


def _rival(place: Place) -> dict[str, Any]:
    load = place.load
    symbols: dict[str, list[str]] = {}
    for stream in load.streams:
        symbol = EXCHANGES["okx"].symbol(stream.symbol)
        symbols.setdefault(stream.kind, []).append(symbol)
    given: dict[str, Any] = {"exchange": place.exchange, "port": place.port,
                             "feeds": [(names, [kind]) for kind, names in symbols.items()]}  # fmt: skip
    if place.dsn:
        address, _, database = place.dsn.rpartition("/")
        given["postgres"] = {"port": int(address.rpartition(":")[2]), "database": database}
    return given
