"""Where the events of one exchange are laid, whichever session brings them: counted, told, handed on.

What a store knows of earlier runs comes in here too. Synchronous, and without a
clock of its own.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import Factory, define

from .continuity import Continuity
from .counters import ExchangeCounters, Latency
from .coverage import EARLIER
from .events import Backfilled, Gap, Message
from .journal import say_seldom
from .sink import StreamKey
from .stream import StreamBoard
from .tape import Reopened, Resumed, Tape

# Kinds of unknown things kept, and characters of each: the exchange chooses them.
_MOST_UNKNOWN = 100
_UNKNOWN_CHARS = 80


@define(frozen=True)
class Desk:
    """Where the events of one exchange are laid, whichever session brings them.

    `transit` samples how long events were on their way from the exchange,
    `unknown` is what it sent that its parser does not know.
    """

    exchange: str
    board: StreamBoard
    continuity: Continuity
    counters: ExchangeCounters
    emit: Callable[[Sequence[Message]], None]
    quarantine: Callable[[str, str, str | bytes], None]
    tape: Tape | None = None
    transit: Latency = Factory(Latency)
    unknown: set[str] = Factory(set)

    def resume(self, points: Mapping[StreamKey, int], now_ns: int) -> None:
        """Take where a store's streams ended before this run: what lies between is missing, and asked for."""
        own = {key: point for key, point in points.items() if key.exchange == self.exchange}
        if self.tape is not None and own:
            self.tape.act(Resumed(self.exchange, now_ns, own))
        events = self.continuity.resume(own)
        if events:
            self.publish(events)

    def reopen(self, gaps: Iterable[Gap], now_ns: int) -> None:
        """Take what earlier runs missed and a store still lacks, after `resume`."""
        own = [gap for gap in gaps if gap.exchange == self.exchange]
        if self.tape is not None and own:
            self.tape.act(Reopened(self.exchange, now_ns, own))
        self.continuity.reopen(own)

    def publish(self, events: Sequence[Message]) -> None:
        """Hand out events in order; what they say is missing or found again is counted and logged."""
        for event in events:
            if isinstance(event, Gap):
                self._note_gap(event)
            elif isinstance(event, Backfilled) and event.count:
                self._note_found(event)
        self.emit(events)

    def note_unknown(self, what: str) -> None:
        """Keep in mind that the exchange sent what its parser does not know; no more than some of it."""
        if len(self.unknown) < _MOST_UNKNOWN:
            self.unknown.add(what[:_UNKNOWN_CHARS])

    def _note_found(self, found: Backfilled) -> None:
        if found.reason != EARLIER:
            self.counters.backfilled += found.count or 0
        say_seldom(logging.INFO, "backfilled", f"{found.exchange}:{found.what}:{found.symbol}",
                   f"{found.exchange}:{found.what}:{found.symbol}: {found.count} of the missing are there now "
                   f"({found.reason})",
                   exchange=found.exchange, channel=found.what, symbol=found.symbol, count=found.count)  # fmt: skip

    def _note_gap(self, gap: Gap) -> None:
        if gap.count == 0:
            say_seldom(logging.WARNING, "gap_stays", f"{gap.exchange}:{gap.what}:{gap.symbol}",
                       f"{gap.exchange}:{gap.what}:{gap.symbol}: what is missing cannot be fetched: {gap.reason}",
                       exchange=gap.exchange, channel=gap.what, symbol=gap.symbol, reason=gap.reason)  # fmt: skip
            return
        self.counters.gaps += 1
        self.counters.breaks += gap.count is None
        self.counters.missing += gap.count or 0
        say_seldom(logging.WARNING, "gap", f"{gap.exchange}:{gap.what}:{gap.symbol}",
                   f"{gap.exchange}:{gap.what}:{gap.symbol}: {gap.count or 'unknown many'} missing ({gap.reason})",
                   exchange=gap.exchange, channel=gap.what, symbol=gap.symbol, count=gap.count)  # fmt: skip
