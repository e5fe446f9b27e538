"""Refused frames and rows are kept on disk, within bounds, and never a reason to stop."""

import base64
import json
from pathlib import Path
from typing import Any

from jrr_core.quarantine import Quarantine


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_text_bytes_and_bytes_that_are_no_text_come_back_whole(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "deep" / "q", 10_000)
    quarantine.keep("s1", "why", "täxt \ud800")
    quarantine.keep("s1", "why", b"bytes")
    quarantine.keep("s1", "why", b"\xff\xfe")
    quarantine.close()
    found = entries(tmp_path / "deep" / "q")
    assert [entry.get("content") for entry in found] == ["täxt \ud800", "bytes", None]
    assert base64.b64decode(found[2]["base64"]) == b"\xff\xfe"
    assert {(entry["origin"], entry["reason"]) for entry in found} == {("s1", "why")}
    assert (quarantine.kept, quarantine.lost) == (3, 0)


def test_an_entry_is_on_disk_at_once(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, 10_000)
    quarantine.keep("s1", "why", "x")
    assert len(entries(tmp_path)) == 1
    quarantine.close()


def test_beyond_its_bound_entries_are_only_counted(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, 300)
    for _ in range(10):
        quarantine.keep("s1", "why", "x" * 50)
    quarantine.close()
    assert quarantine.kept == len(entries(tmp_path)) > 0
    assert quarantine.kept + quarantine.lost == 10
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 300


def test_a_folder_that_cannot_be_made_loses_the_entry_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    quarantine = Quarantine(tmp_path / "file", 10_000)
    quarantine.keep("s1", "why", "x")
    quarantine.close()
    assert (quarantine.kept, quarantine.lost) == (0, 1)


def test_nothing_is_made_where_nothing_is_kept(tmp_path: Path) -> None:
    Quarantine(tmp_path / "q", 10_000).close()
    assert not (tmp_path / "q").exists()


def test_it_may_be_closed_and_used_again(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, 10_000)
    quarantine.keep("s1", "why", "x")
    quarantine.close()
    quarantine.keep("s1", "why", "y")
    quarantine.close()
    assert [entry["content"] for entry in entries(tmp_path)] == ["x", "y"]
