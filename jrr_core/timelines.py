"""The coverage of all streams of a store, changed within the store's own transactions.

Pure: a store says how ranges are loaded and writes what `changes()` tells.
Nothing is kept until `commit`, so a transaction that fails leaves the sessions
that are live as they were.
"""

from collections.abc import Callable, Iterable, Iterator

from .coverage import Timeline
from .events import StreamEvent
from .sink import StreamKey
from .store import Range

_BEAT_NS = 10**9


class Timelines:
    """The Timelines of every stream spoken of since a store was opened."""

    def __init__(self, load: Callable[[StreamKey], Iterable[Range]]) -> None:
        """Start with no session live; `load` gives a stream's stored ranges when it is first spoken of."""
        self._load = load
        self._lines: dict[StreamKey, Timeline] = {}
        self._staged: dict[StreamKey, Timeline] = {}
        self._beat = 0

    def apply(self, events: Iterable[StreamEvent]) -> None:
        """Take events that the store did not have, in order."""
        for event in events:
            self._stage(StreamKey(event.exchange, event.what, event.symbol)).apply(event)

    def heartbeat(self, ts: int) -> None:
        """Let the live ranges reach to `ts` (int ns), at most once a second."""
        if abs(ts - self._beat) >= _BEAT_NS:
            self._beat = ts
            for line in self._live():
                line.heartbeat(ts)

    def end(self, ts: int) -> None:
        """End the live ranges at `ts` (int ns): the store is being closed in order."""
        for line in self._live():
            line.heartbeat(ts)
            line.close()

    def changes(self) -> Iterator[tuple[StreamKey, int | None, list[Range]]]:
        """Yield what to store since the last call: (stream, after, ranges), as `Timeline.changes` means them."""
        for stream, line in self._staged.items():
            changed = line.changes()
            if changed is not None:
                yield stream, *changed

    def commit(self) -> None:
        """Keep what was staged: the transaction is in the store."""
        self._lines |= self._staged
        self._staged.clear()

    def rollback(self) -> None:
        """Forget what was staged: the transaction is not in the store."""
        self._staged.clear()

    def _live(self) -> list[Timeline]:
        return [self._stage(stream) for stream, line in self._lines.items() if line.live]

    def _stage(self, stream: StreamKey) -> Timeline:
        if stream not in self._staged:
            line = self._lines.get(stream)
            if line is None:
                line = Timeline(stream.exchange, stream.channel, stream.symbol, self._load(stream))
            self._staged[stream] = line.copy()
        return self._staged[stream]
