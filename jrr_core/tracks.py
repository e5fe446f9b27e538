"""What becomes of the events of one stream, whichever connection brings them: trades, candles, funding.

Each kind of stream has its own notion of "nothing is missing": trades are
numbered, candles lie on a grid, funding is settled at known times.
"""

from collections.abc import Mapping, Sequence

from .connector import Numbering
from .events import Backfilled, Candle, FundingRate, Gap, Message, Trade
from .frame import Hole
from .holes import Missing
from .lead import Lead
from .numbered import PATIENCE_NS, Grid, Numbered
from .track import Track

# A closing frame may come seconds after its candle ended.
_CLOSING_NS = 5 * 10**9
Name = tuple[str, str, str]
"""A stream: exchange, channel, symbol."""


class Trades(Track):
    """The trades of one symbol: each dense numbering on its own, the others as the leading connection has them."""

    def __init__(self, name: Name, numbering: Mapping[str | None, Numbering]) -> None:
        """Begin with the next trade."""
        self._name = name
        self._numbering = numbering
        self._numbered: dict[str | None, Numbered] = {}
        self._fills = {space for space, kind in numbering.items() if kind == "fills"}
        self._others = Lead(name)

    @property
    def waits(self) -> bool:
        """Whether any numbering does."""
        return any(each.waits for each in self._numbered.values())

    @property
    def numbered(self) -> bool:
        """Whether what comes after an interruption tells what it cost."""
        return bool(self._numbered)

    @property
    def seamless(self) -> bool:
        """Numbers tell what is missing, whichever session brings them."""
        return bool(self._numbered)

    @property
    def interrupted(self) -> bool:
        """Whether any numbering has not gone on yet."""
        return any(each.interrupted for each in self._numbered.values())

    @property
    def repeated(self) -> int:
        """How many trades came again."""
        return sum(each.repeated for each in self._numbered.values()) + self._others.repeated

    def take(self, event: Message, session: str, answered: bool) -> Sequence[Message] | None:
        """Take a trade, or what a parser says of the stream."""
        if not isinstance(event, Trade):
            return None
        space = event.id_space
        numbered = self._numbered.get(space)
        if numbered is None and space not in self._numbering:
            return self._others.take(event, session, answered)
        try:
            last = int(event.trade_id)
        except ValueError:
            return None
        first = last - event.count + 1 if self._fills and space in self._fills else last
        numbered = numbered or self._of(space)
        if answered:
            self.awake = True
            return None if numbered.refill(first, last) else ()
        told = numbered.take(event, first, last, session)
        if told is not None:
            self.awake = True
        return told

    def settle(self, ts_recv: int, session: str) -> list[Message]:
        """Return what answers have filled since the last call."""
        return [event for each in self._numbered.values() for event in each.settle(ts_recv, session)]

    def due(self, now_ns: int) -> list[Message]:
        """Return the trades that waited long enough for those before them, and what is missing."""
        return [event for each in self._numbered.values() for event in each.due(now_ns)]

    def join(self, session: str) -> None:
        """Take note that a connection carries the stream."""
        self._others.join(session)

    def leave(self, session: str, last: bool, now_ns: int) -> list[Message]:
        """Take note that it does so no more."""
        self.awake = True
        events = self._others.leave(session, last, now_ns)
        for each in self._numbered.values():
            each.release(session)
            events += each.interrupt() if last else []
        return events

    def resume(self, space: str | None, point: int) -> list[Message]:
        """Take the last id a store had in one numbering."""
        self.awake = True
        return self._of(space).resume(point) if space in self._numbering else []

    def reopen(self, space: str | None, hole: Missing) -> None:
        """Take ids that an earlier run missed in one numbering."""
        self.awake = True
        if space in self._numbering:
            self._of(space).reopen(hole)

    def asks(self, session: str, now_ns: int) -> list[Hole]:
        """Return the holes that `session` is to ask for now."""
        found = [each.unasked(session, now_ns) for each in self._numbered.values()]
        return [hole for hole in found if hole is not None]

    def absent(self, hole: Hole, reason: str | None, ts_recv: int, session: str) -> list[Message]:
        """Take note that these ids will not come."""
        self.awake = True
        numbered = self._numbered.get(hole.id_space)
        return [] if numbered is None else numbered.absent(hole.first, hole.last, reason, ts_recv, session)

    def _of(self, space: str | None) -> Numbered:
        return self._numbered.setdefault(space, Numbered(self._name, space))


