"""Of several connections one leads: nothing twice, a book stays one chain, a stand-by goes on where it stopped."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.events import BookDelta, BookSnapshot, Gap, Message, Quote
from jrr_core.lead import Lead
from jrr_core.levels import Levels

MS = 10**6
NONE = Levels()


def lead(channel: str = "book", sessions: str = "ab") -> Lead:
    found = Lead(("sim", channel, "X"))
    for session in sessions:
        found.join(session)
    return found


def delta(sequence: int, at: int = 0, previous: int | None = None) -> BookDelta:
    before = sequence - 1 if previous is None else previous
    return BookDelta("sim", "X", at * MS, at * MS, NONE, NONE, None, sequence, before)


def snapshot(sequence: int, at: int = 0) -> BookSnapshot:
    return BookSnapshot("sim", "X", at * MS, at * MS, NONE, NONE, None, sequence)


def quote(sequence: int, at: int = 0) -> Quote:
    one = Decimal(1)
    return Quote("sim", "X", at * MS, at * MS, one, one, one, one, sequence)


def broken(at: int = 0) -> Gap:
    return Gap("sim", "X", at * MS, at * MS, "book", "", "sequence")


def take(of: Lead, event: Message, session: str) -> list[Message]:
    told = of.take(event, session, False)
    return [event] if told is None else list(told)


def numbers(events: Sequence[Message]) -> list[object]:
    return ["gap" if isinstance(event, Gap) else getattr(event, "sequence", None) for event in events]


def test_one_connection_alone_goes_through_untouched() -> None:
    of = lead(sessions="a")
    assert of.take(delta(5), "a", False) is None
    assert of.take(broken(), "a", False) is None


def test_the_second_connection_is_not_published() -> None:
    of = lead()
    assert numbers(take(of, delta(5), "a")) == [5]
    assert take(of, snapshot(4), "b") == []
    assert take(of, delta(5), "b") == []
    assert of.repeated == 2


def test_a_stand_by_goes_on_with_the_update_that_continues_the_last_one() -> None:
    of = lead()
    take(of, delta(5), "a")
    for event in (snapshot(3), delta(4), delta(5), delta(6), delta(7)):
        take(of, event, "b")
    assert numbers(of.leave("a", False, 1)) == [6, 7]
    assert of.take(delta(8), "b", False) is None


def test_a_stand_by_that_lags_is_silent_until_it_has_caught_up() -> None:
    of = lead()
    take(of, delta(5), "a")
    take(of, snapshot(3), "b")
    assert of.leave("a", False, 1) == []
    assert [numbers(take(of, delta(n), "b")) for n in (4, 5, 6, 7)] == [[], [], [6], [7]]


def test_a_gap_of_one_is_none_where_another_is_in_step() -> None:
    of = lead()
    take(of, delta(5), "a")
    for event in (snapshot(4), delta(5), delta(6)):
        take(of, event, "b")
    assert numbers(take(of, broken(), "a")) == [6]
    assert numbers(take(of, delta(7), "b")) == [7]
    assert take(of, snapshot(7), "a") == []


def test_a_gap_of_the_stand_by_says_nothing_and_it_does_not_lead_until_its_snapshot() -> None:
    of = lead()
    take(of, delta(5), "a")
    assert take(of, broken(), "b") == []
    assert take(of, delta(9), "b") == []
    assert numbers(of.leave("a", False, 1)) == ["gap"]
    assert numbers(take(of, snapshot(12), "b")) == [12]


def test_a_gap_of_all_is_a_gap_until_the_first_is_in_step_again() -> None:
    of = lead()
    take(of, delta(5, 1), "a")
    take(of, broken(2), "b")
    assert numbers(take(of, broken(3), "a")) == ["gap"]
    assert numbers(take(of, snapshot(9, 4), "b")) == ["gap", 9]
    assert numbers(take(of, delta(10, 5), "b")) == [10]


def test_a_connection_that_stalls_is_relieved() -> None:
    of = lead()
    take(of, delta(5, 1), "a")
    for number, at in ((4, 0), (5, 1), (6, 500)):
        assert take(of, snapshot(4) if number == 4 else delta(number, at), "b") == []
    assert numbers(take(of, delta(7, 1600), "b")) == [6, 7]


def test_what_one_alone_published_does_not_make_the_next_stand_by_lead() -> None:
    of = lead()
    take(of, delta(5, 1), "a")
    of.leave("b", False, 2)
    for number in range(6, 40):
        take(of, delta(number, 100 * number), "a")
    of.join("c")
    assert take(of, snapshot(39, 4001), "c") == []
    assert numbers(take(of, delta(40, 4002), "a")) == [40]
    assert take(of, delta(40, 4003), "c") == []


def test_whether_a_stand_by_goes_on_without_a_break_is_known() -> None:
    for brought, seamless in (((snapshot(4), delta(5), delta(6)), True), ((snapshot(4),), True),
                              ((snapshot(20), delta(21)), False), ((), False)):  # fmt: skip
        of = lead()
        take(of, delta(5, 1), "a")
        for event in brought:
            take(of, event, "b")
        of.leave("a", False, 1)
        assert of.seamless == seamless, brought
    of = lead()
    of.leave("b", False, 1)
    assert of.seamless
    for common in (True, False):
        of = lead("quote")
        take(of, quote(1), "a")
        take(of, quote(1 if common else 2), "b")
        of.leave("a", False, 1)
        assert of.seamless == common


def test_what_still_comes_of_a_session_that_has_left_goes_through() -> None:
    of = lead(sessions="abc")
    of.leave("c", False, 1)
    assert of.take(delta(9), "c", False) is None


def test_what_is_not_a_book_goes_on_with_what_was_not_published() -> None:
    of = lead("quote")
    for number in (1, 2, 3):
        take(of, quote(number), "a")
    for number in (2, 3, 4, 5):
        take(of, quote(number), "b")
    assert numbers(of.leave("a", False, 1)) == [4, 5]


def test_a_chain_that_cannot_be_continued_is_told_as_a_gap() -> None:
    of = lead()
    take(of, delta(5, 1), "a")
    for event in (snapshot(20, 2), delta(21, 3)):
        take(of, event, "b")
    assert numbers(of.leave("a", False, 1)) == ["gap", 20, 21]


@given(st.data())
def test_a_book_stays_one_chain_whichever_connection_ends(data: st.DataObject) -> None:
    count, of, sent = data.draw(st.integers(2, 40)), lead(sessions=""), list[Message]()
    alive: dict[str, int] = {}
    names = iter("abcdefghijklmnopqrstuvwxyz" * 2)
    top, ended = 0, set[str]()
    for step in range(1, count + 1):
        if len(alive) < 2 and (not alive or data.draw(st.booleans())):
            name = next(names)
            of.join(name)
            alive[name] = top
            sent += take(of, snapshot(top, top), name)
        top = step
        for name, at in list(alive.items()):
            upto = data.draw(st.integers(at, top))
            for number in range(at + 1, upto + 1):
                sent += take(of, delta(number, number), name)
            alive[name] = upto
        if len(alive) == 2 and data.draw(st.integers(0, 3)) == 0:
            name = data.draw(st.sampled_from(sorted(alive)))
            del alive[name]
            ended.add(name)
            sent += of.leave(name, False, top)
    last: int | None = None
    for event in sent:
        if isinstance(event, Gap):
            last = None
        elif isinstance(event, BookSnapshot):
            last = event.sequence
        elif isinstance(event, BookDelta):
            assert last is None or event.previous_sequence == last
            last = event.sequence
