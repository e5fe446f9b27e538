"""What a reader's commands do here: `shims.py NAME ARGUMENTS`. See reader.py."""

import asyncio
import os
import re
import sqlite3
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RUN_S = "1s"


def jrr(arguments: Sequence[str]) -> None:
    """Do as `jrr` does; what collects until stopped, or for minutes, collects a second."""
    from jrr_core.cli import main

    given = list(arguments)
    if given[:1] in (["run"], ["demo"]) and "--help" not in given:
        if "--for" in given:
            at = given.index("--for")
            del given[at : at + 2]
        given += ["--for", _RUN_S]
    main(given, prog_name="jrr")


def pip(arguments: Sequence[str]) -> None:
    """Hold what is to be installed against the project: extras it has, folders that are packages."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert arguments[0] == "install", arguments
    for name in arguments[1:]:
        wanted = re.fullmatch(r"jrr-core(?:\[([\w,-]+)\])?", name)
        if wanted is not None:
            unknown = set((wanted[1] or "testing").split(",")) - set(extras)
            assert not unknown, f"the project has no extra {unknown}"
        elif not name.startswith("-"):
            assert (ROOT / name / "pyproject.toml").is_file(), f"{name} is no package of this project"


def make(arguments: Sequence[str]) -> None:
    """Hold targets against the Makefile; without one (`.ci/run`) the script must be there."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert not set(arguments) - set(targets), f"the Makefile has no {arguments}"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def sqlite3_(arguments: Sequence[str]) -> None:
    """Run a query in a file that is there."""
    file, query = [argument for argument in arguments if not argument.startswith("-")]
    print(*sqlite3.connect(f"file:{file}?mode=ro", uri=True).execute(query).fetchall(), sep="\n")


def psql(arguments: Sequence[str]) -> None:
    """Run a query in the database the reader has, whatever its name."""
    import asyncpg

    async def ask() -> None:
        connection = await asyncpg.connect(os.environ["JRR_SINKS__POSTGRES__DSN"])
        print(*await connection.fetch(arguments[arguments.index("-c") + 1]), sep="\n")
        await connection.close()

    asyncio.run(ask())


def python3(arguments: Sequence[str]) -> None:
    """Take `python3 -m pip` for pip, and anything else for Python."""
    if list(arguments[:2]) == ["-m", "pip"]:
        pip(arguments[2:])
    else:
        os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    programs = {"jrr": jrr, "pip": pip, "make": make, "sqlite3": sqlite3_, "psql": psql, "python3": python3}
    programs[sys.argv[1]](sys.argv[2:])
