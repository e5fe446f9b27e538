"""Several `jrr run` on one PostgreSQL: overlapping for redundancy, or each with its part."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import fetch

from jrr_core.subscription import Subscription
from jrr_core.testing.child import Simulation, simulated
from jrr_core.testing.truth import Truth

pytestmark = pytest.mark.e2e

TRADES = ("binance-usdm:trade:BTCUSDT", "binance-usdm:trade:ETHUSDT")
WITH_BOOKS = (*TRADES, "binance-usdm:book:BTCUSDT")


async def collector(
    folder: Path, simulation: Simulation, dsn: str, wanted: Sequence[str], *arguments: str
) -> asyncio.subprocess.Process:
    """Start a `jrr run` in the folder; return it once it has connected."""
    (folder / "jrr.toml").write_text(f"""
        plugins = ["binance", "postgres"]
        subscribe = {json.dumps(wanted)}
        [exchanges.binance-usdm]
        ws_url = "{simulation.ws_urls["binance-usdm"]}"
        rest_url = "{simulation.rest_urls["binance-usdm"]}"
        [sinks.postgres]
        dsn = "{dsn}"
    """)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "JRR_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from jrr_core.cli import main; main()", "run", "--log-format", "json", *arguments,
        cwd=folder, env=environ, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    async for line in process.stderr:
        said = json.loads(line)
        if said["event"] == "connected":
            assert said["instance"] == arguments[1]
            return process
    raise AssertionError("it ended before it connected")


async def overlapping(dsn: str, count: int) -> None:
    """Return once `count` streams, all collectors together, were said to be connected and all have stored more."""
    said = "SELECT count(*), max(ts_recv) FROM jrr.stored_stream_events WHERE type = 'connected'"
    while True:
        found, latest = (await fetch(dsn, said))[0]
        alive = (await fetch(dsn, "SELECT min(alive_to) FROM jrr.writers WHERE alive_to > 0"))[0][0]
        if found >= count and alive is not None and alive > latest:
            return
        await asyncio.sleep(0.02)


async def whole(truth: Truth, dsn: str, wanted: Sequence[str]) -> None:
    """See that the store has what was sent, once, and says that it is complete."""
    store = PostgresSink(StorageConfig(dsn=dsn))
    assert await truth.compare_store(store, [Subscription.parse(text) for text in wanted]) == []
    assert [(r.state, r.reason) for r in await store.coverage()] == [("complete", "stopped")] * len(wanted)


async def end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


def test_what_two_collect_together_is_whole_though_they_come_and_go(dsn: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(["binance-usdm"], rate=300, truth_file=tmp_path / "truth.jsonl") as simulation:
            one, other = await asyncio.gather(
                *[collector(tmp_path, simulation, dsn, TRADES, "--instance", name) for name in ("one", "other")]
            )
            await overlapping(dsn, 4)
            await end(one)
            await end(other)
            await whole(await simulation.stop(), dsn, TRADES)

    asyncio.run(main())


@pytest.mark.nightly
def test_one_that_is_killed_leaves_no_gap_beside_another(dsn: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(["binance-usdm"], rate=300, truth_file=tmp_path / "truth.jsonl") as simulation:
            one = await collector(tmp_path, simulation, dsn, WITH_BOOKS, "--instance", "one")
            other = await collector(tmp_path, simulation, dsn, WITH_BOOKS, "--instance", "other")
            await overlapping(dsn, 6)
            one.kill()
            await one.communicate()
            one = await collector(tmp_path, simulation, dsn, WITH_BOOKS, "--instance", "one")
            await overlapping(dsn, 9)
            await end(other)
            await end(one)
            await whole(await simulation.stop(), dsn, WITH_BOOKS)

    asyncio.run(main())


@pytest.mark.nightly
def test_two_parts_collect_each_stream_once(dsn: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with simulated(["binance-usdm"], rate=300) as simulation:
            parts = [
                await collector(tmp_path, simulation, dsn, TRADES, "--instance", f"p{n}", "--shard", f"{n}/2")
                for n in (1, 2)
            ]
            await overlapping(dsn, 2)
            for part in parts:
                await end(part)
        writers = await fetch(dsn, "SELECT s.symbol, count(DISTINCT c.slot) FROM jrr.stored_coverage c "
                              "JOIN jrr.streams s ON s.id = c.stream GROUP BY s.symbol ORDER BY 1")  # fmt: skip
        assert writers == [("BTCUSDT", 1), ("ETHUSDT", 1)]
        assert len(await PostgresSink(StorageConfig(dsn=dsn)).coverage()) == len(TRADES)

    asyncio.run(main())
