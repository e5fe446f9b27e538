"""Which event loop and transport a run uses, with the fast ones installed and without."""

import asyncio
import subprocess
import sys

import pytest
import uvloop

from jrr_core.errors import ConfigError
from jrr_core.eventloop import loop_in_use, run_on
from jrr_core.route import Network, NetworkSettings, transport_in_use


async def _kind() -> type:
    await asyncio.sleep(0)
    return type(asyncio.get_running_loop())


def test_what_is_installed_is_used() -> None:
    assert (loop_in_use("auto"), transport_in_use("auto")) == ("uvloop", "picows")
    assert issubclass(run_on("uvloop", _kind()), uvloop.Loop)


def test_what_is_asked_for_is_used() -> None:
    assert (loop_in_use("asyncio"), transport_in_use("websockets")) == ("asyncio", "websockets")
    assert not issubclass(run_on("asyncio", _kind()), uvloop.Loop)


def test_without_them_the_usual_ones_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("picows", "uvloop"):
        monkeypatch.setitem(sys.modules, name, None)
    assert (loop_in_use("auto"), Network().transport) == ("asyncio", "websockets")
    cure = r'pip install "jrr-core\[fast\]"'
    with pytest.raises(ConfigError, match=cure):
        loop_in_use("uvloop")
    with pytest.raises(ConfigError, match=cure):
        Network(NetworkSettings(transport="picows"))


def test_collecting_loads_only_the_library_it_uses() -> None:
    look = "import jrr_core.cli.run, jrr_core.transport, sys; from jrr_core.route import Network, NetworkSettings\n"
    look += "import asyncio; from jrr_core.transport import open_socket, ConnectFailed\n"
    look += "network = Network(NetworkSettings(transport='{}', proxy='none'))\n"
    look += "try: asyncio.run(open_socket('ws://127.0.0.1:9', 1.0, network=network))\nexcept ConnectFailed: pass\n"
    look += "print(*sorted({{name.split('.')[0] for name in sys.modules}} & {{'picows', 'websockets'}}),"
    look += "'websockets.server' in sys.modules or 'websockets.asyncio' in sys.modules)"
    for transport, told in (("websockets", "websockets False"), ("picows", "picows False")):
        code = look.format(transport)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == told
