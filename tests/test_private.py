"""What jrr keeps for itself is its owner's alone, and no link leads it astray."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from jrr_core.capture.folder import create
from jrr_core.private import make_folder, open_file
from jrr_core.quarantine import Quarantine
from jrr_core.spool import Spool, SpoolSettings


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Let everything be readable that does not say otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_missing_folders_are_their_owner_s_and_those_that_are_there_keep_their_mode(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    make_folder(there / "a" / "b")
    make_folder(there)
    assert [mode(there), mode(there / "a"), mode(there / "a" / "b")] == [0o755, 0o700, 0o700]


def test_a_relative_folder_is_made_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(Path("a/../b"))
    make_folder(Path())
    assert mode(tmp_path / "b") == 0o700


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_folder(tmp_path / "file" / "folder")


def test_a_link_in_the_way_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "ours").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        open_file(tmp_path / "ours", os.O_RDWR | os.O_TRUNC)
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o644)
    os.close(open_file(tmp_path / "file", os.O_RDWR))
    assert mode(tmp_path / "file") == 0o644


def test_spool_quarantine_and_capture_are_their_owner_s_alone(tmp_path: Path) -> None:
    root = tmp_path / ".jrr"
    quarantine = Quarantine(root / "quarantine", 1000)
    quarantine.keep("toy-0", "refused", b"frame")
    quarantine.close()
    spool = Spool(root / "spool" / "toy", SpoolSettings(path=str(root / "spool")))
    spool.open()
    spool.append([(b"event", 1)])
    _, file = create(root / "capture", "run", 1)
    file.close()
    made = sorted(path for path in [root, *root.rglob("*")])
    assert {path.name for path in made if path.is_file()} >= {"run-000001.jsonl.zst", "00000001.spool"}
    assert {oct(mode(path)) for path in made if path.is_dir()} == {"0o700"}
    assert {oct(mode(path)) for path in made if path.is_file()} == {"0o600"}
    spool.close()


def test_a_link_planted_in_the_quarantine_loses_an_entry_and_harms_no_file(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, 1000)
    quarantine.keep("toy-0", "refused", b"first")
    quarantine.close()
    (name,) = [path.name for path in tmp_path.iterdir()]
    (tmp_path / name).rename(tmp_path / "precious")
    (tmp_path / name).symlink_to(tmp_path / "precious")
    before = (tmp_path / "precious").read_bytes()
    quarantine.keep("toy-0", "refused", b"second")
    assert (quarantine.kept, quarantine.lost) == (1, 1)
    assert (tmp_path / "precious").read_bytes() == before
