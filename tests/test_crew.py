"""The tasks of a run: started together, ended in order, the failure of one harming no other."""

import asyncio

import pytest

from jrr_core.crew import Crew
from jrr_core.errors import ConfigError, PluginError


async def fails(error: Exception) -> None:
    raise error


def test_a_part_that_fails_harms_no_other_and_the_first_failure_is_kept() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def works() -> None:
            await asyncio.sleep(0.02)
            ended.set()

        async with asyncio.TaskGroup() as group:
            crew = Crew(group)
            crew.read(fails(ZeroDivisionError("a mistake")), "sink x")
            crew.read(fails(ConfigError("later")), "sink y")
            crew.read(works(), "sink z")
            await ended.wait()
        assert isinstance(crew.failure, PluginError)
        assert "sink x failed" in str(crew.failure)

    asyncio.run(main())


@pytest.mark.parametrize("hurried", [False, True])
def test_readers_get_their_time_and_are_then_cut_short(hurried: bool) -> None:
    async def main() -> None:
        done, hurry = [], asyncio.Event()

        async def reader(seconds: float) -> None:
            await asyncio.sleep(seconds)
            done.append(seconds)

        async with asyncio.TaskGroup() as group:
            crew = Crew(group)
            crew.read(reader(0.05), "quick")
            crew.read(reader(30), "slow")
            if hurried:
                hurry.set()
            await crew.end_readers(0.3, hurry)
        assert done == ([] if hurried else [0.05])

    asyncio.run(main())


def test_what_runs_aside_ends_with_the_lines() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            crew = Crew(group)
            crew.aside(asyncio.sleep(30), "sink x")
            await asyncio.sleep(0)
            await crew.end_lines()
        assert crew.failure is None

    asyncio.run(main())
