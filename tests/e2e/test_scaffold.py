"""New plugins, made by `jrr plugins new`, as strangers build them: wheels in an environment of nothing else."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import venv
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from attrs import define

pytestmark = pytest.mark.e2e

_ROOT = Path(__file__).resolve().parents[2]
_JRR = Path(sys.executable).with_name("jrr")
_KINDS = ("exchange", "parser", "sink", "subscriber")
_PIP = ("-m", "pip", "--disable-pip-version-check")


@define(frozen=True)
class Place:
    """Where the new packages lie, and the environment their wheels are installed in."""

    folder: Path
    bin: Path

    def run(self, *command: str, at: Path | None = None, code: int = 0) -> str:
        """Run a program of the environment; return what it printed."""
        done = _run([str(self.bin / command[0]), *command[1:]], at or self.folder)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Make one plugin of each kind, build wheels of all and of the core, and install them into a new environment."""
    folder = tmp_path_factory.mktemp("strangers")
    for kind in _KINDS:
        done = _run([str(_JRR), "plugins", "new", f"my_{kind}", "--kind", kind], folder)
        assert done.returncode == 0, done.stderr
    wheels = folder / "wheels"
    sources = [_ROOT, _ROOT / "plugins" / "jrr_sqlite", *[folder / f"jrr_my_{kind}" for kind in _KINDS]]
    build = [sys.executable, *_PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    done = _run([*build, *map(str, sources)], folder)
    assert done.returncode == 0, done.stderr
    home = folder / "venv"
    venv.create(home, with_pip=True)
    core, *others = sorted(map(str, wheels.glob("*.whl")), key=lambda path: "jrr_core" not in path)
    install = [
        str(home / "bin" / "python"),
        *_PIP,
        "install",
        "--quiet",
        "--constraint",
        str(_ROOT / "constraints.txt"),
    ]
    done = _run([*install, f"{core}[testing]", *others], folder)
    assert done.returncode == 0, done.stderr
    return Place(folder, home / "bin")


def test_they_are_found_and_fit_their_contracts(place: Place) -> None:
    listed = json.loads(place.run("jrr", "plugins", "--json"))
    offers = {plugin["name"]: plugin for plugin in listed["plugins"]}
    assert listed["broken"] == []
    assert offers["my_exchange"]["exchanges"] == ["my_exchange"]
    assert offers["my_parser"]["parsers"] == ["my_parser"]
    assert offers["my_sink"]["sinks"] == ["my_sink"]
    assert offers["my_subscriber"]["subscribers"] == ["my_subscriber"]


@pytest.mark.parametrize("kind", _KINDS)
def test_its_own_tests_pass_before_a_line_is_edited(place: Place, kind: str) -> None:
    said = place.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", at=place.folder / f"jrr_my_{kind}")
    assert re.search(r"\b[1-9][0-9]* passed", said)


@pytest.mark.parametrize("kind", _KINDS)
def test_it_is_lint_clean_and_typed(place: Place, kind: str) -> None:
    package = place.folder / f"jrr_my_{kind}"
    for tool in (["ruff", "check", "--no-cache", "."], ["ruff", "format", "--no-cache", "--check", "."]):
        done = _run([str(_JRR.with_name(tool[0])), *tool[1:]], package)
        assert done.returncode == 0, done.stdout
    done = _run([sys.executable, "-m", "mypy", "--python-executable", str(place.bin / "python")], package)
    assert done.returncode == 0, done.stdout


def test_the_exchange_is_simulated_checked_and_collected(place: Place, tmp_path: Path) -> None:
    jrr = str(place.bin / "jrr")
    simulate = [jrr, "simulate", "my_exchange", "--port", "0", "--rate", "200"]
    with subprocess.Popen(simulate, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=_alone()) as simulator:
        try:
            assert simulator.stdout is not None
            port = next(found[1] for line in simulator.stdout if (found := re.search(r"ws://127\.0\.0\.1:(\d+)", line)))
            addresses = [
                "--set", f"exchanges.my_exchange.ws_url=ws://127.0.0.1:{port}",
                "--set", f"exchanges.my_exchange.rest_url=http://127.0.0.1:{port}",
            ]  # fmt: skip
            wanted = ["--subscribe", "my_exchange:trade:BTC-USD", "--subscribe", "my_exchange:book:BTC-USD"]
            names = ["--plugins", "my_exchange,my_sink,my_subscriber,sqlite"]
            place.run("jrr", "check", *names, *addresses, *wanted, at=tmp_path)
            stores = ["--set", "sinks.sqlite.path=market.db", "--set", "sinks.my_sink.path=market.jsonl"]
            run = ["run", *names, *addresses, *stores, *wanted, "--for", "3s", "--no-progress"]
            said = place.run("jrr", *run, at=tmp_path)
        finally:
            simulator.terminate()
    assert "nothing was lost" in said
    with closing(sqlite3.connect(tmp_path / "market.db")) as store:
        ids = [int(row[0]) for row in store.execute("SELECT trade_id FROM trades ORDER BY CAST(trade_id AS INTEGER)")]
        (books,) = store.execute("SELECT count(*) FROM book_deltas").fetchone()
    assert len(ids) > 50
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert books > 10
    lines = (tmp_path / "market.jsonl").read_text("utf-8").splitlines()
    assert len([line for line in lines if '"trade_id"' in line]) == len(ids)


def test_the_parser_reads_its_recording(place: Place, tmp_path: Path) -> None:
    recording = str(place.folder / "jrr_my_parser" / "recording.txt")
    said = place.run("jrr", "replay", recording, "--exchange", "my_parser", "--plugins", "my_parser,sqlite",
                     "--set", f"sinks.sqlite.path={tmp_path / 'market.db'}", at=tmp_path)  # fmt: skip
    assert "written" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["My-Exchange", "--kind", "exchange"], "cannot be a plugin's name"),
        (["sqlite", "--kind", "sink"], "a plugin 'sqlite' is installed"),
        (["my_sink", "--kind", "sink"], "jrr_my_sink exists and is left as it is"),
        (["other", "--kind", "bus"], "exchange"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_overwritten(place: Place, words: Sequence[str], said: str) -> None:
    done = _run([str(_JRR), "plugins", "new", *words], place.folder)
    assert done.returncode == 2
    assert said in done.stderr


def _alone() -> dict[str, str]:
    """Return an environment without this checkout on the path."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _run(command: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, env=_alone(), capture_output=True, text=True, timeout=110, check=False)
