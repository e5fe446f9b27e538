"""The Sink contract, by the kit every sink is held to, on each kind of server."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import Proxy

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

    def make_broken_sink(self, folder: Path) -> PostgresSink:
        return PostgresSink(StorageConfig(dsn=re.sub(r":\d+/", ":1/", self.proxy.address), connect_timeout_s=2))

    async def read_back(self, sink: Any, kind: type) -> Sequence[Mapping[str, Any]]:
        return [asdict(event, recurse=False) async for event in sink.read(kind)]

    @contextmanager
    def away(self, sink: Any) -> Iterator[None]:
        self.proxy.refuse()
        self.proxy.cut()
        yield
        self.proxy.accept()
