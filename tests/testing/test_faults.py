from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_binance.simulator import CoinmScript, SpotScript, UsdmScript
from jrr_okx.simulator import OkxScript

from jrr_core.errors import ConfigError
from jrr_core.testing.faults import (
    CORE_FAULTS,
    PLAUSIBLE,
    LineFaults,
    listing_changes,
    random_mix,
    split_faults,
    text_frame,
)
from jrr_core.testing.script import Script

SCRIPTS: list[type[Script]] = [SpotScript, UsdmScript, CoinmScript, OkxScript]


@given(st.lists(st.binary(max_size=300)), st.floats(0, 1), st.integers(0, 1000))
def test_disturbed_frames_are_those_sent_and_broken_ones(payloads: list[bytes], chance: float, seed: int) -> None:
    frames = [text_frame(payload) for payload in payloads]
    assert LineFaults().disturb(frames, Random(seed)) == frames
    assert sorted(LineFaults(reorder=chance).disturb(frames, Random(seed))) == sorted(frames)
    assert set(LineFaults(duplicate=chance).disturb(frames, Random(seed))) == set(frames)
    mixed = LineFaults(garbage=chance).disturb(frames, Random(seed))
    remaining = iter(mixed)
    assert all(frame in remaining for frame in frames)


def test_trades_of_one_time_can_come_in_the_order_exchanges_were_seen_to_send() -> None:
    frames = [bytes([number]) for number in (140, 143, 145, 147)]
    orders = {tuple(LineFaults(reorder=0.5).disturb(frames, Random(seed))) for seed in range(200)}
    assert tuple(bytes([number]) for number in (140, 145, 147, 143)) in orders


@pytest.mark.parametrize(
    ("faults", "fates"),
    [
        ({}, [None, None, None]),
        ({"reset": "2"}, [None, "reset", "reset"]),
        ({"close": "2"}, [None, "close", "close"]),
        ({"close": "3", "reset": "2"}, [None, "reset", "reset"]),
        ({"silence": "1", "reset": "2"}, ["silence", "silence", "silence"]),
    ],
)
def test_what_befalls_a_connection_depends_on_its_age(faults: dict[str, str], fates: list[str | None]) -> None:
    assert [LineFaults.of(faults).due(age_s, 0) for age_s in (1.0, 2.0, 3.0)] == fates


def test_only_each_second_connection_can_be_struck() -> None:
    faults = LineFaults.of({"reset": "1", "every": "2"})
    assert [faults.due(5.0, number) for number in range(4)] == ["reset", None, "reset", None]


@pytest.mark.parametrize("code", ["999", "1005", "1006", "5000", "1001.5", "x"])
def test_codes_no_server_closes_with_are_refused(code: str) -> None:
    with pytest.raises(ConfigError, match="close_code"):
        LineFaults.of({"close_code": code})


@given(st.integers())
def test_random_mixes_are_faults_the_exchange_has(seed: int) -> None:
    for script in SCRIPTS:
        mix = random_mix(Random(seed), script)
        assert 2 <= len(mix) <= 4
        assert mix == random_mix(Random(seed), script)
        split_faults(mix, script.faults, script.exchange)
        LineFaults.of(mix)
        for name, text in mix.items():
            low, high = {**PLAUSIBLE, **script.plausible}[name]  # type: ignore[attr-defined]
            assert low <= float(text) <= high
    assert random_mix(Random(seed)).keys() <= CORE_FAULTS.keys()
    assert random_mix(Random(seed), *SCRIPTS).keys() <= {*CORE_FAULTS, "rest_429"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_plausible_faults_are_faults(script: type[Script]) -> None:
    assert script.plausible.keys() <= script.faults.keys()  # type: ignore[attr-defined]
    assert PLAUSIBLE.keys() <= CORE_FAULTS.keys()


def test_listings_and_delistings_are_told_in_order_and_wrong_ones_named() -> None:
    faults = {"listed": "A@2,B@0.5", "delisted": "A@3"}
    assert listing_changes(faults, ["A", "B"]) == [(0.5, "B", True), (2.0, "A", True), (3.0, "A", False)]
    for wrong in ("C@1", "A", "A@", "A@x", "A@-1"):
        with pytest.raises(ConfigError, match=f"fault listed={wrong} needs SYMBOL@SECONDS; symbols: A, B"):
            listing_changes({"listed": wrong}, ["A", "B"])
