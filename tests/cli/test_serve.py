"""`jrr replay --serve`, as docs/capturing.md shows it."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from jrr_core.capture.entry import written
from jrr_core.cli import main
from jrr_core.frame import Frame
from jrr_core.tape import Received

TS = 1_723_161_255_000_000_000


def capture(exchange: str) -> Path:
    """Return a capture of three frames."""
    folder = Path("captures")
    folder.mkdir()
    frames = [Frame(exchange, f'{{"stream":"x","data":{{"n":{n}}}}}'.encode(), TS + n) for n in range(3)]
    (folder / "a.jsonl").write_bytes(b"".join(written(Received("s", frame)) for frame in frames))
    return folder / "a.jsonl"


async def heard(url: str) -> int:
    """Return how many frames come until the recording is over."""
    count = 0
    async with connect(f"{url}/stream?streams=x") as client:
        with suppress(ConnectionClosed):
            while await client.recv():
                count += 1
    return count


def test_a_capture_is_served_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = "from jrr_core.cli import main; main()"
    arguments = ["replay", str(capture("binance")), "--exchange", "binance", "--serve", "0"]
    with subprocess.Popen([sys.executable, "-c", command, *arguments], stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        name, url, _ = serving.stdout.readline().split()
        assert name == "binance"
        assert asyncio.run(heard(url)) == 3
        said = serving.stdout.read()
    assert serving.returncode == 0
    assert "binance: 3 frames played, 3 sent to 1 clients" in said


def test_what_cannot_be_served_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(capture("nowhere"))
    for arguments, why in (
        ([file, "--serve", "0"], "no loaded plugin offers the exchange 'nowhere'"),
        ([file, "--serve", "loopback"], "--serve = 'loopback' is no address"),
        (["--exchange", "binance", file, "--serve", "99999"], "--serve = '99999' is no address"),
    ):
        result = CliRunner().invoke(main, ["replay", *arguments])
        assert result.exit_code == 2, result.output
        assert why in result.output
        assert "Traceback" not in result.output
