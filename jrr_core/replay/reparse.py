"""The rows of a time, made anew from a capture: after a parser was mended, for example.

Read twice: first to learn which streams were captured when, for nothing else is
touched; then to put what the frames mean now in the place of what is stored.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define

from ..capture import Lost, Opened, read_capture
from ..events import MARKET_EVENTS, Connected, Disconnected
from ..lines import Damage
from ..sink import WriteResult
from ..store import Cut, Replacement, ReplacingStore
from .player import Player
from .source import Sources
from .window import Window

# Rows handed to the store at a time.
_BATCH = 5_000
_MARKET = frozenset(MARKET_EVENTS)


@define
class Reparsed:
    """What was done: rows taken out, rows put in their place, those the store has from elsewhere; damaged lines."""

    streams: int
    removed: int
    written: int
    duplicate: int
    rejected: int
    damaged: int


async def reparse(
    store: ReplacingStore, files: Sequence[Path], sources: Sources, window: Window, exchange: str | None = None
) -> Reparsed:
    """Replace in an open store the rows that were received in `window`, of the streams and times that are captured.

    Doing it again changes nothing. What the store has of other times, streams
    and collectors stays. Raises as the store's `replacing` does.
    """
    reading = _Reading(files, sources, window, exchange)
    cuts = [cut async for cut in reading.cuts()]
    written = duplicate = removed = 0
    if cuts:
        async with store.replacing(cuts) as replacement:
            removed = replacement.removed
            async for result in _put(replacement, reading, cuts):
                written, duplicate = written + result.written, duplicate + result.duplicate
    streams = len({(cut.exchange, cut.channel, cut.symbol) for cut in cuts})
    return Reparsed(streams, removed, written, duplicate, reading.rejected, reading.damaged)


async def _put(replacement: Replacement, reading: "_Reading", cuts: Sequence[Cut]) -> AsyncIterator[WriteResult]:
    """Put in what the frames mean, of the times that were cut."""
    spans: dict[tuple[str, str, str], list[Cut]] = {}
    for cut in cuts:
        spans.setdefault((cut.exchange, cut.channel, cut.symbol), []).append(cut)
    batch: list[Any] = []
    for events in reading.events():
        for event in events:
            if event.__class__ in _MARKET and any(
                cut.ts_from <= event.ts_recv < cut.ts_to
                for cut in spans.get((event.exchange, event.channel, event.symbol), ())
            ):
                batch.append(event)
        if len(batch) >= _BATCH:
            yield await replacement.put(batch)
            batch = []
    if batch:
        yield await replacement.put(batch)


class _Reading:
    """The captured files, played as often as needed."""

    def __init__(self, files: Sequence[Path], sources: Sources, window: Window, exchange: str | None) -> None:
        self._files, self._sources, self._window, self._exchange = files, sources, window, exchange
        self.rejected = self.damaged = 0

    async def cuts(self) -> AsyncIterator[Cut]:
        """Yield each stream's times that are captured, within the window."""
        began: dict[tuple[str, str, str], dict[str, int]] = {}
        for events in self.events():
            for event in events:
                if isinstance(event, Connected):
                    key = (event.exchange, event.what, event.symbol)
                    began.setdefault(key, {}).setdefault(event.session, event.ts_recv)
                elif isinstance(event, Disconnected):
                    key = (event.exchange, event.what, event.symbol)
                    since = began.get(key, {}).pop(event.session, None)
                    # What its last frames brought was received up to then.
                    cut = None if since is None else self._cut(key, since, event.ts_recv + 1)
                    if cut is not None:
                        yield cut

    def _cut(self, key: tuple[str, str, str], since: int, until: int) -> Cut | None:
        since = since if self._window.since is None else max(since, self._window.since)
        until = until if self._window.until is None else min(until, self._window.until)
        return Cut(*key, since, until) if since < until else None

    def events(self) -> "Any":
        """Yield, frame by frame, what the capture means now; as far as the window goes."""
        published: list[Any] = []
        player = Player(self._sources, published.extend, lambda *refused: None)
        self.damaged = 0
        for file in self._files:
            for item in read_capture(file, self._exchange):
                if isinstance(item, Damage):
                    self.damaged += 1
                    continue
                if not isinstance(item, (Opened, Lost)) and self._exchange not in (None, item.exchange):
                    continue
                if self._window.over(item.ts):
                    break
                self.damaged += player.play(item, file.name) is not None
                if published:
                    yield published
                    published.clear()
        player.finish()
        yield published
        self.rejected = sum(counters.rejected for counters in player.counters.values())
