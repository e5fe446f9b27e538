"""Packages for new plugins: whole, clean by their own rules, and never in the way of what is there."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jrr_core.errors import ConfigError
from jrr_core.scaffold import KINDS, scaffold

ROOT = Path(__file__).resolve().parents[1]
# The shortest and the longest name: lines are broken elsewhere.
NAMES = ("x", "abcdefghijklmnopqrst")


def test_every_file_of_a_kind_is_filled_in_for_the_name() -> None:
    for kind in KINDS:
        package = scaffold("my_own", kind, Path("somewhere"))
        assert package.folder == Path("somewhere/jrr_my_own")
        assert {"pyproject.toml", "LICENSE", ".gitignore", ".github/workflows/ci.yml"} <= set(package.files)
        assert {"src/jrr_my_own/__init__.py", "src/jrr_my_own/py.typed"} <= set(package.files)
        assert '[project.entry-points.jrr]\nmy_own = "jrr_my_own"\n' in package.files["pyproject.toml"]
        assert all(command in package.files["README.md"] for command in package.commands)
        left = [path for path, text in package.files.items() if "PLUGIN" in path or "$name" in text.lower()]
        assert not left


@pytest.mark.parametrize("name", NAMES)
def test_packages_are_clean_by_their_own_rules(name: str, tmp_path: Path) -> None:
    for kind in KINDS:
        scaffold(name, kind, tmp_path / kind).write()
    for command in (("check", "--no-cache"), ("format", "--no-cache", "--check")):
        done = _run(tmp_path, "ruff", *command, ".")
        assert done.returncode == 0, done.stdout


def test_packages_are_typed(tmp_path: Path) -> None:
    for kind in KINDS:
        scaffold(f"my_{kind}", kind, tmp_path).write()
        # What `make types` has read of the core need not be read again.
        done = _run(tmp_path / f"jrr_my_{kind}", "mypy", "--cache-dir", str(ROOT / ".mypy_cache"))
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["", "My", "1st", "my-own", "my__own", "own_", "a.b", "../own", "x" * 21])
def test_a_name_that_cannot_be_a_packages_is_refused_with_what_can(name: str) -> None:
    with pytest.raises(ConfigError, match=r"small letters, digits and single underscores.* such as my_exchange"):
        scaffold(name, "sink", Path())


def test_the_name_of_an_installed_plugin_or_package_is_refused(install: Callable[..., str]) -> None:
    install("in-use", "", "jrr-in-use")
    with pytest.raises(ConfigError, match=r"a plugin 'in-use' is installed \(jrr-in-use 1.0\); choose another name"):
        scaffold("in_use", "sink", Path())
    with pytest.raises(ConfigError, match="a package jrr_core is installed; choose another name"):
        scaffold("core", "sink", Path())


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    kept = tmp_path / "jrr_mine" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(ConfigError, match="exists and is left as it is; choose another name or --path"):
        scaffold("mine", "sink", tmp_path).write()
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]


def _run(folder: Path, tool: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", tool, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
