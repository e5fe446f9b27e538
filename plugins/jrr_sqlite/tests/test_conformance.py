"""The Sink contract, by the kit every sink is held to."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import asdict, evolve
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.testing.samples import trade
from jrr_core.testing.sink_suite import SinkSuite


class TestSqliteSink(SinkSuite):
    def make_sink(self, folder: Path) -> SqliteSink:
        return SqliteSink(StorageConfig(path=str(folder / "market.db"), busy_timeout_s=0.05))

    def refused(self) -> Sequence[Any]:
        return [evolve(trade(99), symbol="\ud800"), "not an event"]

    def make_broken_sink(self, folder: Path) -> SqliteSink:
        return self.make_sink(folder / "missing")

    async def read_back(self, sink: Any, kind: type) -> Sequence[Mapping[str, Any]]:
        return [asdict(event, recurse=False) async for event in sink.read(kind)]

    @contextmanager
    def away(self, sink: Any) -> Iterator[None]:
        with closing(sqlite3.connect(sink.settings.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
