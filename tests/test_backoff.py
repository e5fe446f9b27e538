"""Delays between tries: growing, capped, jittered."""

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.backoff import Backoff


@given(
    base_s=st.floats(0.001, 10),
    cap_s=st.floats(0.001, 100),
    seed=st.integers(),
    tries=st.integers(1, 2000),
)
def test_each_delay_is_within_its_doubling_bound_and_the_cap(
    base_s: float, cap_s: float, seed: int, tries: int
) -> None:
    backoff = Backoff(base_s, cap_s, seed)
    for number in range(tries):
        assert 0 <= backoff.next_s() <= min(cap_s, base_s * 2.0 ** min(number, 200))
    assert backoff.failures == tries


def test_the_same_seed_draws_the_same_delays_and_reset_starts_over() -> None:
    one, two = Backoff(seed=7), Backoff(seed=7)
    assert [one.next_s() for _ in range(20)] == [two.next_s() for _ in range(20)]
    one.reset()
    assert one.next_s() <= 0.5


def test_delays_are_spread_over_the_whole_range() -> None:
    backoff = Backoff(1.0, 1.0, seed=1)
    drawn = sorted(backoff.next_s() for _ in range(200))
    assert drawn[0] < 0.1
    assert drawn[-1] > 0.9
