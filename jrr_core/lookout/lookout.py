"""The one task that looks, once a second, and now and then at what costs a request or a look at the disk."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..alarms import Alarms, AlarmSettings
from ..exchange import Exchange
from ..journal import tell_folded
from .clocks import look_at_clock
from .disk import look_at_capture, look_at_disks
from .drift import DriftWatch
from .lag import LagWatch
from .silence import look_for_silence

_EVERY_S = 1.0
_DISKS_EVERY_S = 30.0


class Lookout:
    """Looks at the exchanges and the pulse of a run."""

    def __init__(
        self,
        settings: AlarmSettings,
        exchanges: Iterable[Exchange],
        stats: Callable[[], Mapping[str, Any]],
        alarms: Alarms,
        *,
        folders: Sequence[Path] = (),
        spool_max_bytes: int = 0,
    ) -> None:
        """`stats` gives the pulse of a run or all its stats; `folders` are those the run writes to."""
        self._settings = settings
        self._exchanges = list(exchanges)
        self._stats = stats
        self._alarms = alarms
        self._folders = folders
        self._lag = LagWatch(settings, spool_max_bytes)
        self._drift = {exchange.name: DriftWatch(settings.rejected) for exchange in self._exchanges}
        self._disks_at = self._clocks_at = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._clocks())
            while True:
                await asyncio.sleep(_EVERY_S)
                self.look(time.monotonic(), time.time_ns())
                tell_folded()

    def look(self, now_s: float, now_ns: int) -> None:
        """Look once; what fails is no alarm and stops no other look."""
        stats = self._stats()
        looks: list[Callable[[], None]] = [
            partial(self._lag.look, stats, self._alarms, now_s),
            partial(look_at_capture, stats["capture"], self._alarms),
            partial(self._disks, now_s),
            *[partial(self._exchange, exchange, now_s, now_ns) for exchange in self._exchanges],
        ]
        for look in looks:
            try:
                look()
            except Exception:
                logging.getLogger("jrr").debug("a look failed", exc_info=True)

    def _exchange(self, exchange: Exchange, now_s: float, now_ns: int) -> None:
        look_for_silence(exchange, self._alarms, now_ns)
        self._drift[exchange.name].look(exchange.around.desk, self._alarms, now_s)

    def _disks(self, now_s: float) -> None:
        if now_s >= self._disks_at:
            self._disks_at = now_s + _DISKS_EVERY_S
            look_at_disks(self._folders, self._settings.disk_free_bytes, self._alarms)

    async def _clocks(self) -> None:
        while self._settings.clock_every_s:
            for exchange in self._exchanges:
                if exchange.wanted:
                    await look_at_clock(exchange, self._alarms, self._settings.clock_s)
            await asyncio.sleep(self._settings.clock_every_s)
