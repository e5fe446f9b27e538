"""What is late: events on their way from an exchange, and on their way into a store."""

from collections.abc import Mapping
from typing import Any

from ..alarms import Alarms, AlarmSettings

# Part of a buffer that is full before the lag says so.
_FULL = 0.5
# A spool that grows has grown for so long.
_GROWING_S = 60.0


class LagWatch:
    """Keeps since when each thing is late; handed the stats of each second."""

    def __init__(self, settings: AlarmSettings, spool_max_bytes: int) -> None:
        """Begin with nothing late."""
        self._settings = settings
        self._spool_max = spool_max_bytes
        self._since: dict[str, float] = {}
        self._transit: dict[str, tuple[int, float]] = {}
        self._spooled: dict[str, tuple[float, int]] = {}

    def look(self, stats: Mapping[str, Any], alarms: Alarms, now_s: float) -> None:
        """Set and end the alarms about lag, buffers and spools."""
        for name, sink in stats["sinks"].items():
            self._sink(name, sink, alarms, now_s)
        for name, exchange in stats["exchanges"].items():
            self._exchange(name, exchange["transit"], alarms, now_s)

    def _sink(self, name: str, sink: Mapping[str, Any], alarms: Alarms, now_s: float) -> None:
        late = self._lasts(f"sink {name}", sink["pending"] > 0 and sink["lag_s"] > self._settings.lag_s, now_s)
        _switch(alarms, late, "sink_lagging", f"sink {name}",
                f"stores events {sink['lag_s']:.1f} s after their receipt",
                "look at the store's load and disk; if it stays so, collect less, or by several instances")  # fmt: skip
        full = sink["pending"] > _FULL * sink["capacity"]
        _switch(alarms, full, "buffer_filling", f"sink {name}",
                f"{sink['pending']:,} of {sink['capacity']:,} events wait in memory",
                "look why the store is slow; without a spool events are lost when it is full")  # fmt: skip
        growing = self._growing(name, sink["spool_bytes"], now_s)
        _switch(alarms, growing, "spool_growing", f"spool of {name}",
                f"{sink['spool_bytes']:,} of {self._spool_max:,} bytes, and growing",
                "bring the store back, or raise spool.max_bytes: beyond it events are lost")  # fmt: skip

    def _exchange(self, name: str, transit: Mapping[str, Any], alarms: Alarms, now_s: float) -> None:
        count, total_s = transit["count"], transit["sum_s"]
        before, before_s = self._transit.get(name, (0, 0.0))
        if count <= before:
            return
        self._transit[name] = (count, total_s)
        mean_s = (total_s - before_s) / (count - before)
        late = self._lasts(f"exchange {name}", mean_s > self._settings.lag_s, now_s)
        _switch(alarms, late, "exchange_lagging", name, f"its events are {mean_s:.1f} s old when they are received",
                "look at this machine's load and network, and at its clock (`jrr check`)", name)  # fmt: skip

    def _lasts(self, what: str, true: bool, now_s: float) -> bool:
        """Return whether something has been true for as long as it takes."""
        if not true:
            self._since.pop(what, None)
            return False
        return now_s - self._since.setdefault(what, now_s) >= self._settings.lag_for_s

    def _growing(self, name: str, size: int, now_s: float) -> bool:
        """Return whether a spool that is a tenth full has not become smaller for a while."""
        since, before = self._spooled.get(name, (now_s, 0))
        if size < before or size <= self._spool_max / 10:
            since = now_s
        self._spooled[name] = (since, size)
        return now_s - since >= _GROWING_S


def _switch(
    alarms: Alarms, on: bool, name: str, subject: str, text: str, cure: str, exchange: str | None = None
) -> None:
    if on:
        alarms.set(name, subject, text, cure, exchange)
    else:
        alarms.clear(name, subject, exchange)
