"""What every test here may use: real servers, a database of its own, and a line that can be cut.

`dsn` is an empty database on the first kind of server there is. A test marked `every_server` runs
on each kind: that of the Python package, those installed on the system, or the one of
`JRR_TEST_POSTGRES` alone.
"""

from collections.abc import Iterator

import pytest
from jrr_postgres.testing import Address, Home, Proxy, Server, fresh_database, kinds


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
    own.stop("immediate")


@pytest.fixture
def proxy(dsn: str) -> Iterator[Proxy]:
    """A line to the database `dsn` that can be cut, hushed, slowed or refused; connect to `proxy.address`."""
    with Proxy(dsn) as between:
        yield between
