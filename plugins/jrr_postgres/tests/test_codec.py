"""Every list of numbers comes back as it was, and common shapes take few bits."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_postgres.codec import FORMAT, Reader, Unpackable, Writer, class_widths

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
SMALL = st.integers(-3, 3)
TIMES = st.integers(0, 50).map(lambda n: 1_700_000_000_000_000_000 + n * 1_000_000)
LAGS = st.one_of(st.none(), st.integers(0, 12))


def written(numbers: list[int], lag: int | None = None) -> bytes:
    writer = Writer()
    writer.ints(numbers, lag)
    return writer.block()


@given(st.one_of(st.lists(SMALL), st.lists(TIMES), st.lists(st.integers(-(1 << 57), 1 << 57))), LAGS)
def test_a_list_of_numbers_near_each_other_comes_back(numbers: list[int], lag: int | None) -> None:
    assert Reader(written(numbers, lag)).ints(len(numbers)) == numbers


@given(st.lists(st.one_of(INT64, SMALL)), LAGS)
def test_any_list_comes_back_or_is_refused(numbers: list[int], lag: int | None) -> None:
    try:
        block = written(numbers, lag)
    except Unpackable:
        assert max(numbers) - min(numbers) >= 1 << 59
        return
    assert Reader(block).ints(len(numbers)) == numbers


@given(INT64)
def test_a_single_number_is_never_refused(number: int) -> None:
    assert Reader(written([number])).ints(1) == [number]
    assert Reader(written([number], 1)).ints(1) == [number]


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1, 1 << 80])
@pytest.mark.parametrize("lag", [None, 1])
def test_numbers_beyond_64_bits_are_refused(number: int, lag: int | None) -> None:
    with pytest.raises(Unpackable):
        written([number], lag)


@given(st.lists(st.one_of(st.none(), SMALL)), st.binary(max_size=9), st.integers(0, 7))
def test_what_follows_a_list_is_found_behind_it(numbers: list[int | None], raw: bytes, tail: int) -> None:
    writer = Writer()
    writer.put(5, 3)
    writer.optional(numbers, 1)
    writer.raw(raw)
    writer.put(tail, 3)
    reader = Reader(writer.block())
    assert reader.take(3) == 5
    assert reader.optional(len(numbers)) == numbers
    assert reader.raw(len(raw)) == raw
    assert reader.take(3) == tail


@pytest.mark.parametrize(
    ("numbers", "lag"),
    [([7] * 1000, None), (list(range(10**12, 10**12 + 5000, 5)), 1), ([0] * 1000, None)],
    ids=["equal", "evenly spaced", "zero"],
)
def test_equal_and_evenly_spaced_numbers_cost_nothing_each(numbers: list[int], lag: int | None) -> None:
    assert len(written(numbers, lag)) < 20


def test_a_unit_common_to_all_is_paid_once() -> None:
    rng = random.Random(1)
    milliseconds = [rng.randrange(1000) * 1_000_000 for _ in range(1000)]
    assert len(written(milliseconds)) < 1000 * 10 / 8 + 30


def test_rare_numbers_among_zeros_cost_little_more_than_a_bit_each() -> None:
    rng = random.Random(1)
    numbers = [rng.randrange(-5000, 5000) if rng.random() < 0.02 else 0 for _ in range(4000)]
    assert len(written(numbers)) < 4000 * 1.4 / 8


def test_classes_reach_every_number() -> None:
    rng = random.Random(1)
    for most in (1, 2, 100, 1 << 40):
        numbers = [int(most ** rng.random()) - 1 for _ in range(300)]
        widths = class_widths(numbers)
        assert len(widths) in (1, 2, 4, 8, 16)
        assert sum(1 << width for width in widths) > max(numbers)


def test_a_block_of_another_format_is_refused_by_name() -> None:
    with pytest.raises(Unpackable, match=f"format {FORMAT + 1}"):
        Reader(bytes([FORMAT + 1, 0]))
