"""`jrr plugins new` at the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result


def test_a_package_is_made_and_what_to_type_next_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jrr: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = jrr("plugins", "new", "my_own", "--kind", "exchange", "--path", "plugins of mine")
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0].startswith("made plugins of mine/jrr_my_own: exchange 'my_own', ")
    assert lines[2:5] == ["cd 'plugins of mine/jrr_my_own'", 'pip install --editable ".[testing]"', "pytest"]
    assert lines[5] == "jrr simulate my_own --port 8765"
    assert (tmp_path / "plugins of mine/jrr_my_own/src/jrr_my_own/simulator.py").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sqlite", "--kind", "sink"), "error: a plugin 'sqlite' is installed"),
        (("My-Own", "--kind", "sink"), "error: 'My-Own' cannot be a plugin's name"),
        (("my_own",), "Missing option '--kind'"),
        (("my_own", "--kind", "bus"), "'bus' is not one of"),
    ],
)
def test_what_cannot_be_made_is_misuse(arguments: tuple[str, ...], said: str, jrr: Callable[..., Result]) -> None:
    result = jrr("plugins", "new", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
