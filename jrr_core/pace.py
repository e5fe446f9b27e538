"""Pacing: never more than a limit allows, shared by all who obey the same limit."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from .connector import Rate


class Spacing:
    """Lets one caller through every `interval_s`; evenly, since a burst plus refill trips exchanges' limits."""

    __slots__ = ("_clock", "_interval_s", "_next")

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        """Space callers so that `rate` is never exceeded."""
        self._interval_s = rate.per_s / rate.count
        self._clock = clock
        self._next = 0.0

    async def wait(self) -> None:
        """Return when it is this caller's turn; turns are given in order of asking."""
        now = self._clock()
        turn = max(now, self._next)
        self._next = turn + self._interval_s
        if turn > now:
            await asyncio.sleep(turn - now)


# The part of a budget that fetching the past may use up.
_PATIENT_SHARE = 0.5


class Budget:
    """A weight budget over a sliding window, with a stop the exchange may impose (Retry-After).

    `rate` is what it allows.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow weights adding up to `rate.count` in any `rate.per_s` seconds."""
        self.rate = rate
        self._clock = clock
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0
        self._closed_until = 0.0
        self._turn = asyncio.Lock()
        self._patient_turn = asyncio.Lock()

    @property
    def used(self) -> int:
        """Weight spent within the current window."""
        self._forget(self._clock())
        return self._used

    def close_for(self, seconds: float) -> None:
        """Let nobody through for so long: the exchange said so."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)

    async def spend(self, weight: int, patient: bool = False) -> None:
        """Wait until `weight` fits, then charge it; first come, first served.

        A `patient` one uses no more than half of the budget, and nobody who is
        not patient waits for it.
        """
        turn, most = (self._patient_turn, _PATIENT_SHARE) if patient else (self._turn, 1.0)
        async with turn:
            while (delay := self._delay(weight, most * self.rate.count)) > 0:  # noqa: ASYNC110 - waits for the clock
                await asyncio.sleep(delay)
            self._spent.append((self._clock(), weight))
            self._used += weight

    def _delay(self, weight: int, most: float) -> float:
        now = self._clock()
        self._forget(now)
        if self._closed_until > now:
            return self._closed_until - now
        if not self._spent or self._used + weight <= most:
            return 0.0
        return max(self._spent[0][0] + self.rate.per_s - now, 0.001)

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0][0] <= now - self.rate.per_s:
            self._used -= self._spent.popleft()[1]
