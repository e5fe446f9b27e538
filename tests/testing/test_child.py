import asyncio
import json
from pathlib import Path
from urllib.request import urlopen

import pytest

from jrr_core.testing.child import SimulationFailed, simulated
from jrr_core.testing.truth import Truth

from ..cli.test_simulate import folder  # noqa: F401


def get(url: str) -> object:
    with urlopen(url, timeout=5) as answer:
        return json.loads(answer.read())


@pytest.mark.usefixtures("folder")
def test_exchanges_are_served_by_a_child_until_the_block_ends(tmp_path: Path) -> None:
    async def body() -> Truth:
        async with simulated(["tiny"], run_s=0.1, truth_file=tmp_path / "truth.jsonl") as simulation:
            assert simulation.ws_urls["tiny"].startswith("ws://127.0.0.1:")
            assert await asyncio.to_thread(get, simulation.rest_urls["tiny"]) == {}
            await simulation.quiet()
            return await simulation.stop()

    assert [book.symbol for book in asyncio.run(body()).books] == ["BTC"]


@pytest.mark.usefixtures("folder")
def test_a_child_that_cannot_start_says_why() -> None:
    async def body() -> None:
        async with simulated(["tiny"], faults={"what": "1"}):
            pass

    with pytest.raises(SimulationFailed, match="no fault 'what'"):
        asyncio.run(body())
