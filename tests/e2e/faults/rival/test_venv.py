"""Where no Python can run cryptofeed, that is said and no figure is made up."""

from pathlib import Path

import pytest

from . import venv
from .contest import Score
from .report import contest_table


def test_a_machine_without_a_python_for_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python3.13"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(venv, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(venv, "_PLACES", ())
    with pytest.raises(venv.NoRival, match=r"3\.13 or newer"):
        venv.rival_python()


def test_the_table_without_it_has_no_figure_for_it() -> None:
    lines = contest_table([Score("one bad row", "jrr", 1000, 1, 1, 0, False, {})], "no Python was found")
    assert lines[2:] == ["| one bad row | 1,000 | 1 | 1 |", "", "No figures for cryptofeed: no Python was found."]


def test_only_the_scripts_of_its_own_environment_import_cryptofeed() -> None:
    importing = [
        path.name
        for folder in ("jrr_core", "plugins", "tests", "benchmarks", "examples", "docs")
        for path in (venv.ROOT / folder).rglob("*.py")
        if any(line.startswith(("import cryptofeed", "from cryptofeed")) for line in path.read_text().splitlines())
    ]
    assert importing == ["cryptofeed_collector.py", "rival_client.py"]
