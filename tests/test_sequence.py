"""A break is found exactly where numbers are missing, and old or repeated numbers are none."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.sequence import Break, DenseIds, LinkedIds

increasing = st.lists(st.integers(1, 200), min_size=1, unique=True).map(sorted)


@given(increasing)
def test_dense_breaks_are_exactly_the_missing_numbers(ids: list[int]) -> None:
    tracker, missing = DenseIds(), set[int]()
    for number in ids:
        if found := tracker.take(number, number):
            missing |= set(range(found.first, found.last + 1))
            assert found.count == found.last - found.first + 1
    assert missing == set(range(ids[0], ids[-1] + 1)) - set(ids)


@given(increasing)
def test_old_and_repeated_numbers_are_no_break(ids: list[int]) -> None:
    tracker = DenseIds()
    tracker.take(ids[0], ids[-1])
    for number in [*ids, *reversed(ids)]:
        assert tracker.take(number, number) is None
    assert tracker.last == ids[-1]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_ranges_without_holes_never_break(sizes: list[int]) -> None:
    tracker, end = DenseIds(0), 0
    for size in sizes:
        assert tracker.take(end + 1, end + size) is None
        end += size
    assert tracker.last == end


def test_a_tracker_started_behind_an_id_sees_the_first_hole() -> None:
    assert DenseIds(10).take(14, 15) == Break(11, 13, 3)
    assert DenseIds().take(14, 15) is None
    assert DenseIds(0).take(2, 2) == Break(1, 1, 1)


def test_a_range_that_overlaps_what_is_known_is_no_break() -> None:
    tracker = DenseIds(10)
    assert tracker.take(8, 12) is None
    assert tracker.take(13, 13) is None


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30))
def test_linked_updates_break_only_where_the_link_is_broken(chain: list[int]) -> None:
    tracker = LinkedIds(chain[0])
    for previous, sequence in pairwise(chain):
        assert tracker.take(previous, sequence) is None
    assert tracker.last == chain[-1]
    assert tracker.take(chain[-1] + 1, chain[-1] + 5) == Break(chain[-1], chain[-1] + 1, None)


def test_linked_updates_go_on_from_the_update_after_a_break() -> None:
    tracker = LinkedIds()
    assert tracker.take(3, 5) is None
    assert tracker.take(7, 9) == Break(5, 7, None)
    assert tracker.take(9, 9) is None
    assert tracker.take(9, 11) is None
