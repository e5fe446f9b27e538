"""The environment cryptofeed runs in: a Python of 3.13 or newer, found on this machine, and the release of PyPI.

It is a folder of its own (`.venv-rival`, not in git), made when it is first
needed and kept.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

VERSION = "3.0.1"
OLDEST = (3, 13)
ROOT = Path(__file__).resolve().parents[4]
FOLDER = ROOT / ".venv-rival"
_PLACES = (
    "~/.pyenv/versions/*/bin/python3", "~/.local/share/uv/python/*/bin/python3", "~/.local/bin/python3.1?",
    "/usr/bin/python3.1?", "/usr/local/bin/python3.1?", "/opt/python*/bin/python3", "/opt/homebrew/bin/python3.1?",
)  # fmt: skip


class NoRival(Exception):  # noqa: N818 - says what is not here, nobody's fault
    """cryptofeed cannot run on this machine; the text is why."""


def rival_python() -> Path:
    """Return the Python of the environment that holds cryptofeed; raises NoRival with the reason where none can be."""
    python = FOLDER / "bin" / "python"
    if not _has_cryptofeed(python):
        base = next(_pythons(), None)
        if base is None:
            raise NoRival(f"no Python {'.'.join(map(str, OLDEST))} or newer was found")
        shutil.rmtree(FOLDER, ignore_errors=True)
        _run([base, "-m", "venv", str(FOLDER)])
        _run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
              f"cryptofeed=={VERSION}", "asyncpg"])  # fmt: skip
    return python


def _pythons() -> Iterator[str]:
    """Yield what runs and is new enough, those on the PATH first: a name may be there that starts nothing."""
    found = [shutil.which(f"python3.{minor}") for minor in (13, 14, 15)]
    for place in _PLACES:
        home = Path(os.path.expanduser(place))
        found += sorted(map(str, Path(home.anchor).glob(str(home.relative_to(home.anchor)))))
    for python in dict.fromkeys(filter(None, found)):
        check = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST})"
        if subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0:
            yield python


def _has_cryptofeed(python: Path) -> bool:
    check = f"import asyncpg; from importlib.metadata import version; assert version('cryptofeed') == '{VERSION}'"
    return python.exists() and subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoRival(f"its environment could not be made: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
