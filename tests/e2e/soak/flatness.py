"""Whether what was sampled stayed flat: the rule of `make soak`, apart from what is sampled and how.

The first quarter of a run warms up and is left out. What drifts (memory) is
judged by the median slope of all pairs of samples (Theil and Sen), which no
outage and no full buffer bends: it may rise by so much an hour, or, in runs too
short for that, by so much in all. What is counted in ones (descriptors,
threads, tasks) may in the last quarter reach at most what it reached in the
second, and a few more.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Literal

from attrs import define

# Fewer samples than this behind the first quarter prove nothing.
ENOUGH = 6


@define(frozen=True)
class Rule:
    """What one series may do: rise by `per_hour` (or by `slack` in all), or peak `slack` above the second quarter."""

    name: str
    kind: Literal["drift", "peak"]
    slack: float
    per_hour: float = 0.0

    @property
    def allowed(self) -> str:
        """The rule in words."""
        if self.kind == "drift":
            return f"+{self.per_hour:g} an hour, or +{self.slack:g} in all"
        return f"second quarter's peak +{self.slack:g}"


RULES = (
    Rule("rss_mb", "drift", 3.0, 4.0),
    Rule("uss_mb", "drift", 3.0, 4.0),
    Rule("blocks", "drift", 30_000, 40_000),
    Rule("descriptors", "peak", 4),
    Rule("threads", "peak", 2),
    Rule("tasks", "peak", 8),
)


@define(frozen=True)
class Finding:
    """How one series went: medians of the second and the last quarter, its peak, its slope, and whether it is flat."""

    name: str
    early: float
    late: float
    peak: float
    per_hour: float
    allowed: str
    flat: bool


def judge_series(at_s: Sequence[float], series: Mapping[str, Sequence[float]]) -> list[Finding]:
    """Judge the series of RULES, sampled at `at_s` seconds of one run; raises ValueError where samples are too few."""
    begun, length = at_s[0], at_s[-1] - at_s[0]
    quarters = [min(3, int(4 * (at - begun) / length)) if length else 0 for at in at_s]
    if sum(quarter > 0 for quarter in quarters) < ENOUGH:
        raise ValueError(f"{len(at_s)} samples are too few to judge by: sample more often, or longer")
    return [_judge(rule, at_s, series[rule.name], quarters) for rule in RULES]


def slope(at_s: Sequence[float], values: Sequence[float]) -> float:
    """Return the median of the slopes between all pairs of samples, per second."""
    pairs = combinations(zip(at_s, values, strict=True), 2)
    return median([(after - before) / (later - sooner) for (sooner, before), (later, after) in pairs])


def _judge(rule: Rule, at_s: Sequence[float], values: Sequence[float], quarters: Sequence[int]) -> Finding:
    warm = [(at, value) for at, value, quarter in zip(at_s, values, quarters, strict=True) if quarter]
    early, late = ([v for v, quarter in zip(values, quarters, strict=True) if quarter == which] for which in (1, 3))
    rise = slope(*zip(*warm, strict=True))
    if rule.kind == "drift":
        flat = rise * 3600 <= rule.per_hour or rise * (warm[-1][0] - warm[0][0]) <= rule.slack
    else:
        flat = max(late) <= max(early) + rule.slack
    return Finding(rule.name, median(early), median(late), max(values), rise * 3600, rule.allowed, flat)