class Candles(Track):
    """The candles of one symbol and interval: the closed ones lie on a grid, open ones are published as they come.

    An open candle shows that the one before it has closed.
    """

    def __init__(self, name: Name, step: int) -> None:
        """Begin with the next candle; `step` is the interval in ns."""
        self._grid = Grid(name, None, step)
        self._open: tuple[Candle, str] | None = None

    @property
    def waits(self) -> bool:
        """Whether its grid does, or a candle is open whose predecessor may yet close."""
        lacking = self._open is not None and self._grid.lacks(self._open[0].open_time)
        return lacking or self._grid.waits

    @property
    def numbered(self) -> bool:
        """Whether what comes after an interruption tells what it cost."""
        return True

    @property
    def seamless(self) -> bool:
        """Numbers tell what is missing, whichever session brings them."""
        return True

    @property
    def interrupted(self) -> bool:
        """Whether no candle has shown yet what an interruption cost."""
        return self._grid.interrupted

    @property
    def repeated(self) -> int:
        """How many closed candles came again."""
        return self._grid.repeated

    def take(self, event: Message, session: str, answered: bool) -> Sequence[Message] | None:
        """Take a candle, open or closed."""
        if not isinstance(event, Candle):
            return None
        opened = event.open_time
        if answered:
            self.awake = True
            return None if event.closed and self._grid.refill(opened, opened) else ()
        if event.closed:
            told = self._grid.take(event, opened, opened, session)
            if told is not None:
                self.awake = True
            return told
        settled = self._grid.expect(opened, event, session)
        shows = self._open is not None and self._grid.lacks(self._open[0].open_time)
        if not shows and self._grid.lacks(opened):
            self._open, self.awake = (event, session), True
        return [event, *settled] if settled else None

    def settle(self, ts_recv: int, session: str) -> list[Message]:
        """Return what answers have filled since the last call."""
        return self._grid.settle(ts_recv, session)

    def due(self, now_ns: int) -> list[Message]:
        """Return what has been held long enough, and the closing frames that did not come."""
        events = self._grid.due(now_ns)
        if self._open is not None:
            candle, session = self._open
            if self._grid.lacks(candle.open_time) and abs(now_ns - candle.ts_recv) > _CLOSING_NS:
                self._open = None
                events += self._grid.skip_to(candle.open_time, candle, session)
        return events

    def leave(self, session: str, last: bool, now_ns: int) -> list[Message]:
        """Take note that it does so no more."""
        self.awake = True
        self._grid.release(session)
        if not last:
            return []
        events = self._grid.interrupt()
        shown, self._open = self._open, None
        if shown is not None and self._grid.lacks(shown[0].open_time):
            # Its closing frame cannot come any more.
            events += self._grid.skip_to(shown[0].open_time, *shown)
        return events

    def resume(self, space: str | None, point: int) -> list[Message]:
        """Take the open time of the last closed candle a store had."""
        self.awake = True
        return self._grid.resume(point)

    def reopen(self, space: str | None, hole: Missing) -> None:
        """Take candles that an earlier run missed."""
        self.awake = True
        self._grid.reopen(hole)

    def asks(self, session: str, now_ns: int) -> list[Hole]:
        """Return the hole that `session` is to ask for now."""
        hole = self._grid.unasked(session, now_ns)
        return [] if hole is None else [hole]

    def absent(self, hole: Hole, reason: str | None, ts_recv: int, session: str) -> list[Message]:
        """Take note that these candles will not come."""
        self.awake = True
        return self._grid.absent(hole.first, hole.last, reason, ts_recv, session)


