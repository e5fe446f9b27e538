"""What each stream of one exchange has brought, over all its connections: nothing twice, nothing missing untold.

One per exchange, shared by its sessions. A session hands each event to the
track of its stream and publishes what comes back. What is missing is left here,
to be asked for by a session that carries the stream.
"""

from collections.abc import Iterable, Mapping

from .candles import step_of
from .connector import Numbering
from .events import Gap, Message
from .frame import Absent, Hole
from .holes import Missing
from .lead import Lead
from .sink import StreamKey
from .stream import Stream
from .track import Track
from .tracks import Candles, Funding, Trades


class Continuity:
    """The tracks of one exchange's streams.

    Methods that return events return those to publish, in order. `session`
    is the name of a connection, times are int ns UTC.
    """

    def __init__(self, exchange: str, numbering: Mapping[str | None, Numbering], most: int) -> None:
        """`numbering` says which trade ids leave none out; holes of more than `most` events are not asked for."""
        self._exchange = exchange
        self._numbering = numbering
        self._most = most
        # By stream, so that thousands of them can begin with what a store has of all: points by numbering, and gaps.
        self._points: dict[tuple[str, str], dict[str | None, int]] = {}
        self._tracks: dict[tuple[str, str], Track] = {}
        self._ended: set[tuple[str, str]] = set()
        self._unhealed: dict[tuple[str, str], list[Gap]] = {}

    @property
    def repeated(self) -> int:
        """How many events came again, by another connection or twice by one, and were published once."""
        return sum(track.repeated for track in self._tracks.values())

    @property
    def interrupted(self) -> int:
        """How many streams were interrupted and nothing has shown yet that it cost nothing."""
        return sum(track.interrupted for key, track in self._tracks.items() if key not in self._ended)

    def join(self, stream: Stream, session: str) -> None:
        """Take note that a connection has begun to carry the stream."""
        stream.sessions.append(session)
        where = (stream.channel, stream.symbol)
        self._ended.discard(where)
        if stream.track is None and (track := self._made(stream)) is not None:
            stream.track = self._tracks[where] = track
            for space, point in self._points.get(where, {}).items():
                track.resume(space, point)
            for gap in self._unhealed.get(where, ()):
                self._reopen(track, gap)
        if stream.track is not None:
            for each in stream.sessions:
                stream.track.join(each)

    def leave(self, stream: Stream, session: str, now_ns: int, in_order: bool) -> list[Message]:
        """Take note that it does so no more; `in_order`: because nobody wants the stream any more."""
        stream.sessions.remove(session)
        if stream.track is None:
            return []
        if in_order and not stream.sessions and not stream.track.interrupted:
            self._ended.add((stream.channel, stream.symbol))
        return stream.track.leave(session, not stream.sessions, now_ns)

    def due(self, streams: Iterable[Stream], now_ns: int) -> list[Message]:
        """Return what has been held long enough, and what that shows to be missing."""
        return [event for track in _awake(streams) for event in track.due(now_ns)]

    def resume(self, points: Mapping[StreamKey, int]) -> list[Message]:
        """Take the last numbers a store had before this run; of several stores the lowest counts."""
        events: list[Message] = []
        for key, point in points.items():
            if key.exchange != self._exchange:
                continue
            channel, space = _stream_of(key)
            known = self._points.setdefault((channel, key.symbol), {})
            known[space] = min(point, known.get(space, point))
            track = self._tracks.get((channel, key.symbol))
            if track is not None:
                events += track.resume(space, point)
        return events

    def reopen(self, gaps: Iterable[Gap]) -> None:
        """Take what earlier runs missed and a store still lacks, after its points: it will be asked for."""
        for gap in gaps:
            if gap.exchange == self._exchange:
                self._unhealed.setdefault((gap.what, gap.symbol), []).append(gap)
                track = self._tracks.get((gap.what, gap.symbol))
                if track is not None:
                    self._reopen(track, gap)

    def _reopen(self, track: Track, gap: Gap) -> None:
        assert gap.sequences is not None
        numberings = list(self._points.get((gap.what, gap.symbol), ()))
        # A gap does not say of which numbering it is: where there are several, nobody knows.
        if len(numberings) == 1:
            until = gap.ts_recv if gap.ts_to is None else gap.ts_to
            track.reopen(numberings[0], Missing(*gap.sequences, gap.ts_from, until, earlier=True))

    def asks(self, streams: Iterable[Stream], session: str, now_ns: int) -> list[Hole]:
        """Return the holes that this session, which carries `streams`, is to ask for now."""
        holes: list[Hole] = []
        for track in _awake(streams):
            holes += track.asks(session, now_ns)
            track.awake = track.waits
        return holes

    def absent(self, absent: Absent, ts_recv: int, session: str) -> list[Message]:
        """Take note of what will not come."""
        hole = absent.hole
        track = self._tracks.get((hole.channel, hole.symbol))
        return [] if track is None else track.absent(hole, absent.reason, ts_recv, session)

    def too_large(self, hole: Hole) -> str | None:
        """Return why a hole is not asked for, None if it is."""
        if hole.count <= self._most:
            return None
        return f"more than the {self._most} events of exchanges.{self._exchange}.backfill_events"

    def _made(self, stream: Stream) -> Track | None:
        """Return the track of a stream; one without numbers needs none until a second connection carries it."""
        name = (self._exchange, stream.channel, stream.symbol)
        if stream.channel == "trade":
            return Trades(name, self._numbering)
        if stream.channel == "funding":
            return Funding(name)
        if stream.channel.startswith("candle_"):
            interval = step_of(stream.channel.removeprefix("candle_"))
            if interval is not None:
                return Candles(name, interval.end(0))
        return Lead(name) if len(stream.sessions) > 1 else None


def _awake(streams: Iterable[Stream]) -> list[Track]:
    return [track for stream in streams if (track := stream.track) is not None and track.awake]


def _stream_of(key: StreamKey) -> tuple[str, str | None]:
    """Return channel and id space of a store's resume point: trades of a numbering are under `trade@<id_space>`."""
    if key.channel.startswith("trade@"):
        return "trade", key.channel.removeprefix("trade@")
    return key.channel, None
