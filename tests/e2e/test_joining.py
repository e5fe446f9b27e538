"""Streams subscribed while running join the connections there are, and no other stream notices."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path

import pytest

from jrr_core.builder import ManagerBuilder
from jrr_core.events import BookDelta, BookSnapshot, Disconnected, Gap, Trade
from jrr_core.plugins import Plugins
from jrr_core.testing.simulator import Simulator
from tests.toy import MemorySink, until

pytestmark = pytest.mark.e2e

FIRST = {
    "binance-usdm": ("trade:BTCUSDT", "book:BTCUSDT"),
    "okx": ("trade:BTC-USDT", "book:BTC-USDT"),
    "bybit": ("trade:BTCUSDT", "book:BTCUSDT"),
    "kraken": ("trade:BTC/USD", "book:BTC/USD"),
    "gateio": ("trade:BTC_USDT", "book:BTC_USDT"),
}
LATER = {
    "binance-usdm": ("trade:ETHUSDT", "book:ETHUSDT"),
    "okx": ("trade:ETH-USDT", "book:ETH-USDT"),
    "bybit": ("trade:ETHUSDT", "book:ETHUSDT"),
    "kraken": ("trade:ETH/USD", "book:ETH/USD"),
    "gateio": ("trade:ETH_USDT", "book:ETH_USDT"),
}


def test_a_later_stream_joins_a_connection_of_every_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sink = MemorySink()

    async def main() -> None:
        plugins = Plugins.load()
        async with AsyncExitStack() as stack:
            builder = ManagerBuilder(plugins=plugins).add_sink(sink).set_spool(path="")
            for name in FIRST:
                module, _, script = str(plugins.connectors[name].simulator).partition(":")
                exchange = await stack.enter_async_context(Simulator(getattr(import_module(module), script), rate=200))
                builder.add_exchange(name, ws_url=exchange.ws_url, rest_url=exchange.rest_url)
            manager = await builder.build()
            await manager.subscribe([f"{name}:{stream}" for name, streams in FIRST.items() for stream in streams])
            run = asyncio.create_task(manager.run())

            def flowing(streams: Mapping[str, tuple[str, ...]]) -> bool:
                seen = {
                    f"{row.exchange}:{row.channel}:{row.symbol}"
                    for row in sink.rows
                    if isinstance(row, (Trade, BookDelta, BookSnapshot))
                }
                return all(f"{name}:{stream}" in seen for name, some in streams.items() for stream in some)

            await until(lambda: flowing(FIRST))
            before = {name: stats["connections"] for name, stats in manager.get_stats()["exchanges"].items()}
            await manager.subscribe([f"{name}:{stream}" for name, streams in LATER.items() for stream in streams])
            await until(lambda: flowing(LATER))
            after = manager.get_stats()["exchanges"]
            assert {name: stats["connections"] for name, stats in after.items()} == before
            assert not [stats for stats in after.values() if stats["reconnects"] or stats["rotations"]]
            assert not [row for row in sink.rows if isinstance(row, (Gap, Disconnected))]
            await manager.unsubscribe(["okx:book:ETH-USDT"])
            await manager.stop()
            await run

    asyncio.run(main())
