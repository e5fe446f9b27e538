"""What a client may see of a run, and that no client can hold it up."""

import asyncio
import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from jrr_core.observe import server as server_module
from jrr_core.observe.address import Address
from jrr_core.observe.server import Observer
from tests.toy import until

STATS: Mapping[str, Any] = {"exchanges": {}, "sinks": {}, "workers": [], "capture": None, "alarms": [], "n": 1}


def observing(
    client: Callable[[int], Any], stats: Callable[[], Mapping[str, Any]] = lambda: STATS, hold_s: float = 0
) -> Any:
    """Return what `client(port)` finds in a thread of its own while a loop serves stats."""

    async def main() -> Any:
        observer = Observer(Address("127.0.0.1", 0), stats)
        observer.start()
        asked = asyncio.ensure_future(asyncio.to_thread(client, observer.address.port))
        if hold_s:
            await asyncio.sleep(0.05)
            time.sleep(hold_s)  # noqa: ASYNC251 - a loop that is stuck is the subject
        try:
            return await asked
        finally:
            observer.stop()

    return asyncio.run(main())


def get(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_there_are_four_paths_and_others_are_told_of_them() -> None:
    def client(port: int) -> list[tuple[int, str]]:
        return [get(port, path) for path in ("/livez", "/stats?x=1", "/readyz", "/", "/../etc/passwd")]

    live, stats, ready, root, other = observing(client)
    assert live == (200, "alive\n")
    assert stats[0] == 200
    assert json.loads(stats[1])["n"] == 1
    assert ready == (503, '{"ready":false,"waiting":["nothing is subscribed"]}\n')
    assert root == other == (404, "nothing is here; there are /metrics, /livez, /readyz, /stats\n")


def test_only_get_and_head_are_answered() -> None:
    found = observing(lambda port: [get(port, "/livez", method)[0] for method in ("HEAD", "POST", "DELETE")])
    assert found == [200, 501, 501]


def test_a_loop_that_is_stuck_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_PATIENCE_S", 0.2)

    def client(port: int) -> tuple[int, str]:
        time.sleep(0.1)
        return get(port, "/livez")

    assert observing(client, hold_s=1.0) == (503, "the event loop does not answer within 0.2 s\n")


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("127.0.0.1:9464", 200), ("localhost:1", 200), ("[::1]:1", 200), ("evil.example", 403),
     ("127.0.0.1.evil.example", 403)],
)  # fmt: skip
def test_pages_of_other_sites_cannot_read_it_through_a_browser(host: str, status: int) -> None:
    assert observing(lambda port: get(port, "/stats", Host=host)[0]) == status


def test_clients_that_say_nothing_hold_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module._Handler, "timeout", 0.3)

    def client(port: int) -> tuple[int, float]:
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        began = time.monotonic()
        while True:
            try:
                status = get(port, "/livez")[0]
            except OSError:
                time.sleep(0.02)
                continue
            for each in idle:
                each.close()
            return status, time.monotonic() - began

    status, took_s = observing(client)
    assert status == 200
    assert took_s < 3


def test_clients_that_send_a_byte_now_and_then_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_PATIENCE_S", 0.3)

    def drip(port: int, ended: threading.Event) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as slow:
            for byte in b"GET /livez HTTP/1.1\r\nX: " + b"y" * 1000:
                if ended.wait(0.05):
                    return
                slow.sendall(bytes([byte]))

    def client(port: int) -> float:
        ended, began = threading.Event(), time.monotonic()
        slow = [threading.Thread(target=drip, args=(port, ended)) for _ in range(server_module._AT_ONCE)]
        for each in slow:
            each.start()
        time.sleep(0.2)
        while True:
            try:
                get(port, "/livez")
                break
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
        took = time.monotonic() - began
        ended.set()
        for each in slow:
            each.join()
        return took

    assert observing(client) < 3


@pytest.mark.parametrize("error", [ValueError("boom"), RuntimeError("dictionary changed size"), TimeoutError()])
def test_stats_that_fail_are_an_error_of_that_request_alone(error: Exception) -> None:
    calls: list[int] = []

    def stats() -> Mapping[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            raise error
        return STATS

    def client(port: int) -> list[int]:
        return [get(port, path)[0] for path in ("/livez", "/stats", "/stats", "/livez")]

    assert observing(client, stats) == [200, 500, 200, 200]


def test_a_taken_port_is_told_with_its_cure_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            observer = Observer(Address("127.0.0.1", taken.getsockname()[1]), lambda: STATS)
            observer.start()
            observer.stop()

    with caplog.at_level(logging.ERROR, "jrr"):
        asyncio.run(main())
    assert "set metrics.listen to another address, or to nothing" in caplog.text


def test_after_the_end_nobody_listens() -> None:
    async def main() -> None:
        observer = Observer(Address("127.0.0.1", 0), lambda: STATS)
        observer.start()
        port = observer.address.port
        assert await asyncio.to_thread(get, port, "/livez") == (200, "alive\n")
        observer.stop()
        await until(lambda: not any(thread.name.startswith("jrr-observe") for thread in threading.enumerate()))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.to_thread(get, port, "/livez")

    asyncio.run(main())
