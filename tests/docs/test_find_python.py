"""The Makefile finds a Python that will do, or says which ones will not and why."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "find-python"
OLD = """case "$2" in *print*) echo 3.10.1 ;; *) exit 1 ;; esac"""
BARE = """case "$2" in *print*) echo 3.12.1 ;; *ensurepip*) exit 1 ;; esac"""


def test_a_python_that_will_do_is_printed() -> None:
    done = _find(sys.executable)
    assert (done.returncode, done.stdout) == (0, f"{sys.executable}\n")


@pytest.mark.parametrize(
    ("body", "reason"), [(OLD, "is Python 3.10.1"), (BARE, "(3.12.1) cannot make virtual environments")]
)
def test_a_python_that_will_not_do_is_named_with_the_reason(body: str, reason: str, tmp_path: Path) -> None:
    python = tmp_path / "a python"
    python.write_text(f"#!/bin/sh\n{body}\n")
    python.chmod(0o755)
    done = _find(str(python))
    assert done.returncode == 2
    assert f"{python} {reason}" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_no_python_at_all_is_said(tmp_path: Path) -> None:
    done = _find(str(tmp_path / "python3"))
    assert done.returncode == 2
    assert "none was found.\n" in done.stderr


def _find(python: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["/bin/sh", str(SCRIPT), python], capture_output=True, text=True, timeout=20, check=False)
