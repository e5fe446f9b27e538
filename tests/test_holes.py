"""The numbers of a stream: what has come and what is missing."""

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.holes import Missing, Numbers


def hole(first: int, last: int) -> Missing:
    return Missing(first, last, None, 0)


@given(st.sets(st.integers(0, 60)), st.lists(st.integers(0, 60)))
def test_filling_one_by_one_leaves_exactly_what_has_not_come(missing: set[int], found: list[int]) -> None:
    numbers = Numbers()
    for number in sorted(missing):
        numbers.skip(hole(number, number))
    left = set(missing)
    for number in found:
        there = numbers.hole_of(number, number)
        assert (there is not None) == (number in left)
        if there is not None:
            numbers.fill(there, number, number)
            left.discard(number)
    assert {n for each in numbers.holes for n in range(each.first, each.last + 1)} == left


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 7))
def test_a_piece_taken_out_leaves_the_pieces_before_and_behind(first: int, size: int, step: int) -> None:
    numbers, last = Numbers(step), (first + size) * step
    numbers.skip(hole(0, last + 10 * step))
    there = numbers.hole_of(first * step, last)
    assert there is not None
    pieces = numbers.fill(there, first * step, last)
    assert pieces == numbers.holes
    kept = [number for each in pieces for number in range(each.first, each.last + step, step)]
    assert kept == [n for n in range(0, last + 11 * step, step) if not first * step <= n <= last]
    assert numbers.count(0, last) == first + size + 1


def test_a_run_that_is_only_partly_missing_is_in_no_hole() -> None:
    numbers = Numbers()
    numbers.skip(hole(10, 19))
    assert numbers.hole_of(15, 20) is None
    assert numbers.hole_of(9, 12) is None
    assert numbers.hole_of(10, 19) is not None


def test_the_holes_that_meet_a_run_are_found_in_order() -> None:
    numbers = Numbers()
    for first in (40, 10, 20):
        numbers.skip(hole(first, first + 4))
    assert [each.first for each in numbers.lacking(14, 20)] == [10, 20]
    assert numbers.lacking(15, 19) == []
