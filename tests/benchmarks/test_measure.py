"""Every contestant that needs nothing but this environment comes through a short run with all messages."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.suite.contestants import Contestant, Place, floor, jrr
from benchmarks.suite.feeds import EXCHANGES, Load
from benchmarks.suite.load import check
from benchmarks.suite.measure import saturate
from benchmarks.suite.process import LoadServer

pytestmark = pytest.mark.e2e
_CONTESTANTS = [
    floor("asyncio", False),
    floor("jrr's websockets", True),
    floor("picows", True),
    jrr("callback", "picows"),
    jrr("sqlite", "auto"),
]


async def run_through(contestant: Contestant, exchange: str, kind: str, folder: Path) -> None:
    load = Load(EXCHANGES[exchange], kind)
    async with LoadServer(exchange, kind) as server:
        found = await saturate(contestant, server, Place(load, server.port, folder), 0.05, None)
    assert (found.lost, found.gaps) == (0, 0)
    assert found.messages >= 3 * load.block
    assert found.cpu_us > 0
    assert found.per_s > 0


@pytest.mark.parametrize("contestant", _CONTESTANTS, ids=lambda each: f"{each.name} {each.options.get('to', '')}")
def test_nothing_is_lost_on_the_way(contestant: Contestant, tmp_path: Path) -> None:
    asyncio.run(run_through(contestant, "binance", "trade", tmp_path))


def test_books_of_okx_are_kept_from_their_start(tmp_path: Path) -> None:
    asyncio.run(run_through(jrr("book", "auto"), "okx", "depth", tmp_path))


def test_a_bare_reader_is_served() -> None:
    # A hundredth of what is asked of a quiet machine: whether it works, not how fast this one is.
    assert asyncio.run(check("binance", "trade", 20_000)) > 3_000
