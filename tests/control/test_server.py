"""The control socket: its owner's alone, one collector a path, and nothing hostile does harm."""

import asyncio
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jrr_core.control import server as served
from jrr_core.control.client import ControlFailed, ask
from jrr_core.control.protocol import REQUEST_BYTES, Request
from jrr_core.control.server import ControlServer, ControlTaken, owned
from jrr_core.errors import ConfigError, SinkUnavailable
from tests.toy import until


async def command(request: Request) -> Mapping[str, Any]:
    match request.command:
        case "misuse":
            raise ConfigError("write something else")
        case "failure":
            raise SinkUnavailable("it is away")
        case "mistake":
            raise ZeroDivisionError
    return {"streams": list(request.streams)}


COMMANDS = dict.fromkeys(("echo", "misuse", "failure", "mistake"), command)


def listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        return knock.connect_ex(str(path)) == 0


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Path]:
    task = asyncio.ensure_future(ControlServer(path, COMMANDS).run())
    try:
        await until(lambda: listening(path))
        yield path
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def sent(path: Path, *payloads: bytes) -> bytes:
    """Send payloads as they are and return all that comes back before the end of the conversation."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        try:
            for payload in payloads:
                connection.sendall(payload)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except (ConnectionResetError, BrokenPipeError):
            return b""


def test_requests_are_answered_one_after_another_and_errors_are_whose_they_were(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path / "new" / "s") as path:
            asked = asyncio.to_thread
            assert await asked(ask, path, "echo", ["a:b:c"]) == {"streams": ["a:b:c"]}
            with pytest.raises(ConfigError, match=r"^write something else$"):
                await asked(ask, path, "misuse")
            with pytest.raises(ControlFailed, match=r"^it is away$"):
                await asked(ask, path, "failure")
            with pytest.raises(ControlFailed, match="the collector failed at it: ZeroDivisionError"):
                await asked(ask, path, "mistake")
            with pytest.raises(ConfigError, match="knows no command 'ecko'; it knows echo, misuse"):
                await asked(ask, path, "ecko")
            both = await asked(sent, path, b'{"command":"echo"}\n{"command":"echo","streams":["x"]}\n')
            assert [json.loads(row)["result"]["streams"] for row in both.splitlines()] == [[], ["x"]]
        assert not path.exists()

    asyncio.run(main())


def test_only_the_owner_may_use_it_from_before_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = os.umask(0)
    try:
        with owned(tmp_path / "new" / "s") as listener:
            assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
            assert stat.S_IMODE((tmp_path / "new" / "s").stat().st_mode) == 0o600
            with pytest.raises(ConnectionRefusedError):
                sent(tmp_path / "new" / "s")
            listener.listen()
            assert os.umask(0) == 0
    finally:
        os.umask(old)

    async def main() -> None:
        async with serving(tmp_path / "s") as path:
            monkeypatch.setattr(served, "peer_uid", lambda connected: os.geteuid() + 1)
            assert await asyncio.to_thread(sent, path, b'{"command":"echo"}\n') == b""

    asyncio.run(main())


@pytest.mark.parametrize(
    "payload",
    [
        b"\n", b"\0\xff\xfe\n", b"[]\n", b'"echo"\n', b"{}\n", b'{"command":7}\n',
        b'{"command":"echo","streams":"x"}\n', b'{"command":"echo","streams":[[1]]}\n', b"[" * 100_000 + b"\n",
        b'{"command":"' + b"\\u001b[2J" * 999 + b'"}\n', b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"x" * (REQUEST_BYTES * 2 + 100), b"",
    ],
)  # fmt: skip
def test_what_makes_no_sense_ends_its_own_conversation_at_most(tmp_path: Path, payload: bytes) -> None:
    async def main() -> None:
        async with serving(tmp_path / "s") as path:
            answers = await asyncio.to_thread(sent, path, payload)
            for row in answers.splitlines():
                assert json.loads(row)["misuse"] is True
                assert len(row) < 1000
                assert b"\x1b" not in row
            assert await asyncio.to_thread(ask, path, "echo", ["still"]) == {"streams": ["still"]}

    asyncio.run(main())


def test_who_says_nothing_is_let_go_and_no_more_than_some_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "_LINE_S", 0.05)
    monkeypatch.setattr(served, "_MOST", 2)

    async def main() -> None:
        async with serving(tmp_path / "s") as path:
            pairs = [await asyncio.open_unix_connection(str(path)) for _ in range(3)]
            pairs[0][1].write(b'{"command":"ec')
            for reader, writer in pairs:
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()
            assert await asyncio.to_thread(ask, path, "echo") == {"streams": []}

    asyncio.run(main())


def test_a_dead_collectors_socket_is_replaced_and_a_living_ones_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))

    async def main() -> None:
        async with serving(path):
            await ControlServer(path, {}).run()
            assert await asyncio.to_thread(ask, path, "echo") == {"streams": []}

    with caplog.at_level(logging.ERROR, "jrr"):
        asyncio.run(main())
    (record,) = caplog.records
    assert (
        "a collector that is alive answers there; give this one a name of its own (--instance NAME)" in record.message
    )
    assert record.__dict__["jrr_event"] == "control_unavailable"


def test_what_is_no_socket_and_what_another_program_answers_at_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ControlTaken, match=r"a file that is no socket; move it away or set another control.path"):
        owned(tmp_path / "file").__enter__()
    assert (tmp_path / "file").read_text() == "mine"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / "other"))
        other.listen()
        with pytest.raises(ControlTaken, match="alive"):
            owned(tmp_path / "other").__enter__()
        assert (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_used_costs_the_socket_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.ERROR, "jrr"):
        asyncio.run(ControlServer(tmp_path / "file" / "s", {}).run())
    assert [record.__dict__["jrr_event"] for record in caplog.records] == ["control_unavailable"]
