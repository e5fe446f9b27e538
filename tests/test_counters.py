"""Latency histograms: quantiles within the width of a bucket."""

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.counters import Latency


@given(
    durations=st.lists(st.integers(0, 10**12), min_size=1, max_size=200),
    q=st.floats(0.01, 1.0),
)
def test_a_quantile_is_never_below_the_true_one_and_at_most_an_eighth_above(durations: list[int], q: float) -> None:
    latency = Latency()
    for duration in durations:
        latency.add(duration)
    ordered = sorted(durations)
    rank = next(i for i in range(1, len(ordered) + 1) if i >= q * len(ordered))
    true_s = max(ordered[rank - 1], 7) / 1e9
    found = latency.quantile_s(q)
    assert found is not None
    assert true_s < found <= true_s * 1.1251 + 1e-9


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(1, 50)), min_size=1, max_size=30))
def test_a_weight_counts_as_often_as_it_says(weighted: list[tuple[int, int]]) -> None:
    once, often = Latency(), Latency()
    for duration, weight in weighted:
        once.add(duration, weight)
        for _ in range(weight):
            often.add(duration)
    assert once.total == often.total
    assert all(once.quantile_s(q) == often.quantile_s(q) for q in (0.1, 0.5, 0.99, 1.0))


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Latency().quantile_s(0.5) is None


def test_a_clock_set_back_counts_as_no_time_and_an_absurd_duration_as_the_longest() -> None:
    latency = Latency()
    latency.add(-5 * 10**9)
    assert latency.quantile_s(0.5) == 8e-9
    latency.add(2**80)
    assert (latency.quantile_s(1.0) or 0) > 1e9
