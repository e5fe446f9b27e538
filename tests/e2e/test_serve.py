"""A capture served gives a collector what the recorded run stored."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.builder import ManagerBuilder
from jrr_core.capture import CaptureSettings, capture_files
from jrr_core.config import Config
from jrr_core.observe.address import Address
from jrr_core.plugins import Plugins
from jrr_core.replay import Playback, Sources
from jrr_core.testing.child import simulated

pytestmark = pytest.mark.e2e

SYMBOLS = {
    "binance": "BTCUSDT", "binance-usdm": "BTCUSDT", "okx": "BTC-USDT", "bybit": "BTCUSDT", "kraken": "BTC/USD",
    "gateio": "BTC_USDT", "gateio-futures": "BTC_USDT",
}  # fmt: skip
EVERY_RUN = ("binance", "okx", "kraken")
RUN_S = 1.5
QUERIES = (
    "SELECT symbol, trade_id, price, amount, side, ts_event FROM trades ORDER BY trade_id",
    "SELECT symbol, bid_price, bid_amount, ask_price, ask_amount FROM quotes ORDER BY 1, 2, 3, 4, 5",
    "SELECT symbol, sequence, bids, asks FROM book_deltas ORDER BY 1, 2, 3, 4",
)


async def collect(exchange: str, urls: dict[str, str], folder: Path, name: str, until: asyncio.Future[None]) -> None:
    """Collect trades, quotes and books of one symbol until told."""
    capture = CaptureSettings(path=str(folder / "capture") if name == "live" else "")
    config = Config(exchanges={exchange: urls}, capture=capture)
    config.run.quarantine = str(folder / f"{name}-quarantine")
    sink = SqliteSink(StorageConfig(path=str(folder / f"{name}.db")))
    builder = ManagerBuilder(plugins=Plugins.load(), config=config).add_sink(sink)
    manager = await builder.set_spool(path="").build()
    await manager.subscribe([f"{exchange}:{what}:{SYMBOLS[exchange]}" for what in ("trade", "quote", "book")])
    run = asyncio.create_task(manager.run())
    await until
    await manager.stop()
    await run
    rejected = manager.get_stats()["exchanges"][exchange]["rejected"]
    assert rejected == 0


def rows(folder: Path, name: str, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / f"{name}.db") as store:
        return store.execute(query).fetchall()


@pytest.mark.parametrize(
    "exchange", [pytest.param(name, marks=() if name in EVERY_RUN else pytest.mark.nightly) for name in SYMBOLS]
)
def test_a_collector_stores_of_a_served_capture_what_was_recorded(exchange: str, tmp_path: Path) -> None:
    asyncio.run(compare(exchange, tmp_path))


async def compare(exchange: str, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    async with simulated((exchange,), rate=200) as simulation:
        urls = {"ws_url": simulation.ws_urls[exchange], "rest_url": simulation.rest_urls[exchange]}
        over = loop.create_future()
        loop.call_later(RUN_S, over.set_result, None)
        await collect(exchange, urls, folder, "live", over)
    playback = Playback(exchange, Sources(Plugins.load(), Config()).connector(exchange))
    ready: asyncio.Future[Address] = loop.create_future()
    serving = asyncio.create_task(
        playback.run(capture_files([folder / "capture"]), Address("127.0.0.1", 0), 3.0, ready.set_result)
    )
    where = await ready
    ended = loop.create_future()
    serving.add_done_callback(lambda task: None if ended.done() else ended.set_result(None))
    await collect(exchange, {"ws_url": f"ws://{where}", "rest_url": f"http://{where}"}, folder, "again", ended)
    await serving
    assert playback.counts.damaged == 0
    for query in QUERIES:
        live, again = rows(folder, "live", query), rows(folder, "again", query)
        assert live, query
        assert again == live, query
