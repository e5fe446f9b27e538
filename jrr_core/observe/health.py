"""Whether a collector does what it was asked to, from its stats."""

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define

NOTHING = "nothing is subscribed"


@define(frozen=True)
class Health:
    """What is not ready, each in one sentence; `ready` when there is nothing."""

    waiting: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether every subscription has data or a known reason, and every sink takes data."""
        return not self.waiting


def health_of(stats: Mapping[str, Any]) -> Health:
    """Return the health that the stats of a run tell; docs/metrics.md has the rule."""
    if stats["workers"]:
        told = tuple(text for worker in stats["workers"] for text in worker["waiting"])
        return Health(told if told or stats["exchanges"] else (NOTHING,))
    return Health((*_unready_exchanges(stats), *_unready_sinks(stats)))


def _unready_exchanges(stats: Mapping[str, Any]) -> Iterator[str]:
    if not stats["exchanges"]:
        yield NOTHING
    for name, exchange in stats["exchanges"].items():
        for pattern in exchange["unresolved"]:
            yield f"{pattern}: waits for the exchange's list of instruments"
        if exchange["streams"] and not exchange["sessions"]:
            yield f"{name}: no connection ({exchange['trouble'] or 'being opened'})"
            continue
        for stream in exchange["streams"]:
            if stream["state"] == "waiting" and not stream["count"]:
                yield f"{name}:{stream['channel']}:{stream['symbol']}: nothing received yet"


def _unready_sinks(stats: Mapping[str, Any]) -> Iterator[str]:
    for name, sink in stats["sinks"].items():
        if sink["state"] == "closed" or (sink["state"] == "away" and not sink["spooled"]):
            yield f"sink {name}: {sink['state']}"
