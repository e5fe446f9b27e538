"""The way through endpoints: pages, repetitions, refusals, older endpoints; an exchange of a list of ids answers."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import ClassVar

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.backfill import NOT_LISTED, Backfill, Refusal
from jrr_core.endpoints import Answer, TradesById, TradesByTime
from jrr_core.errors import ParseError
from jrr_core.events import Trade
from jrr_core.frame import Absent, Frame, Hole, HttpGet, Request
from jrr_core.wire import decoder, encode

read_ids = decoder(list[int])


class Old(TradesById):
    name: ClassVar[str] = "old"
    older: ClassVar[str | None] = None
    most: ClassVar[int] = 10

    def request(self, hole: Hole) -> HttpGet:
        return HttpGet(f"http://x/{self.name}/{hole.first}/{len(self.window(hole))}", "", 2, "pool")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        zero = Decimal(0)
        rows = [(n, Trade("x", "BTC", n, n, zero, zero, None, str(n))) for n in read_ids(frame.payload)]
        return self.answer(hole, rows)


class Latest(Old):
    name: ClassVar[str] = "latest"
    older: ClassVar[str | None] = "old"


class Timed(TradesByTime):
    """Trades from a time on, ten an answer; a trade happens at ten times its id."""

    name: ClassVar[str] = "timed"
    older: ClassVar[str | None] = None
    most: ClassVar[int] = 10

    def request(self, hole: Hole) -> HttpGet:
        return HttpGet(f"http://x/timed/{hole.ts_from}", "")

    def read(self, hole: Hole, frame: Frame) -> Answer:
        zero = Decimal(0)
        return self.answer(
            hole, [(n, Trade("x", "BTC", 10 * n, n, zero, zero, None, str(n))) for n in read_ids(frame.payload)]
        )


def hole(first: int, last: int) -> Hole:
    return Hole("trade", "BTC", None, first, last, last - first + 1)


def refused(frame: Frame) -> Refusal | None:
    return None if frame.status == 200 else Refusal("no", "again" if frame.status == 403 else "never")


class Outcome:
    """Fills a hole from `listed`; `answer` may take the place of an answer by (status, text)."""

    def __init__(
        self,
        missing: Hole,
        listed: Sequence[int],
        first: str = "old",
        answer: Callable[[HttpGet], tuple[int, str] | None] = lambda request: None,
        replay: bool = False,
    ) -> None:
        self.gets: list[HttpGet] = []
        self.absent: list[Absent] = []
        self.ids: list[int] = []
        self._waiting: list[HttpGet] = []
        backfill = Backfill((Old(), Latest()), lambda hole: first or None, refused, self._take, replay)
        self.filled = backfill.refill(missing)
        while self._waiting:
            assert len(self.gets) < 500, "it never ends"
            request = self._waiting.pop()
            *_, name, begin, limit = request.url.split("/")
            rows = sorted(n for n in listed if n >= int(begin))[: int(limit)] if name == "old" else sorted(listed)[-10:]
            status, text = answer(request) or (200, encode(rows))
            try:
                events = backfill.reply(Frame("x", text, 0, request.tag, status))
            except ParseError:
                continue
            self.ids += [int(event.trade_id) for event in events if isinstance(event, Trade)]

    def _take(self, request: Request) -> None:
        if isinstance(request, Absent):
            self.absent.append(request)
        else:
            assert isinstance(request, HttpGet)
            assert request.patient
            self.gets.append(request)
            self._waiting.append(request)

    @property
    def given_up(self) -> list[int]:
        return [n for item in self.absent for n in range(item.hole.first, item.hole.last + 1)]


@given(st.sets(st.integers(0, 60)), st.integers(0, 40), st.integers(0, 40), st.sampled_from(["old", "latest"]))
def test_every_number_is_given_or_said_to_be_absent(ids: set[int], first: int, more: int, name: str) -> None:
    outcome = Outcome(hole(first, first + more), sorted(ids), name)
    wanted = range(first, first + more + 1)
    assert outcome.filled
    assert sorted(set(outcome.ids)) == [n for n in wanted if n in ids]
    assert sorted(outcome.given_up) == [n for n in wanted if n not in ids]
    assert {item.reason for item in outcome.absent} <= {NOT_LISTED}


def test_an_endpoint_that_goes_by_time_begins_each_page_where_the_last_one_ended() -> None:
    taken: list[Request] = []
    backfill = Backfill((Timed(),), lambda hole: "timed", refused, taken.append, False)
    assert backfill.refill(evolve(hole(5, 24), ts_from=40))
    asked, ids = [], []
    while taken:
        request = taken.pop()
        assert isinstance(request, HttpGet)
        asked.append(request.url)
        since = int(request.url.rpartition("/")[2])
        rows = [n for n in range(1, 100) if 10 * n >= since][:10]
        events = backfill.reply(Frame("x", encode(rows), 0, request.tag))
        ids += [int(event.trade_id) for event in events if isinstance(event, Trade)]
    assert asked == ["http://x/timed/40", "http://x/timed/130", "http://x/timed/220"]
    assert ids == list(range(5, 25))


def test_a_large_hole_is_paged_with_the_pool_and_weight_of_its_endpoint() -> None:
    outcome = Outcome(hole(1, 35), range(100))
    assert outcome.ids == list(range(1, 36))
    assert [request.url for request in outcome.gets] == [f"http://x/old/{n}/{m}" for n, m in
                                                         ((1, 10), (11, 10), (21, 10), (31, 5))]  # fmt: skip
    assert {(request.pool, request.weight, request.after_s) for request in outcome.gets} == {("pool", 2, 0.0)}


def test_what_the_newest_lack_is_looked_for_further_back() -> None:
    outcome = Outcome(hole(85, 94), range(100), "latest")
    assert sorted(outcome.ids) == list(range(85, 95))
    assert [request.url for request in outcome.gets] == ["http://x/latest/85/10", "http://x/old/85/5"]


def test_what_is_not_there_yet_is_asked_for_again_a_little_later() -> None:
    outcome = Outcome(hole(5, 6), [1, 2])
    assert [request.after_s for request in outcome.gets] == [0.0, 1.0, 3.0, 10.0]
    assert outcome.absent == [Absent(hole(5, 6), NOT_LISTED)]


def test_what_is_refused_for_now_is_asked_for_again() -> None:
    busy = iter([403, 403])
    outcome = Outcome(hole(5, 6), range(10), answer=lambda request: next(((code, "") for code in busy), None))
    assert outcome.ids == [5, 6]
    assert [request.after_s for request in outcome.gets] == [0.0, 1.0, 3.0]


def test_what_is_refused_is_absent_for_the_exchanges_reason() -> None:
    outcome = Outcome(hole(5, 60), range(100), answer=lambda request: (400, ""))
    assert outcome.absent == [Absent(hole(5, 60), "no")]
    assert len(outcome.gets) == 1


def test_what_is_refused_in_part_goes_on_behind_it() -> None:
    missing, asked = hole(5, 20), list[Request]()
    backfill = Backfill([Old()], lambda hole: "old", lambda frame: Refusal("too old", "behind"), asked.append, False)
    assert backfill.refill(missing)
    assert isinstance(asked[0], HttpGet)
    assert backfill.reply(Frame("x", "", 0, asked[0].tag, 400)) == ()
    assert asked[1] == Absent(evolve(missing, last=14, count=10), "too old")
    assert isinstance(asked[2], HttpGet)
    assert asked[2].url == "http://x/old/15/6"


def test_an_answer_that_is_none_is_asked_for_again_and_told() -> None:
    outcome = Outcome(hole(5, 6), range(10), answer=lambda request: (200, "{"))
    assert len(outcome.gets) == 4
    assert outcome.given_up == [5, 6]
    assert "none" in (outcome.absent[0].reason or "")


def test_a_replay_asks_for_nothing_and_what_has_no_endpoint_is_refused() -> None:
    assert not Outcome(hole(1, 2), [], replay=True).filled
    assert not Outcome(hole(1, 2), [], first="").filled


def test_a_tag_of_another_endpoint_is_a_parse_error() -> None:
    backfill = Backfill([Old()], lambda hole: "old", refused, lambda request: None, False)
    with pytest.raises(ParseError, match="no endpoint"):
        backfill.reply(Frame("x", "[]", 0, "refill|new|0|1|2|2||trade||BTC"))
