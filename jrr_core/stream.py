"""What each subscribed stream has delivered, and when its silence deserves a word.

Shared by all sessions of an exchange, so that counts outlive a reconnect. Pure:
times are handed in.
"""

from typing import Literal

from attrs import Factory, define

from .events import Message
from .track import Track

# A stream is "quiet" only against its own habit: this many of its usual intervals without an event.
_USUAL_INTERVALS = 30
# ... or so many of the longest it has been silent: markets have their nights.
_LONGEST_INTERVALS = 3
# ... and its habit is known only after so many events.
_HABIT_EVENTS = 20
# Channels on which hours of silence are ordinary.
_SPARSE = frozenset({"liquidation"})
Finding = Literal["never received", "quiet"]


@define
class Stream:
    """One stream's record; times are int ns UTC.

    `sessions` are those that carry it now, by name; `latest` is its latest
    event that was no answer about the past.
    """

    channel: str
    symbol: str
    subscribed_ns: int
    count: int = 0
    first_ns: int = 0
    last_ns: int = 0
    reported: Finding | None = None
    wanted: bool = True
    sessions: list[str] = Factory(list)
    track: Track | None = None
    latest: Message | None = None
    _longest_ns: int = 0
    _seen_ns: int = 0

    def came(self, event: Message, ts_recv: int) -> None:
        """Count an event that has just been made."""
        if not self.count:
            self.first_ns = ts_recv
        self.count += 1
        self.last_ns = ts_recv
        self.latest = event

    def fetched(self, ts_recv: int) -> None:
        """Count an event of the past, which says nothing about the stream being alive."""
        if not self.count:
            self.first_ns = ts_recv
        self.count += 1

    @property
    def state(self) -> Literal["live", "waiting", "quiet", "silent", "away"]:
        """Whether it delivers.

        live; waiting for first data; quiet, where hours without any are
        ordinary; found silent; away, without a connection.
        """
        if self.reported is not None:
            return "silent"
        if self.sessions:
            return "live"
        if self.last_ns and self.last_ns >= self.subscribed_ns:
            return "away"
        return "quiet" if self.channel in _SPARSE else "waiting"

    def look(self, now_ns: int, first_data_s: float, quiet_s: float) -> Finding | None:
        """Look whether it is silent; keep and return what is wrong, None for nothing."""
        if self.last_ns != self._seen_ns:
            if self._seen_ns:
                self._longest_ns = max(self._longest_ns, self.last_ns - self._seen_ns)
            self._seen_ns = self.last_ns
        self.reported = self._finding(now_ns, first_data_s, quiet_s)
        return self.reported

    def _finding(self, now_ns: int, first_data_s: float, quiet_s: float) -> Finding | None:
        if self.last_ns and self.last_ns >= self.subscribed_ns and now_ns - self.last_ns <= quiet_s * 1e9:
            # No habit is less patient than the setting: most streams need no more than this.
            return None
        if not self.wanted or self.channel in _SPARSE:
            return None
        if not self.last_ns or self.last_ns < self.subscribed_ns:
            if self.count >= _HABIT_EVENTS and self._within_habit(now_ns, quiet_s):
                return None
            return "never received" if now_ns - self.subscribed_ns > first_data_s * 1e9 else None
        return None if self.count < _HABIT_EVENTS or self._within_habit(now_ns, quiet_s) else "quiet"

    def _within_habit(self, now_ns: int, quiet_s: float) -> bool:
        """Whether it has been as quiet before, or nearly so: by its usual interval, or its longest."""
        usual_ns = (self.last_ns - self.first_ns) / max(self.count - 1, 1)
        patience_ns = max(quiet_s * 1e9, _USUAL_INTERVALS * usual_ns, _LONGEST_INTERVALS * self._longest_ns)
        return now_ns - self.last_ns <= patience_ns


class StreamBoard:
    """All streams of one exchange by (channel, symbol)."""

    __slots__ = ("streams",)

    def __init__(self) -> None:
        """Start empty."""
        self.streams: dict[tuple[str, str], Stream] = {}

    def expect(self, channel: str, symbol: str, now_ns: int) -> Stream:
        """Note that the stream was asked for now; its record is kept if there is one."""
        stream = self.streams.get((channel, symbol))
        if stream is None:
            stream = self.streams[channel, symbol] = Stream(channel, symbol, now_ns)
        else:
            stream.subscribed_ns, stream.reported, stream.wanted = now_ns, None, True
        return stream

    def forget(self, channel: str, symbol: str) -> None:
        """Stop watching a stream that is no longer wanted; what it delivered still counts."""
        if (channel, symbol) in self.streams:
            self.streams[channel, symbol].wanted = False

    def counts(self) -> dict[str, int]:
        """Return events received by channel."""
        totals: dict[str, int] = {}
        for stream in self.streams.values():
            totals[stream.channel] = totals.get(stream.channel, 0) + stream.count
        return totals
