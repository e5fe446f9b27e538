"""How fast a recording goes by: as it was received, some times faster, or as fast as it can be read."""

import asyncio
import time

# The shortest sleep worth its while; waits add up to it first.
_LEAST_S = 0.002


class Tempo:
    """Lets what was received at a time go on when its turn has come."""

    def __init__(self, speed: float | None) -> None:
        """`speed` 1 takes as long as it took, 10 a tenth of it, None no time."""
        self._speed = speed
        self._began: tuple[float, int] | None = None

    async def wait(self, ts: int) -> None:
        """Return when it is the turn of what was received at `ts` (int ns)."""
        if self._speed is None:
            return
        if self._began is None:
            self._began = (time.monotonic(), ts)
        began, first = self._began
        left = began + (ts - first) / 1e9 / self._speed - time.monotonic()
        if left > _LEAST_S:
            await asyncio.sleep(left)
