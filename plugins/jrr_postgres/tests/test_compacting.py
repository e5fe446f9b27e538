"""The compacting process: ends when it fails, when it is not wanted any more, and with its parent."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from socket import socket

import psutil
import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.compacting import in_child

from jrr_core.errors import SinkUnavailable


class Silent:
    """A server that takes connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.dsn = f"postgresql://user@127.0.0.1:{self._listener.getsockname()[1]}/market?sslmode=disable"
        self.asked = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with closing(connection):
            self.asked.set()
            while connection.recv(4096):
                pass

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def silent() -> Iterator[Silent]:
    with closing(Silent()) as server:
        yield server


def children(parent: int) -> list[psutil.Process]:
    return psutil.Process(parent).children(recursive=True)


def test_it_tells_in_one_line_why_it_failed() -> None:
    settings = StorageConfig(dsn="postgresql://user:hunter2@127.0.0.1:1/market")

    async def run() -> None:
        async with asyncio.timeout(30):
            await in_child(settings, date(2024, 1, 2))

    with pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1:1 cannot be reached") as failed:
        asyncio.run(run())
    assert "hunter2" not in str(failed.value)


def test_a_cancelled_call_stops_it(silent: Silent) -> None:
    async def run() -> list[psutil.Process]:
        before = {child.pid for child in children(psutil.Process().pid)}
        call = asyncio.create_task(in_child(StorageConfig(dsn=silent.dsn, connect_timeout_s=60), date(2024, 1, 2)))
        await asyncio.to_thread(silent.asked.wait, 30)
        mine = [child for child in children(psutil.Process().pid) if child.pid not in before]
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return mine

    (child,) = asyncio.run(run())
    assert not child.is_running()


def test_it_ends_with_its_parent(silent: Silent) -> None:
    code = (
        "import asyncio, datetime; from jrr_postgres import StorageConfig;"
        "from jrr_postgres.compacting import in_child;"
        f"s = StorageConfig(dsn={silent.dsn!r}, connect_timeout_s=60);"
        "asyncio.run(in_child(s, datetime.date(2024, 1, 2)))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert silent.asked.wait(30)
        (child,) = children(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()
