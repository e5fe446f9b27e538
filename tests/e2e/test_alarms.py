"""Alarms of real runs over sockets: silence where there is silence, and nothing else."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from jrr_binance.simulator import SpotScript, UsdmScript
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.builder import ManagerBuilder
from jrr_core.testing.script import Script
from jrr_core.testing.simulator import Simulator

pytestmark = pytest.mark.e2e


async def alarms_of(
    script: type[Script], wanted: Sequence[str], faults: Mapping[str, str], folder: Path, **settings: Any
) -> list[dict[str, Any]]:
    """Return the alarms that stand once there are some, or after three seconds."""
    async with Simulator(script, rate=200, faults=faults) as simulator:
        urls = {"ws_url": simulator.ws_url, "rest_url": simulator.rest_url, **settings}
        builder = ManagerBuilder().add_exchange(script.exchange, **urls, first_data_s=0.8)
        sink = SqliteSink(StorageConfig(path=str(folder / "market.db")))
        manager = await builder.add_sink(sink).set_spool(path="").build()
        await manager.subscribe(wanted)
        run = asyncio.create_task(manager.run())
        until = time.monotonic() + 3
        while not manager.get_stats()["alarms"] and time.monotonic() < until:  # noqa: ASYNC110 - waits for the clock
            await asyncio.sleep(0.05)
        found: list[dict[str, Any]] = manager.get_stats()["alarms"]
        offset_s = manager.get_stats()["exchanges"][script.exchange]["clock_offset_s"]
        assert offset_s is not None
        assert abs(offset_s) < 0.5
        await manager.stop()
        await run
        return found


def test_a_stream_that_is_acknowledged_and_never_delivers_is_told_by_name(tmp_path: Path) -> None:
    wanted = [f"binance:{channel}:{symbol}" for channel in ("trade", "book") for symbol in ("BTCUSDT", "ETHUSDT")]
    (alarm,) = asyncio.run(
        alarms_of(SpotScript, wanted[:3], {"silent_stream": "btcusdt@depth@100ms"}, tmp_path)
    )  # fmt: skip
    assert (alarm["name"], alarm["subject"]) == ("stream_silent", "binance:book:BTCUSDT")
    assert alarm["cure"]


def test_a_path_that_does_not_serve_what_it_acknowledges_is_one_alarm(tmp_path: Path) -> None:
    wanted = [f"binance-usdm:{what}:{symbol}" for what in ("trade", "quote") for symbol in ("BTCUSDT", "ETHUSDT")]
    faults = {"silent_stream": "btcusdt@bookTicker,ethusdt@bookTicker"}
    (alarm,) = asyncio.run(alarms_of(UsdmScript, wanted, faults, tmp_path))
    assert alarm["name"] == "streams_unserved"
    assert "check exchanges.binance-usdm.ws_url" in alarm["cure"]


def test_a_healthy_run_has_no_alarm(tmp_path: Path) -> None:
    wanted = ["binance:trade:BTCUSDT", "binance:book:BTCUSDT"]
    assert asyncio.run(alarms_of(SpotScript, wanted, {}, tmp_path)) == []
