"""What systemd is told, over a real datagram socket."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrr_core.systemd import Systemd


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def run_for(systemd: Systemd, seconds: float) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(systemd.run(lambda: "3 streams"), seconds)

    asyncio.run(main())


def test_a_run_is_ready_alive_at_half_of_the_watchdogs_time_and_stopping(
    manager: socket.socket, tmp_path: Path
) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000", "WATCHDOG_PID": str(os.getpid())}
    run_for(Systemd(environ), 0.16)
    told: list[str] = []
    while not told or not told[-1].startswith("STOPPING=1"):
        told.append(manager.recv(1000).decode())
    assert told[0] == "READY=1\nSTATUS=3 streams"
    assert 3 <= len(told[1:-1]) <= 5
    assert set(told[1:-1]) == {"WATCHDOG=1\nSTATUS=3 streams"}


def test_a_reload_is_told_with_its_time(manager: socket.socket, tmp_path: Path) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    before = time.monotonic_ns() // 1000
    systemd.reloading()
    systemd.ready()
    first, _, second = manager.recv(1000).decode().partition("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert manager.recv(1000) == b"READY=1"


def test_a_name_without_a_file_is_understood() -> None:
    name = f"jrr-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert listener.recv(1000) == b"READY=1"


def test_without_a_service_manager_nothing_is_sent_and_one_that_is_gone_harms_nothing(tmp_path: Path) -> None:
    asyncio.run(Systemd({}).run(lambda: "unread"))
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


def test_the_watchdog_of_another_process_is_not_fed(manager: socket.socket, tmp_path: Path) -> None:
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
    run_for(Systemd(environ), 0.05)
    assert [manager.recv(1000)[:7] for _ in range(2)] == [b"READY=1", b"STOPPIN"]
