"""Wrong plugins do not get past the kit: each is killed by the rule it breaks, or is listed with the reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from jrr_core.testing import connector_suite, parser_suite
from tests.conformance.killing import KINDS, kill, mutants
from tests.conformance.table import PAGE, page

ALL = [mutant for module in KINDS for mutant in mutants(module)]
DEADLY = [mutant for mutant in ALL if not hasattr(mutant, "survives")]
SURVIVORS = [mutant for mutant in ALL if hasattr(mutant, "survives")]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _same_damage_each_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for suite in (parser_suite, connector_suite):
        monkeypatch.setattr(suite, "FUZZ_EXAMPLES", 100)
    usual = settings.get_current_profile_name()
    settings.register_profile("mutants", derandomize=True, database=None)
    settings.load_profile("mutants")
    yield
    settings.load_profile(usual)


def _place(mutant: type) -> str:
    return f"{mutant.__module__.rpartition('.')[2]}.{mutant.__name__}"


@pytest.mark.parametrize("mutant", DEADLY, ids=_place)
def test_mutant_is_killed_by_the_rule_it_breaks(mutant: type) -> None:
    found = kill(mutant)
    assert found is not None, f"{_place(mutant)} gets past the kit"
    assert found.rule == mutant.rule, f"{_place(mutant)} is killed by {found}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("mutant", SURVIVORS, ids=_place)
def test_survivor_still_survives(mutant: type) -> None:
    assert kill(mutant) is None, f"{_place(mutant)} is killed now: give it its rule"


def test_enough_mutants_are_killed() -> None:
    assert len(ALL) >= 100
    assert len(DEADLY) / len(ALL) >= 0.95


def test_every_mutant_says_what_is_wrong() -> None:
    assert not [mutant for mutant in ALL if not (mutant.__doc__ or "").strip().endswith(".")]


def test_page_of_mutants_is_current() -> None:
    assert (ROOT / PAGE).read_text("utf-8") == page(), f"stale: .venv/bin/python -m tests.conformance.table > {PAGE}"
