"""`jrr simulate` as people and as the demo use it; the exchange is a plugin installed for the test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from jrr_core.cli import main
from jrr_core.testing.truth import Truth

SCRIPT = """
from decimal import Decimal
from jrr_core.testing.simulator import Listing, Reply

class Script:
    exchange = "tiny"
    faults = {"mute": "Sends nothing."}
    listings = (Listing("BTC", Decimal(100), Decimal("0.01"), Decimal("0.1")),)
    demo = ()

    def __init__(self, market, truth, faults, now_ns): pass
    def connect(self, path, query, now_ns): return Reply(404)
    def disconnect(self, peer, now_ns): pass
    def get(self, path, query, now_ns): return Reply(200, "{}")
    def happen(self, happening): pass
    def tick(self, now_ns): pass
    def finish(self, now_ns): pass
"""
PLUGIN = """
from jrr_core import hookspecs
from jrr_core.connector import ExchangeSettings, Limits, Rate

class Connector:
    exchange = "tiny"
    Settings = ExchangeSettings
    simulator = "tiny_exchange_simulator:Script"
    limits = Limits(Rate(1, 1), Rate(1, 1))
    def __init__(self, settings): pass
    def sessions(self, wanted): return ()
    def parser(self, subscriptions): raise NotImplementedError
    def instrument_requests(self): return ()
    def instruments(self, frame): return ()

class Mute(Connector):
    exchange = "mute"
    simulator = None

class Broken(Connector):
    exchange = "broken"
    simulator = "tiny_exchange_simulator:Nothing"

@hookspecs.hookimpl
def jrr_connectors():
    return [Connector, Mute, Broken]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an installed exchange plugin, on the path of this process and its children."""
    (tmp_path / "tiny_exchange.py").write_text(PLUGIN)
    (tmp_path / "tiny_exchange_simulator.py").write_text(SCRIPT)
    info = tmp_path / "jrr_tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jrr-tiny\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jrr]\ntiny = tiny_exchange\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def jrr(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(main, ["simulate", *arguments])
    return outcome.exit_code, outcome.output


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from jrr_core.cli import main; main()", "simulate", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_says_where_it_listens_and_what_to_try(folder: Path) -> None:
    code, text = jrr("tiny", "--for", "0.1s", "--truth", str(folder / "truth.jsonl"))
    assert code == 0
    first, second, *_, last = text.splitlines()
    name, ws_url, rest_url = first.split()
    assert (name, ws_url.partition(":")[0], rest_url.partition(":")[0]) == ("tiny", "ws", "http")
    assert f"jrr run --set exchanges.tiny.ws_url={ws_url} --set exchanges.tiny.rest_url={rest_url}" in second
    assert last == f"0 frames sent; what they carried is in {folder / 'truth.jsonl'}"
    assert [book.symbol for book in Truth.read(folder / "truth.jsonl").books] == ["BTC"]


def test_faults_are_listed(folder: Path) -> None:
    code, text = jrr("tiny", "--fault", "list")
    assert code == 0
    assert "mute        Sends nothing." in text
    assert "reset" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "exchange 'nowhere'"),
        (["mute"], "mute has no simulator; these have:"),
        (["broken"], "the simulator tiny_exchange_simulator:Nothing of broken cannot be imported"),
        (["tiny", "--fault", "mute"], "is not of the form NAME=VALUE"),
        (["tiny", "--fault", "nute=1"], "did you mean mute?"),
        (["tiny", "--symbols", "DOGE"], "does not list 'DOGE'; it lists BTC"),
        (["tiny", "--for", "soon"], "is not a duration"),
        (["tiny", "--rate", "20001"], "--rate"),
        (["tiny", "--truth-kinds", "trades"], "no event is of the kind 'trades'"),
        (["tiny", "--truth", "/nowhere/at/all"], "cannot write the truth file /nowhere/at/all"),
    ],
)
def test_mistakes_are_explained(folder: Path, arguments: list[str], says: str) -> None:
    code, text = jrr(*arguments)
    assert code == 2
    assert says in text


def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = jrr("tiny", "--port", str(port))
    assert code == 2
    assert f"port {port} on 127.0.0.1 is already in use; choose another with --port" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(folder: Path, number: signal.Signals) -> None:
    with start("tiny") as process:
        assert process.stdout is not None
        while "Ctrl-C" not in process.stdout.readline():
            pass
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
        assert (process.returncode, out, errors) == (0, "0 frames sent\n", "")


def test_a_parent_gets_json_lines_and_ends_it_by_closing_its_input(folder: Path) -> None:
    truth_file = folder / "truth.jsonl"
    with start("tiny", "--json", "--for", "0.1s", "--truth", str(truth_file)) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert [line["event"] for line in lines] == ["listening", "ready", "quiet"]
        with socket.create_connection(("127.0.0.1", lines[0]["port"])):
            assert lines[0]["ws_url"] == f"ws://127.0.0.1:{lines[0]['port']}"
        time.sleep(0.1)
        assert process.poll() is None
        process.stdin.close()
        assert json.loads(process.stdout.readline()) == {"event": "done", "frames": 0, "truth": str(truth_file)}
        assert process.wait(20) == 0
        assert os.path.getsize(truth_file)
