"""jrr, as `jrr run` sets itself up, with one exchange and the end that is measured.

Argument: one JSON object. `to` is "null" (a sink that forgets), "callback" (a
subscriber that does nothing), "book" (one that keeps the book and reads its
best ten levels on each message), "sqlite" or "postgres"; `exchanges` maps each to
`port` and `streams`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attrs import define

from jrr_core import ManagerBuilder
from jrr_core.book import Book
from jrr_core.eventloop import loop_in_use, run_on
from jrr_core.events import ALL_EVENTS, Message
from jrr_core.heap import give_back, settle
from jrr_core.manager import Manager
from jrr_core.plugins import Plugins
from jrr_core.sink import BatchPolicy, WriteResult

from .probe import Probe

_LOSSES = ("dropped", "quarantined", "spooled")


@define
class NoSettings:
    """The null sink has none."""


class NullSink:
    """Counts and forgets."""

    name: ClassVar[str] = "null"
    Settings: ClassVar[type] = NoSettings
    embedded: ClassVar[bool] = False
    batch = BatchPolicy(max_rows=5000, max_age_s=0.1)
    open_candles = True

    def __init__(self, accepts: tuple[type, ...]) -> None:
        """Take events of these classes."""
        self.accepts = accepts
        self.taken = 0

    async def open(self) -> None:
        """Open nothing."""

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Take all."""
        self.taken += len(batch)
        return WriteResult(len(batch))

    async def close(self) -> None:
        """Close nothing."""


class Counter:
    """Subscribers that count what they are called with."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.count = 0
        self.books: dict[str, Book] = {}
        self.note: Callable[[int], None] | None = None

    def nothing(self, event: Message) -> None:
        """Do nothing with the event."""
        self.count += 1

    def timed(self, event: Message) -> None:
        """Note how long after its receipt the event came here."""
        self.count += 1
        if self.note is not None:
            self.note(time.time_ns() - event.ts_recv)

    def kept(self, event: Any) -> None:
        """Keep the book and read its top."""
        self.count += 1
        book = self.books.get(event.symbol)
        if book is None:
            book = self.books[event.symbol] = Book()
        book.apply(event)
        book.top(10)


async def build(given: dict[str, Any], counter: Counter) -> tuple[Manager, Callable[[], int]]:
    """Return the manager, subscribed, and what counts what is through."""
    exchanges: dict[str, Any] = given["exchanges"]
    to = given["to"]
    plugins = Plugins.load([*exchanges, *([to] if to in ("sqlite", "postgres") else [])])
    builder = ManagerBuilder(plugins=plugins).set_network(proxy="none", transport=given.get("transport", "auto"))
    builder.set_spool(path=given["folder"] + "/spool")
    sink = NullSink(ALL_EVENTS if to == "null" else ())
    if to == "sqlite":
        builder.add_sink("sqlite", path=given["folder"] + "/market.db")
    elif to == "postgres":
        builder.add_sink("postgres", dsn=given["dsn"], compact=False)
    else:
        builder.add_sink(sink)
    for name, told in exchanges.items():
        place = f"127.0.0.1:{told['port']}"
        builder.add_exchange(name, ws_url=f"ws://{place}", rest_url=f"http://{place}")
    manager = await builder.build()
    if to in ("callback", "book"):
        does = counter.kept if to == "book" else counter.timed if given.get("timed") else counter.nothing
        for channel in given["channels"]:
            manager.add_subscriber(channel, does)
    for name, told in exchanges.items():
        await manager.subscribe_exchange(name, told["streams"])
    if to == "null":
        return manager, lambda: sink.taken
    if to in ("callback", "book"):
        return manager, lambda: counter.count
    (drain,) = manager.drains
    return manager, lambda: drain.counters.written


async def main(given: dict[str, Any]) -> None:
    """Collect until told to end."""
    give_back()
    counter = Counter()
    manager, count = await build(given, counter)

    def account() -> dict[str, Any]:
        stats = manager.get_stats()
        sinks = stats["sinks"].values()
        return {
            "lost": sum(sink[name] for sink in sinks for name in _LOSSES if name != "spooled"),
            "gaps": stats["gaps"],
            "rejected": sum(exchange["rejected"] for exchange in stats["exchanges"].values()),
        }

    probe = Probe(count, account)
    counter.note = probe.delays.append
    settle()
    running = asyncio.create_task(manager.run())
    await probe.serve()
    await manager.stop()
    await running


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    run_on(loop_in_use(told["loop"]), main(told))
