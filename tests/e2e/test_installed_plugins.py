"""Plugins as strangers ship them: wheels beside the core's, in an environment that knows nothing of this checkout.

The examples of the docs, a scaffold of each kind as `jrr plugins new` makes it,
and the tutorial, followed to the letter.
"""

import os
import re
import sqlite3
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from attrs import define

from jrr_core.scaffold import scaffold
from jrr_core.wire import decode
from tests.e2e.walkthrough import Walk, steps_of

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = (ROOT / "docs" / "examples" / "jrr_tickertape", ROOT / "docs" / "examples" / "jrr_candleprinter")
TUTORIAL = steps_of((ROOT / "docs" / "plugins" / "tutorial.md").read_text("utf-8"))
# Beside the exchange of the tutorial, which is a scaffold too: its tests run there.
SCAFFOLDS = {"harbour": "exchange", "logbook": "sink", "lookout": "subscriber", "reader": "parser"}
TESTED = ("logbook", "lookout", "reader")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@define(frozen=True)
class Site:
    """An environment with jrr and the plugins: its programs, what its shell knows, the folder of the scaffolds."""

    programs: Path
    env: Mapping[str, str]
    scaffolds: Path

    def run(self, folder: Path, program: str, *arguments: str) -> str:
        """Run a program of the environment and return what it prints; AssertionError with its words where it fails."""
        done = subprocess.run(
            [str(self.programs / program), *arguments],
            env=self.env, cwd=folder, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Build the wheels, and install them as the tutorial says to install jrr.

    The environment has no pip of its own, which would take longer than all
    else: its `pip` is ours, told to work there.
    """
    folder = tmp_path_factory.mktemp("site")
    for name, kind in SCAFFOLDS.items():
        scaffold(name, kind, folder / "scaffolds").write()
    wheels = [*EXAMPLES, *(folder / "scaffolds" / f"jrr_{name}" for name in SCAFFOLDS)]
    ours = [ROOT, ROOT / "plugins" / "jrr_sqlite", ROOT / "plugins" / "jrr_parquet"]
    build = [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels")]
    subprocess.run([*build, *map(str, [*ours, *wheels])], check=True)
    venv.create(folder / "env", symlinks=True)
    programs = folder / "env" / "bin"
    pip = programs / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pip --python "{programs}/python" "$@"\n')
    pip.chmod(0o755)
    site = Site(programs, _shell(programs, folder / "wheels"), folder / "scaffolds")
    install = TUTORIAL[0].code.splitlines()[-1]
    found = re.fullmatch(r'pip install "(\S+)"', install)
    assert found, f"the tutorial's environment ends with {install!r}, not with installing jrr"
    others = [path.name.replace("_", "-") for path in wheels]
    site.run(folder, "pip", "install", "--quiet", found[1], "jrr-parquet", "hatchling", "editables", *others)
    return site


def _shell(programs: Path, wheels: Path) -> dict[str, str]:
    """Return the variables of a shell in which the environment is active and pip finds our wheels."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JRR_", "COV"))}
    return {
        **kept,
        "PATH": f"{programs}:{kept['PATH']}",
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": f"{wheels} {kept.get('PIP_FIND_LINKS', '')}",
        # The tools that build wheels are in the environment already; pip reads this variable as the option's value.
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_COMPILE": "1",
    }


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """Run the example's own server on a free port; yield its address."""
    command = [str(site.programs / "python"), str(EXAMPLES[0] / "demo_server.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=site.env, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def test_their_entry_points_are_found_and_listed(site: Site, tmp_path: Path) -> None:
    listed = site.run(tmp_path, "jrr", "plugins")
    assert re.findall(r"^(\w+)  \(jrr-", listed, re.MULTILINE) == [
        "candleprinter", "harbour", "logbook", "lookout", "parquet", "reader", "sqlite", "tickertape",
    ]  # fmt: skip


def test_their_own_tests_pass_against_the_installed_packages(site: Site, tmp_path: Path) -> None:
    command = [str(site.programs / "pytest"), "-q", "-p", "no:cacheprovider"]
    # Without the settings of this checkout, which the examples' folders are in.
    examples = [
        "-W",
        "error",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
        *[f"{folder}/tests" for folder in EXAMPLES],
    ]
    runs = {"examples": (tmp_path, examples), **{name: (site.scaffolds / f"jrr_{name}", []) for name in TESTED}}
    running = {
        name: subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=site.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, (folder, arguments) in runs.items()
    }
    said = {name: process.communicate(timeout=100)[0] for name, process in running.items()}
    failed = {name: said[name] for name, process in running.items() if process.returncode}
    assert not failed, "\n".join(failed.values())


def test_what_is_collected_reaches_every_store_and_subscriber(site: Site, address: str, tmp_path: Path) -> None:
    settings = [
        "--plugins", "tickertape,sqlite,parquet,candleprinter,logbook,lookout",
        "--subscribe", "tickertape:trade:BTC-USD", "--subscribe", "tickertape:quote:BTC-USD",
        "--set", f"exchanges.tickertape.ws_url={address}", "--set", "sinks.sqlite.path=market.db",
        "--set", "sinks.parquet.path=market-parquet", "--set", "sinks.logbook.path=market.jsonl",
        "--set", "subscribers.candleprinter.interval=1s", "--set", "subscribers.candleprinter.wait_s=0.2",
        "--set", "subscribers.lookout.percent=0.00001",
    ]  # fmt: skip
    checked = site.run(tmp_path, "jrr", "check", *settings[:2], *settings[6:])
    assert re.search(r"^ok +store logbook +opens and can be written", checked, re.MULTILINE), checked
    said = site.run(tmp_path, "jrr", "run", *settings, "--for", "3s", "--no-progress")
    with closing(sqlite3.connect(tmp_path / "market.db")) as store:
        trades = store.execute(
            "SELECT trade_id, price, amount, side FROM trades WHERE exchange = 'tickertape' AND symbol = 'BTC-USD' "
            "ORDER BY CAST(trade_id AS INTEGER)"
        ).fetchall()
        (quotes,) = store.execute("SELECT count(*) FROM quotes WHERE exchange = 'tickertape'").fetchone()
    assert len(trades) > 100
    assert [int(trade_id) for trade_id, *_ in trades] == list(range(1, len(trades) + 1))
    assert trades[0] == ("1", "61837.64", "0.00000001", "sell")
    assert abs(quotes - len(trades)) <= 1
    files = duckdb.connect().read_parquet(f"{tmp_path}/market-parquet/trades/**/*.parquet", hive_partitioning=True)
    assert files.project("trade_id, price, amount, side").order("CAST(trade_id AS INTEGER)").fetchall() == trades
    lines = [decode(line) for line in (tmp_path / "market.jsonl").read_text().splitlines()]
    columns = ("trade_id", "price", "amount", "side")
    assert [tuple(line[name] for name in columns) for line in lines if line["type"] == "trade"] == trades
    candles = re.findall(r"^\S+ \S+ tickertape BTC-USD 1s( [0-9.]+){5} (\d+)$", said, re.MULTILINE)
    assert candles
    assert sum([int(count) for _, count in candles]) <= len(trades)
    assert re.search(r"^tickertape BTC-USD [0-9.]+ [+-]0\.00 %$", said, re.MULTILINE)


def test_a_parser_without_a_connector_reads_a_recording(site: Site, tmp_path: Path) -> None:
    recording = str(site.scaffolds / "jrr_reader" / "recording.txt")
    arguments = [
        "--exchange",
        "reader",
        "--plugins",
        "reader,sqlite",
        "--set",
        f"sinks.sqlite.path={tmp_path}/replayed.db",
    ]
    site.run(tmp_path, "jrr", "replay", recording, *arguments)
    with closing(sqlite3.connect(tmp_path / "replayed.db")) as store:
        assert store.execute("SELECT price, side FROM trades ORDER BY trade_id").fetchall() == [
            ("61837.630", "buy"),
            ("61837.6", "sell"),
        ]


def test_the_tutorial_can_be_followed_to_the_letter(site: Site, tmp_path: Path) -> None:
    walk = Walk(tmp_path, site.env)
    try:
        for step in TUTORIAL[1:]:
            walk.take(step)
    finally:
        walk.close()
    with closing(sqlite3.connect(tmp_path / "jrr_acme" / "acme.db")) as store:
        for table in ("trades", "quotes", "book_deltas", "candles"):
            (rows,) = store.execute(f"SELECT count(*) FROM {table} WHERE exchange = 'acme'").fetchone()
            assert rows, table
