"""A frames file that is not as described is refused with the place that is wrong."""

from pathlib import Path

import pytest

from jrr_core.testing.recording import load


def test_a_bad_line_of_a_frames_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"frame": "{}"}\n{"frames": "{}"}\n')
    with pytest.raises(ValueError, match=r"bad.jsonl:2"):
        load(file, "example")


def test_an_empty_frames_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text("\n")
    with pytest.raises(ValueError, match="no frames"):
        load(file, "example")
