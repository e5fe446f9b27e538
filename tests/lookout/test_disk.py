"""Disks nearly full, and captures that cannot be written."""

import shutil
from pathlib import Path

from jrr_core.alarms import Alarms
from jrr_core.lookout.disk import look_at_capture, look_at_disks


def test_a_disk_is_told_once_for_all_folders_on_it(tmp_path: Path) -> None:
    alarms, free = Alarms(), shutil.disk_usage(tmp_path).free
    folders = [tmp_path, tmp_path / "not" / "there" / "yet"]
    look_at_disks(folders, free * 2, alarms)
    assert [(alarm.name, alarm.subject) for alarm in alarms.standing] == [("disk_nearly_full", f"disk of {tmp_path}")]
    look_at_disks(folders, 1, alarms)
    assert not alarms.standing


def test_a_capture_that_loses_frames_is_told_until_it_does_not() -> None:
    alarms = Alarms()
    look_at_capture(None, alarms)
    look_at_capture({"trouble": "the disk takes no more", "lost": 7}, alarms)
    (alarm,) = alarms.standing
    assert (alarm.name, alarm.text) == ("capture_losing", "the disk takes no more; 7 entries are missing in it")
    look_at_capture({"trouble": None, "lost": 7}, alarms)
    assert not alarms.standing
