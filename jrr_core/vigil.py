"""The watch over one connection: what it owes us, by when, and whether it is dead though its socket is open.

Pure: times are `time.monotonic()` seconds and are handed in. The session asks;
what follows from an answer is the session's affair.
"""

from collections.abc import Sequence

# A connection that delivered steadily and then answers only pings is dead in all but name after
# this many of its usual intervals.
_DEAD_INTERVALS = 100
_HABIT_FRAMES = 100


class Vigil:
    """Signs of life, data, and answers still due on one connection.

    `last_sign` is when anything at all was seen to have come, a pong
    included; `last_data` when a frame that meant something was.
    """

    __slots__ = (
        "_ack_timeout_s",
        "_due",
        "_meant",
        "_refused_unnamed",
        "_stale_s",
        "_started",
        "frames",
        "last_data",
        "last_sign",
    )

    def __init__(self, now: float, stale_s: float, ack_timeout_s: float) -> None:
        """Begin at `now`: silence counts as death after `stale_s`, an answer is due within `ack_timeout_s`."""
        self._started = self.last_sign = self.last_data = now
        self._stale_s = stale_s
        self._ack_timeout_s = ack_timeout_s
        self._due: dict[str, tuple[float, str]] = {}
        self._refused_unnamed = False
        self.frames = self._meant = 0

    def saw(self, frames: int, meant: int, now: float) -> None:
        """Note how many frames have come until now, and how many of them meant something."""
        if frames != self.frames:
            self.frames, self.last_sign = frames, now
        if meant != self._meant:
            self._meant, self.last_data = meant, now

    def expect(self, keys: Sequence[str], text: str, now: float) -> None:
        """Note that `text` was sent and each of `keys` must be answered for."""
        for key in keys:
            self._due[key] = now, text

    def answered(self, key: str) -> str:
        """Note that `key` was answered for; return the text that asked, empty if none did."""
        return self._due.pop(key, (0.0, ""))[1]

    def refused(self, key: str) -> str:
        """Do as `answered`; an empty key is a refusal that names nothing, and means what nothing else answers for."""
        self._refused_unnamed = self._refused_unnamed or not key
        return self.answered(key)

    def never_answered(self, now: float) -> list[str]:
        """Take out and return the keys past their time that an unnamed refusal must have meant."""
        if not self._refused_unnamed:
            return []
        late = self._late(now)
        for key in late:
            del self._due[key]
        return late

    def overdue(self, now: float) -> str | None:
        """Return what is past its time, in words; None when all is answered for."""
        late = self._late(now)
        return f"no answer to {', '.join(late[:5])} within {self._ack_timeout_s:g} s" if late else None

    def verdict(self, now: float) -> str | None:
        """Return why the connection is dead, or None while it lives."""
        if now - self.last_sign > self._stale_s:
            return f"no frame for {self._stale_s:g} s"
        if any(self.last_data <= self._due[key][0] for key in self._late(now)):
            # Neither the answer nor anything else came of what was sent.
            return self.overdue(now)
        if self.frames > _HABIT_FRAMES:
            usual_s = (self.last_data - self._started) / self.frames
            if now - self.last_data > max(self._stale_s, _DEAD_INTERVALS * usual_s):
                return f"no data for {now - self.last_data:.0f} s though the connection answers"
        return None

    def _late(self, now: float) -> list[str]:
        return sorted(key for key, (sent, _) in self._due.items() if now > sent + self._ack_timeout_s)
