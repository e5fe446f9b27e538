"""The Sink contract, by the kit every sink is held to, on each kind of server."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict, evolve
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import Proxy

from jrr_core.testing.samples import trade
from jrr_core.testing.sink_suite import SinkSuite


@pytest.mark.every_server
class TestPostgresSink(SinkSuite):
    """A folder of the kit stands for a namespace of one database; the store is away when its line is cut."""

    @pytest.fixture(autouse=True)
    def _line(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def make_sink(self, folder: Path) -> PostgresSink:
        schema = f"jrr_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
        return PostgresSink(StorageConfig(dsn=self.proxy.address, schema=schema, compact=False))

    secrets = ("open-sesame",)

    def make_broken_sink(self, folder: Path) -> PostgresSink:
        return PostgresSink(StorageConfig(dsn="postgresql://me:open-sesame@127.0.0.1:1/jrr", connect_timeout_s=2))

    def refused(self) -> Sequence[Any]:
        return [evolve(trade(99), symbol="a\x00b"), "not an event"]

    async def read_back(self, sink: Any, kind: type) -> Sequence[Mapping[str, Any]]:
        return [asdict(event, recurse=False) async for event in sink.read(kind)]

    @contextmanager
    def away(self, sink: Any) -> Iterator[None]:
        self.proxy.refuse()
        self.proxy.cut()
        yield
        self.proxy.accept()
