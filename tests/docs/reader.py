"""Somebody who types what a page says: a folder of their own, a shell, simulated exchanges, an empty database.

Programs stand in the way of four names only: `jrr` collects a second instead of
minutes, `pip` and `make` hold what they are asked for against the project
instead of installing it, `sqlite3` is Python's, since not every machine has it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from jrr_core.wire import decode

ROOT = Path(__file__).resolve().parents[2]
_SHIMS = Path(__file__).with_name("shims.py")
_NAMES = ("jrr", "pip", "make", "sqlite3", "psql", "python3")
_MOST_S = 90.0
# WebSocket and REST address by exchange.
Urls = Mapping[str, tuple[str, str]]


@contextmanager
def listening(*exchanges: str) -> Iterator[Urls]:
    """Yield where simulated exchanges listen, in a process of their own."""
    said = [sys.executable, "-c", "from jrr_core.cli import main; main()", "simulate", *exchanges, "--json"]
    with subprocess.Popen([*said, "--rate", "200"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        found = {}
        while (line := decode(child.stdout.readline()))["event"] != "ready":
            found[line["exchange"]] = (line["ws_url"], line["rest_url"])
        yield found
        child.stdin.close()


@define
class Reader:
    """A reader in `folder`, to whom `urls` are the exchanges and `dsn` the database; `more` is for the environment."""

    folder: Path
    urls: Urls
    dsn: str
    more: Mapping[str, str] = field(factory=dict)

    def sit_down(self, store: Path | None = None) -> None:
        """Prepare the folder: the programs, and the store an earlier day left."""
        for bin_ in (self.folder / "bin", self.folder / ".venv" / "bin"):
            bin_.mkdir(parents=True)
            for name in _NAMES:
                program = bin_ / name
                program.write_text(f'#!/bin/sh\nexec {sys.executable} {_SHIMS} {name} "$@"\n')
                program.chmod(0o755)
        (self.folder / ".ci").mkdir()
        shutil.copy(self.folder / "bin" / "make", self.folder / ".ci" / "run")
        (self.folder / "jrr.toml").write_text("")
        if store is not None:
            shutil.copy(store, self.folder / "market.db")

    def _environ(self, database: bool) -> dict[str, str]:
        """Return the environment: where this machine has the exchanges, and the database where it is wanted."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "JRR_"))}
        for exchange, (ws_url, rest_url) in self.urls.items():
            key = f"JRR_EXCHANGES__{exchange.upper().replace('-', '_')}"
            kept |= {f"{key}__WS_URL": ws_url, f"{key}__REST_URL": rest_url}
        if database:
            kept["JRR_SINKS__POSTGRES__DSN"] = self.dsn
        kept |= self.more
        return {**kept, "PATH": f"{self.folder / 'bin'}:{kept['PATH']}", "PYTHONWARNINGS": "error"}

    def type(self, commands: str) -> "subprocess.CompletedProcess[str]":
        """Let the shell carry out the commands, up to the first that fails."""
        return self._run(["bash", "-e", "-c", commands], database=bool(self.dsn) and "postgres" in commands)

    def run_python(self, code: str) -> "subprocess.CompletedProcess[str]":
        """Run a program."""
        return self._run([sys.executable, "-c", code])

    def _run(self, arguments: list[str], database: bool = False) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            arguments, cwd=self.folder, env=self._environ(database), capture_output=True, text=True, timeout=_MOST_S,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
