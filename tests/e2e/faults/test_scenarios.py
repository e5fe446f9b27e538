"""What the fault runs cover."""

from jrr_core.cli.simulate import find_scripts
from jrr_core.testing.faults import CORE_FAULTS

from .mixes import mix
from .scenarios import ALL, SCENARIOS

# How a fault strikes, or at whose pace; what no user of jrr asks for by name; and listings, which lose nothing.
_MANNERS = {"until", "close_code", "notice-close", "funding-every", "funding_every", "listed", "delisted"}


def test_every_fault_of_the_simulators_strikes_alone_in_some_run() -> None:
    known = set(CORE_FAULTS).union(*(script.faults for script in find_scripts(ALL)))
    struck = {name for scenario in SCENARIOS for name in scenario.faults}
    assert known - struck - _MANNERS == set()


def test_a_scenario_asks_only_for_faults_its_exchanges_have() -> None:
    for scenario in SCENARIOS:
        for script in find_scripts(scenario.exchanges):
            assert set(scenario.faults) <= {*CORE_FAULTS, *script.faults}, scenario.name


def test_the_same_seed_makes_the_same_mix() -> None:
    assert mix(7).name == mix(7).name
    assert len({mix(seed).name for seed in range(20)}) == 20
