"""The files of the spool: in order, within their limit, whole again after any crash, one process at a time."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core import segment
from jrr_core.errors import ConfigError
from jrr_core.spool import Spool, SpoolSettings, check_version, files, folder_of

MIB = 2**20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "shelf"


def opened(folder: Path, **settings: Any) -> Spool:
    spool = Spool(folder, SpoolSettings(**settings))
    spool.open()
    return spool


def payloads(spool: Spool, rows: int = 10, most: int = 10**9) -> Iterator[bytes]:
    """Yield and finish what is in the spool, chunk by chunk."""
    while most > 0 and (chunk := spool.read(rows)):
        for record in chunk.records:
            yield record.payload
        spool.done(chunk.mark)
        most -= 1


def filled(spool: Spool, *records: tuple[bytes, int]) -> tuple[int, OSError]:
    """Append these again and again; return how often that went well, and the error it did not."""
    for kept in range(1000):
        try:
            spool.append(records)
        except OSError as error:
            return kept, error
    pytest.fail("it was never full")


def left_by_a_crash(folder: Path, *records: tuple[bytes, int]) -> Path:
    """Write the records and return the file, as a killed process leaves it."""
    spool = opened(folder)
    for record in records:
        spool.append([record])
    spool.close()
    return files(folder)[-1][1]


def test_what_is_appended_is_read_in_order_and_then_gone(folder: Path) -> None:
    spool = opened(folder)
    assert spool.empty
    assert spool.read(10) is None
    spool.append([(b"a", 3), (b"b", 4)])
    spool.append([(b"c", 5)])
    chunk = spool.read(7)
    assert chunk is not None
    assert [record.payload for record in chunk.records] == [b"a", b"b"]
    assert chunk.mark.count == 7
    again = spool.read(7)
    assert again is not None
    assert again.mark == chunk.mark
    assert spool.done(chunk.mark) == 0
    spool.append([(b"d", 1)])
    assert list(payloads(spool)) == [b"c", b"d"]
    assert spool.empty
    assert spool.size == 0
    assert files(folder) == []
    spool.append([(b"e", 1)])
    assert list(payloads(spool)) == [b"e"]
    spool.close()
    assert not folder.parent.exists()


def test_one_record_comes_even_if_it_is_more_than_asked_for(folder: Path) -> None:
    spool = opened(folder)
    spool.append([(b"a", 300), (b"b", 1)])
    assert list(payloads(spool, rows=2)) == [b"a", b"b"]
    spool.close()


def test_what_an_earlier_run_left_comes_first_and_is_told_from_this_run_s(folder: Path) -> None:
    left_by_a_crash(folder, (b"a", 2), (b"b", 3))
    spool = Spool(folder)
    assert spool.open() == 5
    assert spool.earlier == 1
    spool.append([(b"c", 1)])
    first = spool.read(100)
    assert first is not None
    assert ([record.payload for record in first.records], first.earlier) == ([b"a", b"b"], True)
    spool.done(first.mark)
    assert spool.earlier == 0
    second = spool.read(100)
    assert second is not None
    assert ([record.payload for record in second.records], second.earlier) == ([b"c"], False)
    spool.close()


def test_a_file_half_stored_is_read_again_after_a_crash(folder: Path) -> None:
    left_by_a_crash(folder, (b"a", 2), (b"b", 3))
    spool = opened(folder)
    assert list(payloads(spool, rows=2, most=1)) == [b"a"]
    spool.close()
    again = Spool(folder)
    assert again.open() == 5
    assert list(payloads(again)) == [b"a", b"b"]
    again.close()


def test_files_are_of_about_the_size_of_a_segment_and_deleted_one_by_one(folder: Path) -> None:
    spool = opened(folder, max_bytes=8 * MIB)
    for number in range(40):
        spool.append([(bytes([number]) * 100_000, 1)])
    sizes = [path.stat().st_size for _, path in files(folder)]
    assert spool.size == sum(sizes)
    assert all(MIB <= size < 1.2 * MIB for size in sizes[:-1])
    list(payloads(spool, rows=1, most=11))
    assert len(files(folder)) == len(sizes) - 1
    assert [payload[0] for payload in payloads(spool)] == list(range(11, 40))
    spool.close()


@pytest.mark.parametrize("fsync", ["interval", "always", "never"])
def test_every_fsync_writes_the_same(folder: Path, fsync: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    spool = opened(folder, fsync=fsync)
    for _ in range(10):
        spool.append([(b"a", 1)])
    # One of the folder; of the file one per write, or one per second.
    assert len(synced) == {"always": 11, "interval": 2, "never": 0}[fsync]
    assert not spool.sync_due
    spool.sync()
    assert len(synced) == {"always": 11, "interval": 3, "never": 0}[fsync]
    assert len(list(payloads(spool))) == 10
    spool.close()


SIZE = len(segment.start() + segment.record(b"first", 2, 0) + segment.record(b"second", 3, 2))


@pytest.mark.parametrize("size", range(SIZE))
def test_a_file_cut_off_anywhere_gives_what_is_whole(folder: Path, size: int) -> None:
    file = left_by_a_crash(folder, (b"first", 2), (b"second", 3))
    assert file.stat().st_size == SIZE
    os.truncate(file, size)
    spool = Spool(folder)
    whole = [(b"first", 2)] if size >= SIZE - 26 else []
    assert spool.open() == sum(count for _, count in whole)
    assert list(payloads(spool)) == [payload for payload, _ in whole]
    assert spool.empty
    spool.close()
    assert not folder.exists()


@given(at=st.integers(0, SIZE - 1), flip=st.integers(1, 255))
def test_a_damaged_byte_costs_one_record_and_its_events_are_counted(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("spool") / "shelf"
    file = left_by_a_crash(folder, (b"first", 2), (b"second", 3))
    data = bytearray(file.read_bytes())
    data[at] ^= flip
    file.write_bytes(data)
    spool = Spool(folder)
    found = spool.open()
    good, lost = list[segment.Record](), 0
    while chunk := spool.read(100):
        good += chunk.records
        lost += spool.done(chunk.mark)
    assert found == sum(record.count for record in good) + lost
    assert len(good) == (2 if at < segment.START_BYTES else 1)
    spool.close()


def test_damage_names_its_place(folder: Path) -> None:
    file = left_by_a_crash(folder, (b"first", 2), (b"second", 3), (b"third", 4))
    data = file.read_bytes()
    file.write_bytes(data.replace(b"second", b"sEcond"))
    spool = Spool(folder)
    assert spool.open() == 9
    chunk = spool.read(100)
    assert chunk is not None
    (damage,) = chunk.damages
    assert (chunk.path, damage.offset, damage.count, damage.torn) == (file, 16 + 25, 3, False)
    assert spool.done(chunk.mark) == 3
    spool.close()


def test_a_file_that_vanishes_is_damage(folder: Path) -> None:
    spool = opened(folder)
    spool.append([(b"a", 3)])
    files(folder)[0][1].unlink()
    chunk = spool.read(10)
    assert chunk is not None
    assert (list(chunk.records), len(chunk.damages)) == ([], 1)
    assert spool.done(chunk.mark) == 3
    assert spool.empty
    spool.close()


def test_a_full_spool_takes_nothing_until_something_is_stored(folder: Path) -> None:
    spool = opened(folder, max_bytes=MIB)
    kept, full = filled(spool, (bytes(50_000), 1))
    assert (full.errno, full.strerror) == (errno.ENOSPC, "it holds spool.max_bytes = 1048576")
    assert kept >= 19
    assert spool.size <= MIB
    list(payloads(spool, rows=1, most=4))
    spool.append([(bytes(50_000), 1)])
    assert len(list(payloads(spool))) == kept - 4 + 1
    spool.close()


@pytest.mark.parametrize("cut_too", [True, False])
def test_a_record_written_by_half_is_cut_off_again(
    folder: Path, cut_too: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(folder)
    spool.append([(b"a", 1)])
    really, truncate = os.write, os.ftruncate
    calls: list[int] = []

    def half(fd: int, data: Any) -> int:
        calls.append(fd)
        if len(calls) == 1:
            return really(fd, data[:10])
        raise OSError(errno.EIO, "Input/output error")

    def refused(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        patch.setattr(os, "ftruncate", truncate if cut_too else refused)
        with pytest.raises(OSError, match="Input/output error"):
            spool.append([(b"broken", 1)])
    spool.append([(b"b", 1)])
    assert len(files(folder)) == (1 if cut_too else 2)
    assert list(payloads(spool)) == [b"a", b"b"]
    spool.close()


def test_a_disk_that_does_not_confirm_takes_nothing_under_always(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(folder, fsync="always")
    spool.append([(b"a", 1)])

    def refused(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refused)
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output error"):
                spool.append([(b"b", 1)])
    assert list(payloads(spool)) == [b"a"]
    spool.close()


def test_a_file_that_cannot_be_begun_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(folder)

    def refused(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refused)
        with pytest.raises(OSError, match="No space left"):
            spool.append([(b"a", 1)])
    assert files(folder) == []
    spool.append([(b"b", 1)])
    assert list(payloads(spool)) == [b"b"]
    spool.close()


def test_a_size_limit_of_the_system_is_an_error_and_nothing_is_torn(folder: Path) -> None:
    spool = opened(folder)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        kept, full = filled(spool, (bytes(30_000), 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (kept, full.errno) == (3, errno.EFBIG)
    assert files(folder)[0][1].stat().st_size == spool.size
    spool.append([(b"more", 1)])
    assert len(list(payloads(spool))) == 4
    spool.close()


def test_a_disk_that_is_really_full_is_an_error_and_nothing_is_torn(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a small file system is not allowed here: {done.stderr.strip()}")
    try:
        spool = opened(disk / "shelf", fsync="always")
        kept, full = filled(spool, (os.urandom(30_000), 1), (b"x", 1))
        assert full.errno == errno.ENOSPC
        assert kept > 20
        assert len(list(payloads(spool, rows=2, most=1))) == 2
        assert len(list(payloads(spool))) == 2 * kept - 2
        spool.append([(b"more", 1)])
        assert list(payloads(spool)) == [b"more"]
        spool.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_second_process_is_kept_out_and_told_who_has_it(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from jrr_core.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1])); spool.open(); print('open', flush=True); sys.stdin.read(); spool.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ConfigError) as refused:
            opened(folder)
        for part in (f"process {other.pid}", str(folder), "stop it first", "--set spool.path=FOLDER"):
            assert part in str(refused.value)
        other.stdin.close()
        other.wait(10)
    assert not folder.exists()
    opened(folder).close()


def test_files_of_a_newer_jrr_are_refused_and_left_alone(folder: Path) -> None:
    file = left_by_a_crash(folder, (b"a", 1))
    newer = segment.start(segment.VERSION + 1) + b"whatever"
    file.write_bytes(newer)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"00000001\.spool was written by a newer jrr \(format 2, known is 1\)"):
            opened(folder)
    assert file.read_bytes() == newer
    check_version(file, segment.start())


def test_a_folder_deleted_by_somebody_is_made_again(folder: Path) -> None:
    spool = opened(folder)
    (folder / "lock").unlink()
    folder.rmdir()
    spool.append([(b"a", 1)])
    assert list(payloads(spool)) == [b"a"]
    spool.close()


def test_other_files_in_the_folder_are_left_alone(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "x.spool").write_text("mine")
    spool = opened(folder)
    assert spool.empty
    spool.close()
    assert {path.name for path in folder.iterdir()} == {"notes.txt", "x.spool"}


def test_the_folder_of_a_sink_is_safe_to_make() -> None:
    assert folder_of("spool", "shelf") == Path("spool/shelf")
    assert folder_of("spool", "../a b") == Path("spool/.._a_b")
    assert files(Path("nowhere")) == []
