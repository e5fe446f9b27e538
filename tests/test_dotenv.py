"""The file .env: what counts as an assignment, and what is left of its value."""

from pathlib import Path

import pytest

from jrr_core.dotenv import read_dotenv
from jrr_core.errors import ConfigError


def written(folder: Path, text: str) -> list[tuple[int, str, str | None, str]]:
    (folder / ".env").write_text(text, encoding="utf-8")
    return read_dotenv(folder)


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path) == []
    (tmp_path / ".env").mkdir()
    assert read_dotenv(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("  A = 1  ", "1"),
        ("export A=1", "1"),
        ("A=", ""),
        ("A=''", ""),
        ("A=b=c", "b=c"),
        ("A=1 # note", "1"),
        ("A=pass#word", "pass#word"),
        ("A='1 # kept'", "1 # kept"),
        ('A="it\'s"', "it's"),
        ("A='1' # note", "1"),
        ("A='open", "'open"),
        ("A=größe", "größe"),
    ],
)
def test_quotes_and_comments_are_taken_off(tmp_path: Path, line: str, value: str) -> None:
    assert written(tmp_path, f"{line}\n") == [(1, "A", value, line.strip())]


@pytest.mark.parametrize("line", ["", "# A=1", "A", "1A=2", "A-B=1"])
def test_a_line_that_is_no_assignment_has_no_name(tmp_path: Path, line: str) -> None:
    assert written(tmp_path, f"{line}\nB=2\n") == [(1, "", None, line), (2, "B", "2", "B=2")]


def test_every_line_of_a_repeated_name_is_told_in_order(tmp_path: Path) -> None:
    assert [value for _, _, value, _ in written(tmp_path, "A=1\nA=2\n")] == ["1", "2"]


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match=r"cannot read .*\.env"):
        read_dotenv(tmp_path)
