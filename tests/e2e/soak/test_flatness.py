"""The rule of the soak: what leaks is found, what an outage bends is not taken for a leak."""

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import pytest

from .flatness import RULES, judge_series, slope

EVERY_S = 10.0


Shape = Callable[[float], float]


def constant(_: float) -> float:
    return 50.0


def verdicts(shapes: Mapping[str, Shape] = MappingProxyType({}), hours: float = 1.0) -> dict[str, bool]:
    """Return what is flat where each series is a shape over hours, and a constant where none is given."""
    at_s = [number * EVERY_S for number in range(1, round(hours * 3600 / EVERY_S) + 1)]
    series = {rule.name: [shapes.get(rule.name, constant)(at / 3600) for at in at_s] for rule in RULES}
    return {finding.name: finding.flat for finding in judge_series(at_s, series)}


def test_what_does_not_change_is_flat() -> None:
    assert set(verdicts().values()) == {True}


@pytest.mark.parametrize("name", ["rss_mb", "uss_mb"])
def test_five_megabytes_an_hour_are_a_leak_and_three_are_not(name: str) -> None:
    assert not verdicts({name: lambda hour: 50 + 5 * hour})[name]
    assert verdicts({name: lambda hour: 50 + 3 * hour})[name]


def test_a_leak_shows_through_noise_and_outages() -> None:
    noise = random.Random(1)

    def disturbed(leak: float) -> Shape:
        return lambda hour: 50 + leak * hour + noise.gauss(0, 1) + (40 if int(hour * 60) % 8 == 0 else 0)

    assert not verdicts({"rss_mb": disturbed(8)})["rss_mb"]
    assert verdicts({"rss_mb": disturbed(0)})["rss_mb"]


def test_warming_up_is_no_leak() -> None:
    assert verdicts({"rss_mb": lambda hour: 30 + min(hour, 0.24) * 100})["rss_mb"]


def test_what_grew_little_in_a_short_run_is_no_leak_however_steep() -> None:
    assert verdicts({"rss_mb": lambda hour: 50 + 100 * hour}, 1 / 30)["rss_mb"]
    assert not verdicts({"rss_mb": lambda hour: 50 + 600 * hour}, 1 / 30)["rss_mb"]


def test_small_objects_that_are_kept_are_a_leak() -> None:
    assert not verdicts({"blocks": lambda hour: 200_000 + 60_000 * hour})["blocks"]


@pytest.mark.parametrize("name", ["descriptors", "threads", "tasks"])
def test_one_more_every_five_minutes_is_a_leak_and_a_crowd_that_goes_is_none(name: str) -> None:
    assert not verdicts({name: lambda hour: 10 + int(hour * 20)})[name]
    assert verdicts({name: lambda hour: 30 if 0.26 < hour < 0.3 else 10})[name]
    assert verdicts({name: lambda hour: 12 if hour > 0.9 else 10})[name]


def test_too_few_samples_prove_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        verdicts(hours=60 / 3600)


def test_a_slope_is_told_by_most_pairs() -> None:
    assert slope([0, 1, 2, 3, 4], [0, 2, 4, 600, 8]) == 2
