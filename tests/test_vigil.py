"""What a connection owes, and when it counts as dead."""

import pytest

from jrr_core.vigil import Vigil


def vigil(stale_s: float = 60.0, ack_timeout_s: float = 10.0) -> Vigil:
    return Vigil(1000.0, stale_s, ack_timeout_s)


def test_a_connection_lives_until_it_is_silent_for_too_long() -> None:
    watch = vigil()
    assert watch.verdict(1060.0) is None
    assert watch.verdict(1060.5) == "no frame for 60 s"
    watch.saw(1, 0, 1050.0)
    assert watch.verdict(1060.5) is None


def test_an_answer_in_time_settles_what_was_due() -> None:
    watch = vigil()
    watch.expect(["a", "b"], "please", 1000.0)
    assert watch.answered("a") == "please"
    assert watch.answered("b") == "please"
    assert watch.verdict(1011.0) is None


def test_a_missing_answer_is_named() -> None:
    watch = vigil()
    watch.expect(["b", "a"], "please", 1000.0)
    assert watch.verdict(1010.0) is None
    assert watch.verdict(1010.5) == "no answer to a, b within 10 s"


def test_data_since_the_question_leaves_a_missing_answer_overdue_only() -> None:
    watch = vigil()
    watch.expect(["a"], "please", 1000.0)
    watch.saw(1, 1, 1009.0)
    assert watch.verdict(1010.5) is None
    assert watch.overdue(1010.5) == "no answer to a within 10 s"


def test_an_answer_nobody_asked_for_is_nothing() -> None:
    assert vigil().answered("x") == ""


def test_a_refusal_without_a_name_means_what_stays_unanswered() -> None:
    watch = vigil()
    watch.expect(["a"], "please", 1000.0)
    assert watch.refused("") == ""
    assert watch.never_answered(1005.0) == []
    assert watch.never_answered(1010.5) == ["a"]
    assert watch.verdict(1010.5) is None


def test_without_such_a_refusal_a_missing_answer_stays_due() -> None:
    watch = vigil()
    watch.expect(["a"], "please", 1000.0)
    assert watch.never_answered(1010.5) == []
    assert watch.verdict(1010.5) == "no answer to a within 10 s"


@pytest.mark.parametrize(("frames", "dead"), [(1000, True), (50, False)])
def test_pings_alone_do_not_keep_a_steady_connection_alive(frames: int, dead: bool) -> None:
    watch = vigil()
    watch.saw(frames, frames, 1100.0)
    watch.last_sign = 1170.0
    assert (watch.verdict(1170.0) is not None) is dead


def test_a_slow_connection_is_given_many_of_its_own_intervals() -> None:
    watch = vigil()
    watch.saw(200, 200, 1400.0)
    watch.saw(200, 200, 1590.0)
    watch.last_sign = 1590.0
    assert watch.verdict(1590.0) is None
    watch.last_sign = 1601.0
    assert watch.verdict(1601.0) == "no data for 201 s though the connection answers"