class Funding(Track):
    """The funding of one contract: when the next settlement moves on, the rates settled in between are asked for.

    Estimates between them cannot be had again, so an interruption is mended
    as far as anything was paid in it.
    """

    def __init__(self, name: Name) -> None:
        """Begin with the next estimate."""
        self._name = name
        self._lead = Lead(name)
        self._next: int | None = None
        self._owed: tuple[int, int] | None = None
        self._wanted: tuple[int, int] | None = None
        self._asked: tuple[str, int] | None = None
        self._got = 0
        self._interrupted = False

    @property
    def waits(self) -> bool:
        """Whether settlements are owed."""
        return self._owed is not None

    @property
    def numbered(self) -> bool:
        """Whether what comes after an interruption tells what it cost."""
        return True

    @property
    def interrupted(self) -> bool:
        """Whether nothing has shown yet that no settlement was missed."""
        return self._interrupted

    @property
    def repeated(self) -> int:
        """How many estimates another connection had brought."""
        return self._lead.repeated

    def take(self, event: Message, session: str, answered: bool) -> Sequence[Message] | None:
        """Take an estimate of the stream, or a settled rate of an answer."""
        if answered:
            return None if self._paid(event) else ()
        taken = self._lead.take(event, session, answered)
        if not isinstance(event, FundingRate) or not event.predicted or event.next_funding_time is None:
            return taken
        due, known = event.next_funding_time, self._next
        if known is not None and due > known:
            self._owed, self.awake = (self._owed[0] if self._owed else known, due - 1), True
        self._next = due
        if self._interrupted and self._owed is None:
            self._interrupted = False
            settled = self._mended(event.ts_recv, session, "nothing was settled meanwhile")
            return [*([event] if taken is None else taken), settled]
        return taken

    def _paid(self, event: Message) -> bool:
        if not isinstance(event, FundingRate) or event.predicted or self._wanted is None:
            return False
        settled = event.next_funding_time
        # Also behind the first answer: a long time comes in several.
        owed = settled is not None and self._wanted[0] <= settled <= self._wanted[1]
        self._got += owed
        return owed

    def settle(self, ts_recv: int, session: str) -> list[Message]:
        """Return that an interruption is mended, once its settlements are there."""
        got, self._got = self._got, 0
        if not got:
            return []
        self._owed = self._asked = None
        if not self._interrupted:
            return []
        self._interrupted = False
        return [self._mended(ts_recv, session, "settled rates fetched")]

    def join(self, session: str) -> None:
        """Take note that a connection carries the stream."""
        self._lead.join(session)

    def leave(self, session: str, last: bool, now_ns: int) -> list[Message]:
        """Take note that it does so no more."""
        if self._asked is not None and self._asked[0] == session:
            self._asked = None
        self._interrupted = self._interrupted or (last and self._next is not None)
        return self._lead.leave(session, last, now_ns)

    def resume(self, space: str | None, point: int) -> list[Message]:
        """Take the settlement that the last estimate in a store was for."""
        if self._next is None:
            self._next, self._interrupted = point, True
        elif point < self._next:
            self._owed, self._interrupted, self.awake = (point, self._next - 1), True, True
        return []

    def asks(self, session: str, now_ns: int) -> list[Hole]:
        """Return the settlements that `session` is to ask for now."""
        if self._owed is None or (self._asked is not None and now_ns - self._asked[1] < PATIENCE_NS):
            return []
        self._asked, self._wanted = (session, now_ns), self._owed
        _, channel, symbol = self._name
        return [Hole(channel, symbol, None, *self._owed, 1)]

    def absent(self, hole: Hole, reason: str | None, ts_recv: int, session: str) -> list[Message]:
        """Take note that no rate of these times will come."""
        self._owed = self._asked = None
        if not self._interrupted:
            return []
        self._interrupted = False
        if reason is None:
            return [self._mended(ts_recv, session, "nothing was settled meanwhile")]
        exchange, channel, symbol = self._name
        return [Gap(exchange, symbol, None, ts_recv, channel, session, reason, 0, None, ts_recv)]

    def _mended(self, ts_recv: int, session: str, reason: str) -> Backfilled:
        exchange, channel, symbol = self._name
        return Backfilled(exchange, symbol, None, ts_recv, channel, session, reason, 0, None, ts_recv)
