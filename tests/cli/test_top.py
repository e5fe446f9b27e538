"""`jrr top --once` as docs/top.md shows it, on a real run; the errors it ends with."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Jrr = Callable[..., Result]

MAIN = "from jrr_core.cli import main; main(prog_name='jrr')"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def test_a_running_collector_is_shown_once(configured: Path, site: Path, jrr: Jrr) -> None:
    port = free_port()
    command = [sys.executable, "-c", MAIN, "run", "--subscribe", "toy:trade:BTCUSD", "--for", "20s", "--no-progress"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.Popen([*command, "--set", f"metrics.listen={port}"], stderr=subprocess.DEVNULL, env=environ)
    try:
        until = time.monotonic() + 15
        while True:
            result = jrr("top", str(port), "--once", "--every", "0.3")
            if "live" in result.stdout or time.monotonic() > until:
                break
            time.sleep(0.1)
    finally:
        run.terminate()
        run.wait()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("jrr 0.1")
    (stream,) = [line for line in lines if line.startswith("toy") and "BTCUSD" in line]
    assert stream.split()[:4] == ["toy", "BTCUSD", "trade", "live"]
    assert any(line.startswith("shelf") for line in lines)


def test_nobody_there_and_no_address_are_told(jrr: Jrr) -> None:
    result = jrr("top", str(free_port()))
    assert result.exit_code == 1
    assert "start one with `jrr run`" in result.stderr
    result = jrr("top", "no where", "--once")
    assert (result.exit_code, "is no address of a collector" in result.stderr) == (2, True)


def test_without_textual_the_view_names_what_to_install(jrr: Jrr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jrr_core.top.app", None)
    result = jrr("top")
    assert result.exit_code == 2
    assert "pip install 'jrr-core[top]'; `jrr top --once` does not" in result.stderr
