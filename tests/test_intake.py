"""From frames to published events: streams proved, kept in order, ended, counted."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from attrs import define, field

from jrr_core.counters import ExchangeCounters
from jrr_core.coverage import EARLIER, STOPPED
from jrr_core.desk import Desk
from jrr_core.events import Backfilled, Connected, Disconnected, Gap, Message, Trade
from jrr_core.frame import Frame
from jrr_core.intake import Intake
from tests.toy import toy_desk

ONE = Decimal(1)
MS = 10**6


class Said:
    """A parser whose frames mean what was put in."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.next: Sequence[Message] = ()

    def receive(self, frame: Frame) -> Sequence[Message]:
        return self.next


@define
class Way:
    """An intake, what it published, and the clock in ms."""

    numbering: Any = None
    events: list[Message] = field(factory=list)
    counters: ExchangeCounters = field(factory=ExchangeCounters)
    desk: Desk = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.desk = toy_desk(self.events.extend, self.counters, numbering=self.numbering)

    def intake(self, name: str = "s") -> Intake:
        return Intake(name, Said(), self.desk)

    def kinds(self) -> list[str]:
        kinds = [event.type for event in self.events]
        self.events.clear()
        return kinds


def trade(number: int, at: int = 0) -> Trade:
    return Trade("toy", "X", (at or number) * MS, (at or number) * MS, ONE, ONE, "buy", str(number))


def take(intake: Intake, *events: Message, at: int, tag: str | None = None) -> None:
    intake.parser.next = events  # type: ignore[attr-defined]
    intake.take(Frame("toy", b"", at * MS, tag))


def test_the_first_event_of_a_stream_proves_it_before_it_is_published() -> None:
    way = Way()
    intake = way.intake()
    take(intake, trade(1), trade(2), at=5)
    assert [type(event) for event in way.events] == [Connected, Trade, Trade]
    assert way.desk.board.streams["trade", "X"].count == 2
    take(intake, at=6)
    assert (intake.frames, intake.meant) == (2, 1)
    assert (way.counters.frames, way.counters.parsed, way.counters.control) == (2, 1, 1)


def test_a_stream_polled_by_request_lives_by_its_answers() -> None:
    way = Way()
    intake = way.intake()
    take(intake, trade(1), at=5, tag="poll")
    take(intake, trade(9), at=6, tag="poll")
    assert way.kinds() == ["connected", "trade", "trade"]
    assert intake.last_recv_ns == 0


def test_an_answer_to_what_is_missing_proves_nothing_and_brings_only_that() -> None:
    way = Way({None: "each"})
    first, second = way.intake("a"), way.intake("b")
    take(first, trade(1), at=1)
    take(first, trade(5), at=5)
    first.end("cut", 6 * MS)
    assert way.kinds() == ["connected", "trade", "gap", "trade", "disconnected"]
    take(second, trade(4), trade(1), trade(9), at=9, tag="history")
    assert way.kinds() == ["trade"]
    assert not second.live
    take(second, trade(6), at=10)
    take(second, trade(2), trade(3), at=11, tag="history")
    assert way.kinds() == ["connected", "trade", "backfilled", "trade", "trade", "backfilled"]
    assert (way.counters.missing, way.counters.backfilled, way.counters.interruptions) == (3, 3, 0)


def test_what_was_held_comes_before_the_end_of_its_stream() -> None:
    way = Way({None: "each"})
    intake = way.intake()
    take(intake, trade(1), at=1)
    take(intake, trade(3), at=3)
    assert way.kinds() == ["connected", "trade"]
    intake.end("cut", 4 * MS)
    assert way.kinds() == ["gap", "trade", "disconnected"]


def test_an_interruption_counts_where_nothing_will_tell_what_it_cost() -> None:
    for numbering, reason, counted in ((None, "cut", 1), (None, STOPPED, 0), ({None: "each"}, "cut", 0)):
        way = Way(numbering)
        intake = way.intake()
        take(intake, trade(1), at=1)
        intake.end(reason, 2 * MS)
        assert way.counters.interruptions == counted


def test_a_session_that_leaves_numbers_to_another_leaves_no_hole_in_time() -> None:
    way = Way({None: "each"})
    first, second = way.intake("a"), way.intake("b")
    take(first, trade(1), at=1)
    take(second, trade(1), at=7)
    way.events.clear()
    first.end("no frame for 5 s", 9 * MS)
    (ended,) = way.events
    assert isinstance(ended, Disconnected)
    assert ended.ts_to == 9 * MS


def test_gaps_are_counted_by_what_is_known_of_them() -> None:
    way = Way()
    for count in (None, 5, 0):
        way.desk.publish([Gap("toy", "X", None, 1, "book", "s", "sequence", count)])
    assert (way.counters.gaps, way.counters.breaks, way.counters.missing) == (2, 1, 5)
    for count, reason in ((3, "late"), (4, EARLIER), (None, "late")):
        way.desk.publish([Backfilled("toy", "X", None, 1, "trade", "s", reason, count)])
    assert way.counters.backfilled == 3


def test_a_connection_that_lagged_is_complete_only_up_to_what_it_brought() -> None:
    for late_ms, until_ms in ((100, 20_000), (2_000, 18_000), (60_000, 20_000)):
        way = Way()
        intake = way.intake()
        take(intake, trade(1), at=15_000)
        take(intake, trade(2, at=20_000 - late_ms), at=20_000)
        intake.end("cut", 21_000 * MS)
        ended = way.events[-1]
        assert isinstance(ended, Disconnected)
        assert ended.ts_to == until_ms * MS
