"""Numbers rise whatever the exchange gives, and are its own where they can be."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.rising import Rising


def numbered(given_numbers: list[int]) -> list[int]:
    rising, found = Rising(), []
    for number in given_numbers:
        found.append(rising.next(number))
        rising.take(found[-1])
    return found


def test_rising_numbers_are_kept_and_equal_ones_told_apart() -> None:
    assert numbered([5, 5, 5, 9, 7, 20]) == [5, 6, 7, 9, 10, 20]


def test_a_number_that_was_not_taken_is_given_again() -> None:
    rising = Rising()
    assert rising.next(5) == rising.next(5) == 5
    assert rising.last is None


@given(st.lists(st.integers(0, 2**62)))
def test_numbers_always_rise(numbers: list[int]) -> None:
    found = numbered(numbers)
    assert all(one < two for one, two in pairwise(found))
    assert all(made >= number for made, number in zip(found, numbers, strict=True))
