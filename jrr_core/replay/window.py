"""The part of a capture that is stored: what was received in a span of time."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve

from ..events import Backfilled, Disconnected, Gap

# What was received in the span may be published a little later: it waited for what should have come before it.
_LATE_NS = 5 * 10**9


@define(frozen=True)
class Window:
    """From `since` to before `until` (int ns UTC, of receipt); None leaves that side open."""

    since: int | None = None
    until: int | None = None

    @property
    def whole(self) -> bool:
        """Whether everything is meant."""
        return self.since is None and self.until is None

    def over(self, ts: int) -> bool:
        """Whether nothing that is taken down from `ts` on can be meant."""
        return self.until is not None and ts >= self.until + _LATE_NS

    def within(self, ts: int) -> bool:
        """Whether what was received at `ts` is meant."""
        return (self.since is None or ts >= self.since) and (self.until is None or ts < self.until)

    def through(self, emit: Callable[[Sequence[Any]], None]) -> Callable[[Sequence[Any]], None]:
        """Return a function that hands on to `emit` only what is meant."""
        if self.whole:
            return emit

        def chosen(events: Sequence[Any]) -> None:
            kept = [self._cut(event) for event in events if self.within(getattr(event, "ts_recv", 0) or 0)]
            if kept:
                emit(kept)

        return chosen

    def _cut(self, event: Any) -> Any:
        """Return the event, a span that it tells of cut to what is meant."""
        if not isinstance(event, (Disconnected, Gap, Backfilled)) or self.until is None or event.ts_to is None:
            return event
        return evolve(event, ts_to=min(event.ts_to, self.until)) if event.ts_to > self.until else event


EVERYTHING = Window()
"""The whole recording."""
