from jrr_core.store import Range
from jrr_core.testing.claims import Claims

S = 10**9
MS = 10**6


def span(start: float, end: float, state: str = "complete", missing: int | None = None) -> Range:
    return Range("x", "trade", "BTC", int(start * S), int(end * S), state, None, missing)  # type: ignore[arg-type]


def test_a_time_lies_in_a_gap_or_just_beside_it() -> None:
    claims = Claims([span(0, 10), span(10, 12, "gap", 3), span(12, 20), span(20, 21, "gap"), span(21, 30)])
    assert len(claims.holes) == 2
    for ts in (10 * S, 11 * S, 12 * S, 10 * S - 100 * MS, 12 * S + 100 * MS):
        assert claims.hole([ts]) is claims.holes[0]
    for ts in (9 * S, 12 * S + 101 * MS, 25 * S):
        assert claims.hole([ts]) is None
    assert claims.hole([5 * S, 20 * S]) is claims.holes[1]
    assert claims.hole([9_950 * MS, 20 * S]) is claims.holes[1]


def test_gaps_that_nearly_touch_are_one_hole() -> None:
    claims = Claims([span(10.1, 12, "gap", 1), span(0, 8), span(8, 10, "gap", 3), span(10, 10.1, "backfilled", 0)])
    (hole,) = claims.holes
    assert (hole.span, hole.claimed) == ((8 * S, 12 * S), 4)
    assert Claims([span(8, 10, "gap", 3), span(10, 12, "gap")]).holes[0].claimed is None


def test_outside_is_before_the_first_and_behind_the_last_word() -> None:
    claims = Claims([span(5, 10), span(10, 20, "backfilled")])
    assert [claims.outside(ts * S) for ts in (4, 5, 12, 19, 20, 21)] == [True, False, False, False, True, True]
    assert not claims.outside(20 * S - 100 * MS)
    assert not Claims([])
    assert not Claims([]).outside(1)
