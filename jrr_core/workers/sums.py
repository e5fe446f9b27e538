"""Stats of several processes as those of one: what counts is added, what is a state is the one that matters most.

The form is that of docs/stats.md. Nothing here is anything but arithmetic.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Stats = Mapping[str, Any]
_Rules = Mapping[str, Callable[[Sequence[Any]], Any]]
# Of a sink's state, the later the worse.
_STATES = ("ok", "spooling", "closed", "away")


def together(parts: Sequence[Stats]) -> dict[str, Any]:
    """Return exchanges, sinks, subscribers, gaps, lag_s, capture and alarms of all the parts."""
    captures = [part["capture"] for part in parts if part["capture"] is not None]
    exchanges = _each([part["exchanges"] for part in parts], _EXCHANGE)
    return {
        "exchanges": exchanges,
        "sinks": _each([part["sinks"] for part in parts], _SINK),
        "subscribers": _each([part["subscribers"] for part in parts], {}),
        "gaps": sum(exchange["gaps"] for exchange in exchanges.values()),
        "lag_s": max([part["lag_s"] for part in parts], default=0.0),
        "capture": _merged(captures, _CAPTURE) if captures else None,
        "alarms": _alarms(alarm for part in parts for alarm in part["alarms"]),
    }


def ended(stats: Stats) -> dict[str, Any]:
    """Return what stays of a process that died: what it had counted, and nothing of what it was about to do.

    What it had in memory counts as never published, since nobody knows what
    became of it; what it had spooled does so too, since the process that
    follows it publishes that.
    """
    return {
        "exchanges": {name: _over(each, _OVER_EXCHANGE) for name, each in stats["exchanges"].items()},
        "sinks": {name: _settled(_over(each, _OVER_SINK), each["spooled"] + each["pending"])
                  for name, each in stats["sinks"].items()},
        "subscribers": {name: _settled(_over(each, {"pending": 0}), each["pending"])
                        for name, each in stats["subscribers"].items()},
        "gaps": stats["gaps"],
        "lag_s": 0.0,
        "capture": None if stats["capture"] is None else _over(stats["capture"], _OVER_CAPTURE),
        "alarms": [],
    }  # fmt: skip


def in_memory(stats: Stats) -> int:
    """Return how many events waited in memory for the sinks."""
    return sum(sink["pending"] for sink in stats["sinks"].values())


def _each(parts: Sequence[Mapping[str, Any]], rules: _Rules) -> dict[str, Any]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _merged([part[name] for part in parts if name in part], rules) for name in names}


def _merged(parts: Sequence[Mapping[str, Any]], rules: _Rules) -> dict[str, Any]:
    return {key: rules.get(key, sum)([part[key] for part in parts]) for key in parts[-1]}


def _counts(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {
        key: sum(part.get(key, 0) for part in parts) for key in dict.fromkeys(key for part in parts for key in part)
    }


def _histogram(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    edges = [[edge for edge, _ in part["buckets"]] for part in parts]
    counts = zip(*[[count for _, count in part["buckets"]] for part in parts], strict=True)
    return {
        "count": sum(part["count"] for part in parts),
        "sum_s": sum(part["sum_s"] for part in parts),
        "buckets": [(edge, sum(column)) for edge, column in zip(edges[0], counts, strict=True)],
    }


def _budgets(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Each process has a part of the limit, so the parts add up to all of it."""
    return _each(parts, {"per_s": max})


def _streams(parts: Sequence[Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """Return each stream once; of one that several processes had in turn, the last one's state and all that came."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for stream in (stream for part in parts for stream in part):
        key = (stream["channel"], stream["symbol"])
        before = found.get(key)
        if before is not None:
            stream = {
                **stream,
                "count": before["count"] + stream["count"],
                "last_ns": max(before["last_ns"] or 0, stream["last_ns"] or 0) or None,
                "last": stream["last"] or before["last"],
            }
        found[key] = stream
    return list(found.values())


def _alarms(alarms: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what several notice once: a disk is one disk."""
    found: dict[tuple[str, str | None, str], Mapping[str, Any]] = {}
    for alarm in alarms:
        key = (alarm["name"], alarm["exchange"], alarm["subject"])
        if key not in found or alarm["since_ns"] < found[key]["since_ns"]:
            found[key] = alarm
    return list(found.values())


def united(parts: Iterable[Sequence[str]]) -> list[str]:
    """Return each text once, in the order of first appearance."""
    return list(dict.fromkeys(text for part in parts for text in part))


def _first(values: Sequence[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _most(values: Sequence[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


def _worst(states: Sequence[str | None]) -> str | None:
    return max((state for state in states if state is not None), key=_STATES.index, default=None)


def _over(counts: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {key: after[key](value) if callable(after.get(key)) else after.get(key, value)
            for key, value in counts.items()}  # fmt: skip


def _settled(counts: dict[str, Any], open_events: int) -> dict[str, Any]:
    return {**counts, "published": counts["published"] - open_events}


def _away(streams: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [{**stream, "state": "away", "trouble": None} for stream in streams]


def _unspent(pools: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {pool: {**rate, "used": 0, "limit": 0} for pool, rate in pools.items()}


_EXCHANGE: _Rules = {
    "events": _counts, "disconnects": _counts, "streams": _streams, "unresolved": united, "trouble": _first,
    "transit": _histogram, "rest": _budgets, "clock_offset_s": _first,
}  # fmt: skip
_SINK: _Rules = {
    "state": _worst, "lag_s": _most, "latency_p50_s": _most, "latency_p99_s": _most, "latency": _histogram,
}  # fmt: skip
_CAPTURE: _Rules = {
    "file": lambda names: ", ".join(name for name in names if name is not None) or None,
    "trouble": _first,
}
_OVER_EXCHANGE: Mapping[str, Any] = {
    "sessions": 0, "streams": _away, "unresolved": [], "trouble": None, "rest": _unspent, "clock_offset_s": None,
}  # fmt: skip
_OVER_SINK: Mapping[str, Any] = {
    "state": None, "spooled": 0, "spool_bytes": 0, "pending": 0, "capacity": 0, "lag_s": 0.0,
}  # fmt: skip
_OVER_CAPTURE: Mapping[str, Any] = {"file": None, "pending": 0, "trouble": None}
