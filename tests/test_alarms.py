"""An alarm is told once when it begins and once when it ends."""

import logging

import pytest

from jrr_core.alarms import Alarms


def test_an_alarm_that_stands_is_told_once_with_its_cure(caplog: pytest.LogCaptureFixture) -> None:
    now = [10**9]
    alarms = Alarms(lambda: now[0])
    with caplog.at_level(logging.INFO, "jrr"):
        for _ in range(3):
            alarms.set("disk_nearly_full", "disk /", "3 bytes are free", "free space", free=3)
        (alarm,) = alarms.standing
        assert (alarm.name, alarm.exchange, alarm.since_ns) == ("disk_nearly_full", None, 10**9)
        now[0] += 5 * 10**9
        alarms.clear("disk_nearly_full", "disk /")
        alarms.clear("disk_nearly_full", "disk /")
    assert not alarms.standing
    assert [record.getMessage() for record in caplog.records] == [
        "disk /: 3 bytes are free; free space", "disk /: no longer disk_nearly_full after 5 s",
    ]  # fmt: skip
    assert [vars(record)["jrr_event"] for record in caplog.records] == ["disk_nearly_full", "alarm_over"]


def test_alarms_of_one_name_about_other_subjects_are_others() -> None:
    alarms = Alarms()
    for exchange in ("a", "b", None):
        for subject in ("x", "y"):
            alarms.set("silent", subject, "text", "cure", exchange)
    alarms.keep("silent", ["x"], "a")
    assert [(alarm.exchange, alarm.subject) for alarm in alarms.standing] == [
        ("a", "x"), ("b", "x"), ("b", "y"), (None, "x"), (None, "y"),
    ]  # fmt: skip
