"""Random mixes: several faults of the exchanges at once, and up to two things done to the store or to jrr."""

from random import Random

from jrr_core.cli.simulate import find_scripts
from jrr_core.testing.faults import random_mix

from .scenarios import ALL, SOON_STALE, both, end_collector, freeze
from .stage import Scenario

_STRIKING_S = 20.0


def mix(seed: int) -> Scenario:
    """Return the mix of a seed, the same for the same seed."""
    random = Random(seed)
    faults = random_mix(random, *find_scripts(ALL))
    acts = random.sample([end_collector(1, "kill", 1.0), end_collector(1, "stop", 1.0), freeze(3.0)],
                         random.randint(0, 2))  # fmt: skip
    return Scenario(f"mix: {', '.join(f'{name}={value}' for name, value in faults.items())}", faults, _STRIKING_S,
                    both(*acts) if acts else None, 35.0, ALL,
                    settings=SOON_STALE if "silence" in faults else {})  # fmt: skip
