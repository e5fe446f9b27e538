"""Of several connections that carry one stream one leads and is published; the others stand by.

What the stand-bys bring is kept for a while. When the leading connection ends,
breaks or stalls, a stand-by goes on where it stopped: of a book with the update
that continues the last one published, of other streams with what has not been
published yet. So a book stays one chain, and nothing is published twice.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from .events import BookDelta, BookSnapshot, Gap, Message, StreamEvent
from .track import Track

# A leading connection is silent for so long while another delivers: the other leads.
_STALL_NS = 10**9
# Kept of each stand-by: over three minutes of a book at 100 ms.
_KEPT = 2000
# Keys remembered of what was published, for streams without a chain.
_KEYS = 1000


class Lead(Track):
    """The sessions of one stream, the leading one first, and what was published last."""

    def __init__(self, name: tuple[str, str, str]) -> None:
        """Begin without a session; `name` is exchange, channel, symbol."""
        self._name = name
        self._repeated = 0
        self._sessions: list[str] = []
        # Made for a second session: of thousands of streams most never have one.
        self._kept: dict[str, deque[Message]] = {}
        self._keys: deque[Any] | None = None
        self._broken: set[str] = set()
        self._sequence: int | None = None
        self._behind = False
        self._seamless = False
        self._last_ns = 0
        self._last_event_ns = 0

    @property
    def seamless(self) -> bool:
        """Whether the leading session goes on where the one before it stopped."""
        return self._seamless

    @property
    def repeated(self) -> int:
        """How many events of stand-bys were not published."""
        return self._repeated

    def join(self, session: str) -> None:
        """Take note that a connection carries the stream; the first one leads."""
        if session in self._sessions:
            return
        self._sessions.append(session)
        if len(self._sessions) == 2:
            # What a single one published was not watched.
            self._sequence, self._last_ns, self._last_event_ns = None, 0, 0
            self._keys = deque(maxlen=_KEYS)
        for each in self._sessions if len(self._sessions) > 1 else ():
            self._kept.setdefault(each, deque(maxlen=_KEPT))

    def leave(self, session: str, last: bool, now_ns: int) -> list[Message]:
        """Take note that it ended; return what a stand-by brings in its place."""
        if session not in self._sessions:
            return []
        leading = session == self._sessions[0]
        self._sessions.remove(session)
        self._kept.pop(session, None)
        self._broken.discard(session)
        self._seamless = not leading
        if not leading or not self._sessions:
            return []
        return self._hand_over(self._best() or self._sessions[0], now_ns)

    def take(self, event: Message, session: str, answered: bool) -> Sequence[Message] | None:
        """Take an event of a connection that has joined; None means: publish it as it is."""
        if len(self._sessions) < 2 and not self._behind:
            return None
        if session not in self._kept:
            # Still under way when the stream was unsubscribed.
            return None
        if session == self._sessions[0]:
            return self._led(event, session)
        return self._stood_by(event, session)

    def _led(self, event: Message, session: str) -> Sequence[Message] | None:
        if isinstance(event, Gap):
            self._broken.add(session)
            heir = self._best()
            # Another connection may have what this one lacks.
            return None if heir is None else self._hand_over(heir, event.ts_recv)
        if isinstance(event, StreamEvent):
            return None
        if isinstance(event, BookSnapshot):
            self._broken.discard(session)
        behind, self._behind = self._behind, False
        if behind and not self._continues(event):
            if _sequence(event) <= (self._sequence or 0):
                self._behind = True
                self._repeated += 1
                return []
            events = [self._gap(_when(event), event.ts_recv), event]
            self._published(event)
            return events
        self._published(event)
        return None

    def _stood_by(self, event: Message, session: str) -> list[Message]:
        kept = self._kept[session]
        if isinstance(event, Gap):
            self._broken.add(session)
            kept.clear()
            return []
        if isinstance(event, StreamEvent):
            return []
        if isinstance(event, BookSnapshot) and event.depth is None:
            self._broken.discard(session)
            kept.clear()
        kept.append(event)
        self._repeated += 1
        self._last_ns = self._last_ns or event.ts_recv
        idle = event.ts_recv - self._last_ns > _STALL_NS or self._sessions[0] in self._broken
        return self._hand_over(session, event.ts_recv) if idle and session not in self._broken else []

    def _best(self) -> str | None:
        """Return the session to lead next: of those in step the one with the latest event."""
        able = [name for name in self._sessions if name not in self._broken and self._kept[name]]
        return max(able, key=lambda name: self._kept[name][-1].ts_recv, default=None)

    def _hand_over(self, heir: str, now_ns: int) -> list[Message]:
        """Let `heir` lead; return what it has beyond what was published."""
        kept = list(self._kept[heir])
        self._kept[heir].clear()
        self._sessions.remove(heir)
        self._sessions.insert(0, heir)
        self._last_ns = now_ns
        if heir in self._broken:
            return [self._gap(now_ns, now_ns)]
        events = self._chained(kept) if self._name[1] == "book" else self._unpublished(kept)
        self._repeated -= len([event for event in events if not isinstance(event, StreamEvent)])
        for event in events:
            self._published(event)
        return events

    def _unpublished(self, kept: list[Message]) -> list[Message]:
        known = set(self._keys or ())
        fresh = [event for event in kept if event.key() not in known]
        self._seamless = len(fresh) < len(kept)
        return fresh

    def _chained(self, kept: list[Message]) -> list[Message]:
        """Return the part of `kept` that goes on where the published book stopped; else the whole, told as a break."""
        if self._sequence is None or not kept:
            return kept
        for at, event in enumerate(kept):
            if self._continues(event):
                self._seamless = True
                return kept[at:]
        if _sequence(kept[-1]) <= self._sequence:
            # It lags: what it brings was published, until it catches up.
            self._behind = self._seamless = True
            return []
        if isinstance(kept[0], BookSnapshot) and _sequence(kept[0]) <= self._sequence:
            self._seamless = True
            return kept
        return [self._gap(_when(kept[0]), kept[0].ts_recv), *kept]

    def _continues(self, event: Message) -> bool:
        if not isinstance(event, BookDelta):
            return False
        if event.previous_sequence is not None:
            return event.previous_sequence == self._sequence
        last, first = self._sequence, event.first_sequence
        return last is not None and first is not None and first <= last + 1 <= event.sequence

    def _gap(self, until: int, ts_recv: int) -> Gap:
        exchange, channel, symbol = self._name
        return Gap(exchange, symbol, None, ts_recv, channel, self._sessions[0], "no other connection was in step",
                   None, min(self._last_event_ns or until, until), until)  # fmt: skip

    def _published(self, event: Message) -> None:
        if isinstance(event, StreamEvent):
            return
        self._last_ns, self._last_event_ns = event.ts_recv, _when(event)
        if isinstance(event, (BookDelta, BookSnapshot)) and event.sequence is not None:
            self._sequence = event.sequence
        if self._keys is not None:
            self._keys.append(event.key())


def _when(event: Message) -> int:
    return event.ts_recv if event.ts_event is None else event.ts_event


def _sequence(event: Message) -> int:
    return getattr(event, "sequence", None) or 0
