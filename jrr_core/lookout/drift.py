"""An exchange that speaks otherwise than its plugin knows: frames not understood, new fields, new kinds of frames."""

from collections import deque

from ..alarms import Alarms
from ..desk import Desk

_WINDOW_S = 300.0
_CURE = "nothing that is known is lost; update the plugin, and tell its author what is new"
# New things named in one alarm.
_NAMED = 5


class DriftWatch:
    """Counts of one exchange over the last minutes."""

    def __init__(self, most: int) -> None:
        """More than `most` frames not understood in five minutes are too many."""
        self._most = most
        self._rejected: deque[tuple[float, int]] = deque()

    def look(self, desk: Desk, alarms: Alarms, now_s: float) -> None:
        """Set and end the alarms about drift of the exchange."""
        counts = self._rejected
        counts.append((now_s, desk.counters.rejected))
        while now_s - counts[0][0] > _WINDOW_S:
            counts.popleft()
        recent = counts[-1][1] - counts[0][1]
        if recent >= self._most:
            text = f"{recent} frames were not understood within five minutes; they are kept in quarantine"
            cure = "see why in the quarantine file; if the exchange changed its protocol, update the plugin"
            alarms.set("frames_not_understood", desk.exchange, text, cure, desk.exchange)
        else:
            alarms.clear("frames_not_understood", desk.exchange, desk.exchange)
        if desk.unknown:
            shown = ", ".join(sorted(desk.unknown)[:_NAMED])
            text = f"sends what its plugin does not know: {shown}"
            alarms.set("protocol_drift", desk.exchange, text, _CURE, desk.exchange, unknown=sorted(desk.unknown))
