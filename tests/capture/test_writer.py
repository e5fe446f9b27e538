"""A capture loses nothing silently: not by rotation, not by its limit, not by a full disk, not by a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from jrr_core.capture import Capture, CaptureSettings, Lost, Opened, capture_files, read_capture
from jrr_core.capture import writer as writer_module
from jrr_core.errors import ConfigError
from jrr_core.frame import Frame
from jrr_core.lines import Damage
from jrr_core.subscription import Subscription
from jrr_core.tape import Begun, Ended, Received, Ruled, Unwanted, Wanted

TS = 1_723_161_255_030_314_667
X, Y = Subscription("x", "trade", "X"), Subscription("x", "trade", "Y")


def capture_to(folder: Path, **settings: Any) -> Capture:
    return Capture(evolve(CaptureSettings(path=str(folder), flush_s=0.01), **settings))


def until(capture: Capture, kept: int) -> None:
    deadline = time.monotonic() + 10
    while capture.kept + capture.lost < kept and time.monotonic() < deadline:
        time.sleep(0.002)
    assert capture.kept + capture.lost >= kept


def read(folder: Path) -> list[Any]:
    return [item for file in capture_files([folder]) for item in read_capture(file)]


def payloads(items: list[Any]) -> list[object]:
    return [item.frame.payload for item in items if isinstance(item, Received)]


def test_frames_and_acts_are_kept_in_their_order(tmp_path: Path) -> None:
    capture = capture_to(tmp_path / "new" / "folder")
    told: list[Any] = [
        Begun("x", "s", TS, "ws://x", (X,)),
        Received("s", Frame("x", b"1", TS)),
        Ended("x", "s", TS, "r"),
    ]
    capture.act(told[0])
    capture.frame("s", told[1].frame)
    capture.act(told[2])
    capture.close()
    opened, *items = read(tmp_path / "new" / "folder")
    assert (opened.number, opened.run) == (1, capture.run)
    assert items == told
    assert (capture.kept, capture.lost) == (3, 0)


def test_nobody_else_may_read_a_capture(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        capture_to(tmp_path / "c").close()
    finally:
        os.umask(mask)
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "c").iterdir()} == {0o600}


def test_the_next_file_begins_with_what_reads_it_alone(tmp_path: Path) -> None:
    capture = capture_to(tmp_path, rotate_s=0.05)
    capture.act(Ruled("x", TS, {"depth": 5}))
    for session in ("a", "b"):
        capture.act(Begun("x", session, TS, "ws://x", (X,)))
        capture.act(Wanted("x", session, TS, (X, Y)))
    capture.act(Unwanted("x", "a", TS, (X,)))
    capture.act(Ended("x", "b", TS, "cut"))
    until(capture, 7)
    time.sleep(0.1)
    capture.frame("a", Frame("x", b"later", TS))
    until(capture, 8)
    capture.close()
    last = [file for file in capture_files([tmp_path]) if b"later" in payloads(list(read_capture(file)))]
    opened, *items = read_capture(last[0])
    assert isinstance(opened, Opened)
    assert opened.number > 1
    assert items[:3] == [Ruled("x", TS, {"depth": 5}), Begun("x", "a", TS, "ws://x", (Y,)), Wanted("x", "a", TS, (Y,))]


def test_files_are_begun_anew_at_their_size_and_the_oldest_go_at_the_limit(tmp_path: Path) -> None:
    capture = capture_to(tmp_path, max_bytes=1_000_000, rotate_bytes=100_000)
    for number in range(60):
        capture.frame("s", Frame("x", os.urandom(30_000).hex(), TS + number))
        until(capture, number + 1)
    capture.close()
    files = list(tmp_path.iterdir())
    assert sum(file.stat().st_size for file in files) <= 1_000_000
    kept = [item.ts - TS for item in read(tmp_path) if isinstance(item, Received)]
    assert kept == list(range(60 - len(kept), 60))
    assert 3 <= len(files) < capture._number
    assert capture.lost == 0


def test_files_of_others_are_never_deleted(tmp_path: Path) -> None:
    mine = tmp_path / "notes.jsonl.zst"
    mine.write_bytes(b"x" * 2_000_000)
    capture = capture_to(tmp_path, max_bytes=1_000_000, rotate_bytes=100_000)
    for number in range(40):
        capture.frame("s", Frame("x", os.urandom(30_000).hex(), TS))
        until(capture, number + 1)
    capture.close()
    assert mine.exists()


def test_capturing_may_stop_at_the_limit_and_counts_what_it_lost(tmp_path: Path) -> None:
    capture = capture_to(tmp_path, max_bytes=1_000_000, rotate_bytes=100_000, full="stop")
    for number in range(60):
        capture.frame("s", Frame("x", os.urandom(30_000).hex(), TS))
        until(capture, number + 1)
    assert capture.stats()["trouble"] == "stopped"
    capture.close()
    assert capture.lost > 0
    assert len(payloads(read(tmp_path))) == capture.kept == 60 - capture.lost
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1_000_000


def test_a_folder_that_cannot_be_made_is_the_users_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"capture\.path: cannot write .*choose another folder"):
        capture_to(tmp_path / "file" / "below")


def test_behind_a_full_disk_another_file_says_how_much_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(writer_module, "_RETRY_S", 0.05)
    capture = capture_to(tmp_path)
    capture.act(Begun("x", "s", TS, "ws://x", (X,)))
    until(capture, 1)
    assert capture._part is not None
    capture._part._out.close()
    capture._part._out = full.open("wb")
    capture.frame("s", Frame("x", b"one", TS))
    until(capture, 2)
    assert capture.stats()["trouble"] == "the disk takes no more"
    capture.frame("s", Frame("x", b"two", TS))
    deadline = time.monotonic() + 10
    while capture.file is None and time.monotonic() < deadline:
        time.sleep(0.01)
    capture.frame("s", Frame("x", b"three", TS))
    capture.close()
    items = [item for item in read_capture(capture_files([tmp_path])[-1]) if not isinstance(item, Damage)]
    lost = [item for item in items if isinstance(item, Lost)]
    assert [item.count for item in lost] == [capture.lost]
    assert Begun("x", "s", TS, "ws://x", (X,)) in items
    assert payloads(items)[-1] == b"three"
    assert capture.kept + capture.lost == 4


KILLED = """
import sys, time
from jrr_core.capture import Capture, CaptureSettings
from jrr_core.frame import Frame
capture = Capture(CaptureSettings(path=sys.argv[1], flush_s=0.01))
number = 0
while True:
    capture.frame("s", Frame("x", b"%d" % number, 10**18))
    number += 1
    if number % 500 == 0:
        while capture.kept < number: time.sleep(0.001)
        print(number, flush=True)
"""


def test_a_killed_run_leaves_what_was_flushed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        flushed = [int(run.stdout.readline()) for _ in range(4)][-1]
        run.send_signal(signal.SIGKILL)
    items = read(tmp_path)
    found = payloads(items)
    assert found[:flushed] == [b"%d" % number for number in range(flushed)]
    assert found == [b"%d" % number for number in range(len(found))]
