"""How long to wait before trying again: capped exponential backoff with full jitter.

Full jitter (a uniform draw from 0 to the bound) spreads a crowd of clients best:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random


class Backoff:
    """Delays in seconds for successive failures of one thing."""

    __slots__ = ("_base_s", "_cap_s", "_random", "failures")

    def __init__(self, base_s: float = 0.5, cap_s: float = 30.0, seed: int | None = None) -> None:
        """The bound starts at `base_s` and doubles up to `cap_s`; `seed` makes the draws repeatable."""
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random.Random(seed)
        self.failures = 0

    def next_s(self) -> float:
        """Return the delay after one more failure."""
        bound = min(self._cap_s, self._base_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return self._random.uniform(0, bound)

    def reset(self) -> None:
        """Forget the failures; the caller does so after a stretch of health, not at a mere connect."""
        self.failures = 0
