"""What is late is told when it has lasted, and ends when it is in time again."""

from typing import Any

from jrr_core.alarms import Alarms, AlarmSettings
from jrr_core.lookout.lag import LagWatch

SINK = {"pending": 10, "capacity": 1000, "lag_s": 0.1, "spool_bytes": 0}


def names(alarms: Alarms) -> list[tuple[str, str]]:
    return [(alarm.name, alarm.subject) for alarm in alarms.standing]


def stats(transit: tuple[int, float] = (0, 0.0), **sink: Any) -> dict[str, Any]:
    return {
        "sinks": {"s": {**SINK, **sink}},
        "exchanges": {"x": {"transit": {"count": transit[0], "sum_s": transit[1]}}},
    }


def test_a_sink_is_lagging_when_it_has_been_for_long_enough() -> None:
    watch, alarms = LagWatch(AlarmSettings(lag_s=5, lag_for_s=10), 10**9), Alarms()
    for now_s, lag_s, expected in ((0, 6, False), (9, 6, False), (10, 6, True), (11, 4, False), (12, 6, False)):
        watch.look(stats(lag_s=lag_s), alarms, now_s)
        assert bool(alarms.standing) is expected, now_s
    watch.look(stats(lag_s=6), alarms, 22)
    assert names(alarms) == [("sink_lagging", "sink s")]


def test_an_idle_sink_does_not_lag_however_old_its_last_event_was() -> None:
    watch, alarms = LagWatch(AlarmSettings(lag_for_s=0), 10**9), Alarms()
    watch.look(stats(lag_s=60, pending=0), alarms, 100)
    assert not alarms.standing


def test_a_buffer_more_than_half_full_is_told() -> None:
    watch, alarms = LagWatch(AlarmSettings(), 10**9), Alarms()
    watch.look(stats(pending=501), alarms, 0)
    assert names(alarms) == [("buffer_filling", "sink s")]
    watch.look(stats(pending=500), alarms, 1)
    assert not alarms.standing


def test_a_spool_that_keeps_growing_is_told_and_one_that_drains_is_not() -> None:
    watch, alarms = LagWatch(AlarmSettings(), 1000), Alarms()
    for now_s in range(61):
        watch.look(stats(spool_bytes=150 + now_s), alarms, now_s)
    assert names(alarms) == [("spool_growing", "spool of s")]
    watch.look(stats(spool_bytes=209), alarms, 62)
    assert not alarms.standing
    watch, alarms = LagWatch(AlarmSettings(), 1000), Alarms()
    for now_s in range(200):
        watch.look(stats(spool_bytes=90), alarms, now_s)
    assert not alarms.standing


def test_events_old_at_their_receipt_are_told_by_their_mean() -> None:
    watch, alarms = LagWatch(AlarmSettings(lag_s=5, lag_for_s=0), 10**9), Alarms()
    watch.look(stats(transit=(100, 1.0)), alarms, 0)
    assert not alarms.standing
    watch.look(stats(transit=(200, 901.0)), alarms, 1)
    assert names(alarms) == [("exchange_lagging", "x")]
    watch.look(stats(transit=(200, 901.0)), alarms, 2)
    assert alarms.standing, "nothing new came, so nothing is known to be better"
    watch.look(stats(transit=(300, 902.0)), alarms, 3)
    assert not alarms.standing
