"""The page of stats has every key of `get_stats`, and no other."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from jrr_binance.simulator import SpotScript
from jrr_sqlite import StorageConfig

from jrr_core import ManagerBuilder, Message
from jrr_core.capture import CaptureSettings
from jrr_core.config import Config
from jrr_core.testing.simulator import Simulator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "stats.md").read_text("utf-8")


@pytest.fixture(scope="module")
def stats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return asyncio.run(_collected(tmp_path_factory.mktemp("store") / "market.db"))


async def _collected(file: Path) -> dict[str, Any]:
    """Return the stats of a short run that has an exchange, a stream, a sink and a subscriber."""
    async with Simulator(SpotScript, rate=100) as simulator:
        config = Config(capture=CaptureSettings(path=str(file.with_name("capture"))))
        builder = ManagerBuilder(StorageConfig(path=str(file)), config=config)
        builder.set_spool(path=str(file.with_name("spool")))
        builder.add_exchange("binance", ws_url=simulator.ws_url, rest_url=simulator.rest_url)
        manager = await builder.build()
        await manager.subscribe(["binance:trade:BTCUSDT"])
        running = asyncio.ensure_future(manager.start_all_listeners())
        first = asyncio.get_running_loop().create_future()

        def on_trade(message: Message) -> None:
            if not first.done():
                first.set_result(message)

        manager.add_subscriber("trade", on_trade)
        await first
        await manager.stop()
        await running
        return manager.get_stats()


def test_keys_of_the_run_are_documented(stats: dict[str, Any]) -> None:
    assert _keys("The whole run") == set(stats)


def test_keys_of_the_capture_are_documented(stats: dict[str, Any]) -> None:
    assert _keys("capture") == set(stats["capture"])


def test_keys_of_exchanges_are_documented(stats: dict[str, Any]) -> None:
    assert _keys("exchanges.NAME") == set(stats["exchanges"]["binance"])


def test_keys_of_streams_are_documented(stats: dict[str, Any]) -> None:
    assert _keys("streams") == set(stats["exchanges"]["binance"]["streams"][0])


def test_keys_of_sinks_are_documented(stats: dict[str, Any]) -> None:
    assert _keys("sinks.NAME") == set(stats["sinks"]["sqlite"])


def test_keys_of_subscribers_are_documented(stats: dict[str, Any]) -> None:
    (subscriber,) = stats["subscribers"].values()
    assert _keys("subscribers.NAME") == set(subscriber)


def _keys(title: str) -> set[str]:
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/stats.md has no section {title!r}"
    cells = [line.split("|")[1] for line in found[1].splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
