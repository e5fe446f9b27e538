"""What every test here may use: real servers, a database of its own, and a line that can be cut.

`dsn` is an empty database on the first kind of server there is. A test marked `every_server` runs
on each kind: that of the Python package, those installed on the system, or the one of
`JRR_TEST_POSTGRES` alone.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import Address, Home, Proxy, Server, fresh_database, kinds

from jrr_core.buffer import Buffer
from jrr_core.counters import SinkCounters
from jrr_core.drain import Drain
from jrr_core.sink import BatchPolicy


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_server: runs on each kind of PostgreSQL server there is")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_kind" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_server") is not None
        metafunc.parametrize("server_kind", kinds() if every else kinds()[:1])


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Where servers come from: `home.new()` gives one of your own, with the settings you want."""
    with Home() as servers:
        yield servers


@pytest.fixture
def server(home: Home, server_kind: str) -> Address:
    """A running server that all tests share: leave it as it is."""
    return home.shared(server_kind)


@pytest.fixture
def dsn(server: Address) -> Iterator[str]:
    """The DSN of a database that was just made and is dropped afterwards."""
    with fresh_database(server) as fresh:
        yield fresh


@pytest.fixture
def own_server(home: Home) -> Iterator[Server]:
    """A fresh server that the test may stop, crash, restart and fill."""
    own = home.new()
    yield own
    home.remove(own)


@pytest.fixture
def proxy(dsn: str) -> Iterator[Proxy]:
    """A line to the database `dsn` that can be cut, hushed, slowed or refused; connect to `proxy.address`."""
    with Proxy(dsn) as between:
        yield between


class Collector:
    """The sink behind a buffer and a drain, as `jrr run` has it, with what its quarantine was given."""

    def __init__(self, dsn: str, max_rows: int = 500, **settings: Any) -> None:
        self.sink = PostgresSink(StorageConfig(dsn=dsn, **{"compact": False, "connect_timeout_s": 2.0, **settings}))
        self.counters = SinkCounters()
        self.buffer = Buffer(BatchPolicy(max_rows, 0.02), 1_000_000, self.counters)
        self.drain = Drain(self.sink, self.buffer, self.counters, self._keep)
        self.kept: list[tuple[str, str]] = []
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.drain.try_open()
        self._running = asyncio.create_task(self.drain.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running is not None
        self.buffer.close()
        try:
            async with asyncio.timeout(20):
                await self._running
        finally:
            await self.drain.close()

    def put(self, *events: Any) -> None:
        for event in events:
            self.buffer.put(event)

    async def settled(self, within_s: float = 30.0) -> None:
        """Return once every event has its counter."""
        deadline = time.monotonic() + within_s
        while self.drain.pending:
            assert time.monotonic() < deadline, f"{self.drain.pending} events still wait, store {self.drain.state}"
            await asyncio.sleep(0.005)

    @property
    def balanced(self) -> bool:
        ends = self.counters
        return ends.published == ends.written + ends.duplicate + ends.dropped + ends.quarantined + self.drain.pending

    def _keep(self, origin: str, reason: str, row: str) -> None:
        self.kept.append((reason, row))


@pytest.fixture
def collector() -> Callable[..., Collector]:
    """Make a Collector of a DSN: `async with` opens and drains it, and closes it when all is stored."""
    return Collector
