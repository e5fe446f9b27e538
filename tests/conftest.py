"""What these tests share: plugins installed for one test, as real distributions on the path; PostgreSQL servers."""

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from jrr_postgres.testing import Home, Server, fresh_database

Install = Callable[..., str]
_numbers = itertools.count()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on the import path that is gone after the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Install:
    """Return a function that installs a plugin: its entry-point name, its code, its distribution."""

    def put(name: str, code: str, distribution: str = "", version: str = "1.0", needs: Sequence[str] = ()) -> str:
        distribution = distribution or f"jrr-{name}"
        module = f"jrr_for_test_{next(_numbers)}"
        (site / f"{module}.py").write_text(code)
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        required = "".join(f"Requires-Dist: {each}\n" for each in needs)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{required}")
        (info / "entry_points.txt").write_text(f"[jrr]\n{name} = {module}\n")
        importlib.invalidate_caches()
        return module

    return put


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """Where PostgreSQL servers come from; none is started before it is asked for."""
    with Home() as servers:
        yield servers


@pytest.fixture
def dsn(home: Home) -> Iterator[str]:
    """The DSN of an empty database that is dropped afterwards."""
    with fresh_database(home.shared()) as fresh:
        yield fresh


@pytest.fixture
def own_server(home: Home) -> Iterator[Server]:
    """A fresh server that the test may stop, restart and give roles."""
    own = home.new()
    yield own
    own.stop("immediate")
