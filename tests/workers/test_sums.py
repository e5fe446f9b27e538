"""Stats of several processes as those of one."""

from typing import Any

from jrr_core.counters import Latency
from jrr_core.workers.sums import ended, in_memory, together


def latency(*durations_ns: int) -> dict[str, Any]:
    counted = Latency()
    for duration in durations_ns:
        counted.add(duration)
    return counted.histogram()


def sink(**changes: Any) -> dict[str, Any]:
    return {
        "state": "ok", "published": 10, "written": 5, "duplicate": 1, "dropped": 0, "quarantined": 0, "spooled": 3,
        "batches": 2, "retries": 0, "pending": 1, "capacity": 100, "spool_bytes": 30, "lag_s": 0.1,
        "latency_p50_s": None, "latency_p99_s": 0.2, "latency": latency(10**6), **changes,
    }  # fmt: skip


def stream(symbol: str, **changes: Any) -> dict[str, Any]:
    return {"channel": "trade", "symbol": symbol, "count": 4, "last_ns": 9, "state": "live", "trouble": None,
            "last": None, **changes}  # fmt: skip


def exchange(*streams: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "frames": 4, "parsed": 3, "control": 1, "rejected": 0, "gaps": 1, "disconnects": {"cut": 1},
        "events": {"trade": 4}, "sessions": 1, "streams": [*streams], "unresolved": [], "trouble": None,
        "transit": latency(10**9), "rest": {"pool": {"used": 2, "limit": 50.0, "per_s": 60.0}},
        "clock_offset_s": None, **changes,
    }  # fmt: skip


def stats(*, sinks: Any = None, exchanges: Any = None, **changes: Any) -> dict[str, Any]:
    return {
        "exchanges": {"x": exchange(stream("A"))} if exchanges is None else exchanges,
        "sinks": {"s": sink()} if sinks is None else sinks,
        "subscribers": {"t": {"published": 5, "delivered": 3, "failed": 0, "dropped": 0, "pending": 2}},
        "gaps": 1, "lag_s": 0.1, "capture": None, "alarms": [], **changes,
    }  # fmt: skip


def adds_up(counts: dict[str, Any]) -> bool:
    parts = ("written", "duplicate", "dropped", "quarantined", "spooled", "pending")
    return bool(counts["published"] == sum(counts[part] for part in parts))


def test_counts_are_added_by_exchange_and_sink() -> None:
    other = stats(exchanges={"x": exchange(stream("B"), disconnects={"silent": 2}), "y": exchange(stream("A"))})
    found = together([stats(), other])
    x = found["exchanges"]["x"]
    assert (x["frames"], x["parsed"], x["control"], x["sessions"]) == (8, 6, 2, 2)
    assert x["disconnects"] == {"cut": 1, "silent": 2}
    assert x["rest"] == {"pool": {"used": 4, "limit": 100.0, "per_s": 60.0}}
    assert x["transit"] == latency(10**9, 10**9)
    assert [s["symbol"] for s in x["streams"]] == ["A", "B"]
    assert found["exchanges"]["y"]["frames"] == 4
    assert found["gaps"] == 3
    assert found["sinks"]["s"]["published"] == 20
    assert adds_up(found["sinks"]["s"])
    assert found["subscribers"]["t"]["delivered"] == 6


def test_what_cannot_be_added_is_the_worst() -> None:
    found = together([stats(), stats(sinks={"s": sink(state="away", lag_s=7.0, latency_p50_s=0.5)}, lag_s=7.0)])
    s = found["sinks"]["s"]
    assert (s["state"], s["lag_s"], s["latency_p50_s"], found["lag_s"]) == ("away", 7.0, 0.5, 7.0)


def test_an_alarm_that_several_raise_is_one_since_the_first() -> None:
    alarm = {"name": "disk_nearly_full", "exchange": None, "subject": "/", "since_ns": 5}
    other = {**alarm, "subject": "/data"}
    found = together([stats(alarms=[alarm]), stats(alarms=[{**alarm, "since_ns": 3}, other])])
    assert found["alarms"] == [{**alarm, "since_ns": 3}, other]


def test_captures_are_added_and_their_files_named() -> None:
    capture = {"file": "a", "kept": 3, "lost": 0, "pending": 1, "bytes": 9, "trouble": None}
    found = together([stats(capture=capture), stats(), stats(capture={**capture, "file": "b", "trouble": "stopped"})])
    assert found["capture"] == {"file": "a, b", "kept": 6, "lost": 0, "pending": 2, "bytes": 18, "trouble": "stopped"}


def test_of_a_dead_process_counts_stay_and_what_it_held_is_nobodys() -> None:
    over = ended(stats())
    s, x = over["sinks"]["s"], over["exchanges"]["x"]
    assert (s["published"], s["written"], s["spooled"], s["pending"]) == (6, 5, 0, 0)
    assert adds_up(s)
    assert (x["frames"], x["sessions"], x["streams"][0]["state"]) == (4, 0, "away")
    assert over["subscribers"]["t"]["published"] == 3
    assert in_memory(stats()) == 1


def test_the_next_process_goes_on_from_there_and_its_state_holds() -> None:
    spooled_before = sink(published=3, written=3, duplicate=0, spooled=0, pending=0, state="spooling")
    living = stats(sinks={"s": spooled_before}, exchanges={"x": exchange(stream("A", count=1, last_ns=None))})
    found = together([ended(stats()), living])
    s, (a,) = found["sinks"]["s"], found["exchanges"]["x"]["streams"]
    assert (s["published"], s["written"], s["state"], s["capacity"]) == (9, 8, "spooling", 100)
    assert adds_up(s)
    assert (a["count"], a["last_ns"], a["state"]) == (5, 9, "live")


def test_deaths_add_up_too() -> None:
    found = together([together([ended(stats()), ended(stats())]), ended(stats())])
    assert found["exchanges"]["x"]["frames"] == 12
    assert found["sinks"]["s"]["state"] is None


def test_nothing_told_yet_is_nothing() -> None:
    assert together([]) == {"exchanges": {}, "sinks": {}, "subscribers": {}, "gaps": 0, "lag_s": 0.0, "capture": None,
                            "alarms": []}  # fmt: skip
