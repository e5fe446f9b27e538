"""One numbering of one stream: each number published once and in order, whichever connection brings it.

A number ahead of its turn is held for a moment, since exchanges may send those
of one instant out of order; then what is missing before it is told as a Gap, to
be asked for, and what comes of it later is told as Backfilled. Nothing is
published behind a hole that has not been told: after a crash the store knows of
every hole, or has nothing behind it.

Pure: times are handed in with the events.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from .coverage import EARLIER, NO_EVENT
from .events import Backfilled, Candle, Gap, Message
from .frame import Hole
from .holes import Missing, Numbers

GRACE_NS = 300_000_000
_MOST_HELD = 1000
# Holes so near to each other are asked for together, with what lies between them.
_REACH = 1000
_TOGETHER = 10_000
# An answer not here by then is given up; a ban may last minutes.
PATIENCE_NS = 1800 * 10**9
# So many numbers away from what a store has is another count, of a test exchange for example, not a hole.
_ANOTHER_COUNT = 10**7


class _Held(NamedTuple):
    """An event ahead of its turn, and the connection that brought it."""

    first: int
    last: int
    event: Message
    session: str


class Numbered:
    """The events of one stream and numbering over all its connections.

    `repeated` counts what came again and was not published. Methods that
    return events return those to publish, in order.
    """

    def __init__(self, stream: tuple[str, str, str], id_space: str | None = None, step: int = 1) -> None:
        """Begin with the next event of `stream` (exchange, channel, symbol)."""
        self.stream = stream
        self.id_space = id_space
        self.repeated = 0
        self.numbers = Numbers(step)
        self._held: list[_Held] = []
        self._held_since = 0
        self._when: int | None = None  # up to here, by the events' own time, everything published
        self._point: int | None = None
        self._interrupted = False
        self._began_ns = 0
        self._filled: dict[tuple[int | None, int, bool], list[int]] = {}
        self._earlier: list[Missing] = []
        self._asked: tuple[Hole, str, int] | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the stream was interrupted and no number has yet shown what that cost."""
        return self._interrupted

    @property
    def waits(self) -> bool:
        """Whether it holds something, or lacks something that may be asked for."""
        lacking = any(not hole.absent for hole in self.numbers.holes)
        return lacking or bool(self._held or self._earlier) or self._asked is not None

    def take(self, event: Message, first: int, last: int, session: str) -> Sequence[Message] | None:
        """Take an event that bears the numbers `first` to `last`; None means: publish it as it is."""
        numbers = self.numbers
        top = numbers.top
        if top is not None and first == top + numbers.step and not self._held and not self._interrupted:
            numbers.top = last
            self._note(event)
            return None
        if top is None:
            top = self._begin(first, last)
            if top is None:
                self._note(event)
                return [event, *self._settled(event, session)]
        if first == top + numbers.step:
            return self._follow(event, last, session)
        if first <= top:
            return self._late(event, first, last, session)
        return self._hold(_Held(first, last, event, session))

    def refill(self, first: int, last: int) -> bool:
        """Take an event of an answer by its numbers; False where they are not missing: it must not be published."""
        hole = self.numbers.hole_of(first, last)
        if hole is None:
            return False
        self._fill(hole, first, last)
        return True

    def settle(self, ts_recv: int, session: str, reason: str = "fetched") -> list[Message]:
        """Return what has been filled since the last call."""
        filled, self._filled = self._filled, {}
        return [
            Backfilled(
                exchange,
                symbol,
                None,
                ts_recv,
                channel,
                session,
                EARLIER if earlier else reason,
                count,
                since,
                until,
                (low, high),
            )
            for exchange, channel, symbol in (self.stream,)
            for (since, until, earlier), (count, low, high) in filled.items()
        ]

    def due(self, now_ns: int, at_once: bool = False) -> list[Message]:
        """Give up waiting for what should come before the held events, once they have waited, or `at_once`."""
        events = self._given_up(now_ns)
        # A clock that was set back must not make anybody wait.
        if not self._held or not (at_once or abs(now_ns - self._held_since) > GRACE_NS):
            return events
        held, self._held = self._held, []
        for item in held:
            top = self.numbers.top
            assert top is not None
            if item.first <= top:
                self.repeated += 1
                continue
            if item.first > top + self.numbers.step:
                events.append(self._told(item.event, self._begins(item.event), item.first, item.session))
            events.append(item.event)
            self.numbers.top = item.last
            self._note(item.event)
        return events

    def interrupt(self) -> list[Message]:
        """Take note that no connection carries the stream any more; return what was held, its holes told."""
        events = self.due(0, at_once=True)
        self._interrupted = self._interrupted or self.numbers.top is not None
        return events

    def expect(self, number: int, event: Message, session: str) -> list[Message]:
        """Take an event that shows that `number` is the next to come, or one behind it; return what that settles."""
        numbers = self.numbers
        if numbers.top is None:
            point, self._point = self._point, None
            top = number - numbers.step if point is None or point >= number else point
            self._count_from(top + numbers.step, top)
            self._when, self._began_ns = self._begins(event), event.ts_recv
        return self._settled(event, session) if number == (numbers.top or 0) + numbers.step else []

    def lacks(self, number: int) -> bool:
        """Whether something before `number` has not come and has not been told."""
        return self.numbers.top is not None and self.numbers.top + self.numbers.step < number

    def skip_to(self, number: int, event: Message, session: str) -> list[Message]:
        """Tell everything before `number`, which `event` shows to be over, as missing."""
        gap = self._told(event, self._begins(event), number, session)
        self.numbers.top, self._when = number - self.numbers.step, self._begins(event)
        return [gap, *self._in_turn()]

    def release(self, session: str) -> None:
        """Let another connection ask for what this one, which ended, has asked for."""
        if self._asked is not None and self._asked[1] == session:
            self._asked = None

    def resume(self, point: int) -> list[Message]:
        """Take the last number a store had before this run."""
        numbers = self.numbers
        if numbers.top is None or numbers.bottom is None:
            self._point, self._interrupted = point, True
            return []
        bottom, first, self._point = numbers.bottom, point + numbers.step, None
        exchange, channel, symbol = self.stream
        until = self._began_ns
        if abs(numbers.count(first, bottom)) > _ANOTHER_COUNT:
            return []
        if first >= bottom:
            return [Backfilled(exchange, symbol, None, until, channel, "", "nothing was left out", 0, None, until)]
        hole = Missing(first, bottom - numbers.step, None, until)
        numbers.skip(hole)
        numbers.bottom = first
        count = numbers.count(hole.first, hole.last)
        return [Gap(exchange, symbol, None, until, channel, "", "not running", count, None, until,
                    (hole.first, hole.last))]  # fmt: skip

    def reopen(self, hole: Missing) -> None:
        """Take a hole that an earlier run left, to be asked for; one within what this run has seen is known."""
        numbers = self.numbers
        if numbers.bottom is None:
            self._earlier.append(hole)
        elif hole.last < numbers.bottom and not numbers.lacking(hole.first, hole.last):
            numbers.skip(hole)

    def unasked(self, session: str, now_ns: int) -> Hole | None:
        """Return the next holes to ask for, as one, and note that `session` does; None while an answer is due."""
        if self._asked is not None:
            asked = self._asked[0]
            if any(not hole.absent for hole in self.numbers.lacking(asked.first, asked.last)):
                return None
            self._asked = None
        wanted = [hole for hole in self.numbers.holes if not hole.absent]
        if not wanted:
            return None
        numbers, reach = self.numbers, _REACH * self.numbers.step
        first, last, count = wanted[0].first, wanted[0].last, 0
        for hole in wanted:
            size = numbers.count(hole.first, hole.last)
            if count and (hole.first - last > reach or count + size > _TOGETHER):
                break
            last, count = hole.last, count + size
        _, channel, symbol = self.stream
        ask = Hole(channel, symbol, self.id_space, first, last, count, wanted[0].ts_from)
        self._asked = (ask, session, now_ns)
        return ask

    def absent(self, first: int, last: int, reason: str | None, ts_recv: int, session: str) -> list[Message]:
        """Take note that `first` to `last` will not come; `reason` None: there is no event to them."""
        exchange, channel, symbol = self.stream
        events: list[Message] = []
        for hole in self.numbers.lacking(first, last):
            low, high = max(hole.first, first), min(hole.last, last)
            if reason is None:
                self._fill(hole, low, high)
            elif not hole.absent:
                self.numbers.fill(hole, low, high)
                self.numbers.skip(Missing(low, high, hole.ts_from, hole.ts_to, absent=True))
                events.append(Gap(exchange, symbol, None, ts_recv, channel, session, reason, 0, hole.ts_from,
                                  hole.ts_to, (low, high)))  # fmt: skip
        top = self.numbers.top
        if reason is None and top is not None and first <= top + self.numbers.step <= last:
            events.append(Backfilled(exchange, symbol, None, ts_recv, channel, session, NO_EVENT, 0, ts_recv, ts_recv,
                                     (top + self.numbers.step, last)))  # fmt: skip
            self.numbers.top = last
            events += self._in_turn()
        return [*events, *self.settle(ts_recv, session, NO_EVENT)]

    def _given_up(self, now_ns: int) -> list[Message]:
        """Wait no longer for an answer that has not come by now."""
        if self._asked is None or now_ns - self._asked[2] < PATIENCE_NS:
            return []
        (asked, session, _), self._asked = self._asked, None
        return self.absent(asked.first, asked.last, "no answer came", now_ns, session)

    def _begin(self, first: int, last: int) -> int | None:
        """Start behind what a store has, and return that; None where the event itself is the beginning."""
        point, self._point = self._point, None
        if point is None or first <= point or self.numbers.count(point, first) > _ANOTHER_COUNT:
            # A store ahead of us misses nothing; of another count no number tells what was between.
            if point is not None and abs(self.numbers.count(first, point)) > _ANOTHER_COUNT:
                self._interrupted = False
            self._count_from(first, last)
            return None
        self._count_from(point + self.numbers.step, point)
        return point

    def _count_from(self, first: int, last: int) -> None:
        self.numbers.begin(first, last)
        earlier, self._earlier = self._earlier, []
        for hole in earlier:
            self.reopen(hole)

    def _follow(self, event: Message, last: int, session: str) -> list[Message]:
        """Publish the event whose turn it is, and what was held for it."""
        events = [event, *self._settled(event, session)]
        self.numbers.top = last
        self._note(event)
        return [*events, *self._in_turn()]

    def _in_turn(self) -> list[Message]:
        """Return the held events whose turn it is now."""
        events: list[Message] = []
        numbers = self.numbers
        assert numbers.top is not None
        while self._held and self._held[0].first <= numbers.top + numbers.step:
            item = self._held.pop(0)
            if item.first <= numbers.top:
                self.repeated += 1
                continue
            events.append(item.event)
            numbers.top = item.last
            self._note(item.event)
        return events

    def _hold(self, item: _Held) -> list[Message]:
        at = bisect_left(self._held, item.first, key=lambda held: held.first)
        if at < len(self._held) and self._held[at].first == item.first:
            self.repeated += 1
            return []
        if not self._held:
            self._held_since = item.event.ts_recv
        self._held.insert(at, item)
        return self.due(item.event.ts_recv, at_once=len(self._held) > _MOST_HELD)

    def _late(self, event: Message, first: int, last: int, session: str) -> list[Message]:
        """Take an event at or below the highest number: missing, from before the first, or a repetition."""
        hole = self.numbers.hole_of(first, last)
        if hole is not None:
            self._fill(hole, first, last)
            return [event, *self.settle(event.ts_recv, session, "late")]
        if self._counts_anew(event):
            return self._begun_anew(event, first, last, session)
        bottom = self.numbers.bottom
        if bottom is not None and last < bottom:
            if last + self.numbers.step == bottom:
                self.numbers.bottom = first
            return [event]
        self.repeated += 1
        # The exchange began with the last event we know: nothing was left out.
        return self._settled(event, session) if last == self.numbers.top else []

    def _begun_anew(self, event: Message, first: int, last: int, session: str) -> list[Message]:
        """Take a lower number at a later time for a new count, of which nobody knows how it follows the old one."""
        events = self.due(0, at_once=True)
        exchange, channel, symbol = self.stream
        events.append(Gap(exchange, symbol, event.ts_event, event.ts_recv, channel, session, "numbers began anew",
                          None, self._when, event.ts_event))  # fmt: skip
        self.numbers.begin(first, last)
        self._interrupted = False
        self._note(event)
        return [*events, event]

    def _told(self, event: Message, begins: int, first: int, session: str) -> Gap:
        """Return the Gap before `first`, which came or was shown to come by `event`, and note it as a hole."""
        numbers = self.numbers
        assert numbers.top is not None
        exchange, channel, symbol = self.stream
        reason = "interrupted" if self._interrupted else "sequence"
        # The interruption is dated by our clock, and lasted until this was received.
        until = max(begins, event.ts_recv) if self._interrupted else begins
        hole = Missing(numbers.top + numbers.step, first - numbers.step, self._when, until)
        numbers.skip(hole)
        self._interrupted = False
        return Gap(exchange, symbol, event.ts_event, event.ts_recv, channel, session, reason,
                   numbers.count(hole.first, hole.last), hole.ts_from, hole.ts_to, (hole.first, hole.last))  # fmt: skip

    def _settled(self, event: Message, session: str) -> list[Message]:
        """Return that an interruption cost nothing, if there was one."""
        if not self._interrupted:
            return []
        self._interrupted = False
        exchange, channel, symbol = self.stream
        return [Backfilled(exchange, symbol, event.ts_event, event.ts_recv, channel, session, "nothing was left out",
                           0, self._when, event.ts_recv)]  # fmt: skip

    def _fill(self, hole: Missing, first: int, last: int) -> None:
        self.numbers.fill(hole, first, last)
        count = self.numbers.count(first, last)
        told = self._filled.setdefault((hole.ts_from, hole.ts_to, hole.earlier), [0, first, last])
        told[:] = told[0] + count, min(told[1], first), max(told[2], last)

    def _note(self, event: Message) -> None:
        """Keep the time up to which all was published, and when the first came."""
        ends = self._ends(event)
        if self._when is None:
            self._when = ends
            self._began_ns = event.ts_recv
        elif ends > self._when:
            self._when = ends

    def _counts_anew(self, event: Message) -> bool:
        """Whether an event of a number long passed is a new one all the same."""
        return event.ts_event is not None and self._when is not None and event.ts_event > self._when

    def _begins(self, event: Message) -> int:
        return event.ts_recv if event.ts_event is None else event.ts_event

    def _ends(self, event: Message) -> int:
        return event.ts_recv if event.ts_event is None else event.ts_event


class Grid(Numbered):
    """Numbers that are the times at which intervals of `step` ns begin: an event covers its interval."""

    def _counts_anew(self, event: Message) -> bool:
        return False

    def _begins(self, event: Message) -> int:
        assert isinstance(event, Candle)
        return event.open_time

    def _ends(self, event: Message) -> int:
        assert isinstance(event, Candle)
        return event.open_time + self.numbers.step
