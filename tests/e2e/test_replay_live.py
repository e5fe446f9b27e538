"""A capture replayed gives what the live run stored, row for row, coverage included, whatever went wrong on the way."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.builder import ManagerBuilder
from jrr_core.capture import CaptureSettings, capture_files
from jrr_core.config import Config
from jrr_core.digest import Digest, Part, digests
from jrr_core.plugins import Plugins
from jrr_core.quarantine import Quarantine
from jrr_core.replay import Replay, Sources
from jrr_core.store import Selection
from jrr_core.testing.child import Simulation, simulated

pytestmark = pytest.mark.e2e

EXCHANGES = ("binance", "okx")
FAULTS = {"reset": "1.5", "every": "2", "drop": "0.01", "reorder": "0.05", "duplicate": "0.02", "garbage": "0.01"}


def store_in(folder: Path, name: str) -> SqliteSink:
    return SqliteSink(StorageConfig(path=str(folder / f"{name}.db")))


async def collect(simulation: Simulation, folder: Path, run_s: float) -> None:
    """Collect for so long, two connections a stream on one exchange; end one stream in between, let others join."""
    sections = {
        name: {"ws_url": simulation.ws_urls[name], "rest_url": simulation.rest_urls[name]} for name in EXCHANGES
    }
    capture = CaptureSettings(path=str(folder / "capture"), rotate_s=1.0)
    config = Config(exchanges={**sections, "binance": {**sections["binance"], "redundancy": 2}}, capture=capture)
    config.run.quarantine = str(folder / "quarantine")
    builder = ManagerBuilder(plugins=Plugins.load(EXCHANGES), config=config).add_sink(store_in(folder, "live"))
    manager = await builder.set_spool(path="").build()
    await manager.subscribe([f"{name}:{channel}:*" for name in EXCHANGES for channel in ("trade", "book")])
    run = asyncio.create_task(manager.run())
    await asyncio.sleep(run_s / 2)
    await manager.unsubscribe(["okx:trade:BTC-USDT"])
    await manager.subscribe(["binance:candle_1s:*", "binance:quote:*", "okx:quote:*"])
    await asyncio.sleep(run_s / 2)
    await manager.stop()
    await run
    assert manager.get_stats()["capture"]["lost"] == 0


async def fingerprint(folder: Path, name: str) -> Mapping[Part, Digest]:
    return await digests(store_in(folder, name), Selection())


def test_a_replay_stores_what_two_live_runs_stored(tmp_path: Path) -> None:
    asyncio.run(compare(tmp_path))


async def compare(tmp_path: Path) -> None:
    async with simulated(EXCHANGES, rate=300, faults=FAULTS) as simulation:
        for _ in range(2):
            # The second run asks for what the first one missed, and what came to pass between them.
            await collect(simulation, tmp_path, 2.5)
    quarantine = Quarantine(tmp_path / "again", 10**8)
    replay = Replay([store_in(tmp_path, "replayed")], Sources(Plugins.load(EXCHANGES), Config()), quarantine)
    files = capture_files([tmp_path / "capture"])
    await replay.run(files)
    live, again = await fingerprint(tmp_path, "live"), await fingerprint(tmp_path, "replayed")
    assert set(live) >= {(name, what) for name in EXCHANGES for what in ("trade", "book", "instruments", "coverage")}
    assert again == live
    assert len(files) >= 4
    assert replay.counts.damaged == 0
