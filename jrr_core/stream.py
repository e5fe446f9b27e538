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
# ... and its habit is known only after so many events.
_HABIT_EVENTS = 20
# Channels on which hours of silence are ordinary.
_SPARSE = frozenset({"liquidation"})


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
    reported: str | None = None
    wanted: bool = True
    sessions: list[str] = Factory(list)
    track: Track | None = None
    latest: Message | None = None

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

    def silence(self, now_ns: int, first_data_s: float, quiet_s: float) -> str | None:
        """Return what is wrong, once per silence: "never received", "quiet", or None."""
        if not self.wanted:
            return None
        if not self.last_ns or self.last_ns < self.subscribed_ns:
            late = now_ns - self.subscribed_ns > first_data_s * 1e9 and self.channel not in _SPARSE
            return self._once("never received" if late else None)
        silent_ns = now_ns - self.last_ns
        if silent_ns < quiet_s * 1e9 or self.count < _HABIT_EVENTS or self.channel in _SPARSE:
            return self._once(None)
        usual_ns = (self.last_ns - self.first_ns) / (self.count - 1)
        return self._once("quiet" if silent_ns > _USUAL_INTERVALS * usual_ns else None)

    def _once(self, finding: str | None) -> str | None:
        if finding == self.reported:
            return None
        self.reported = finding
        return finding


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
