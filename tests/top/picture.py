"""The picture of docs/top.md: `jrr top` on a run against two simulated exchanges, one of them with faults.

.venv/bin/python -m tests.top.picture docs/top.svg
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.builder import ManagerBuilder
from jrr_core.plugins import Plugins
from jrr_core.testing.child import simulated
from jrr_core.top.app import Top
from jrr_core.top.client import ask

# Pictures in the documentation fetch nothing from elsewhere.
_FONTS = re.compile(r"@font-face \{[^}]*\}")
_WANTED = ("binance:trade:*", "binance:book:BTCUSDT", "okx:trade:*", "okx:book:BTC-USDT")
_FAULTS = {"reset": "5", "every": "2", "drop_trades": "0.02", "silent_stream": "btcusdt@depth@100ms"}


async def picture() -> str:
    """Return the picture as SVG."""
    async with simulated(["binance"], rate=300, faults=_FAULTS) as binance, simulated(["okx"], rate=300) as okx:
        builder = ManagerBuilder(plugins=Plugins.load(["binance", "okx", "sqlite"]))
        for name, exchange in (("binance", binance), ("okx", okx)):
            urls = {"ws_url": exchange.ws_urls[name], "rest_url": exchange.rest_urls[name]}
            builder.add_exchange(name, **urls, first_data_s=2.0)
        with tempfile.TemporaryDirectory() as folder:
            sink = SqliteSink(StorageConfig(path=str(Path(folder) / "market.db")))
            manager = await builder.add_sink(sink).set_spool(path="").set_metrics(listen="0").build()
            await manager.subscribe(_WANTED)
            run = asyncio.create_task(manager.run())
            await asyncio.sleep(8)
            assert manager.observer is not None
            url = f"http://{manager.observer.address}/stats"
            app = Top(url, await asyncio.to_thread(ask, url), 1.0)
            async with app.run_test(size=(110, 24)) as pilot:
                await pilot.pause(3.0)
                found = _FONTS.sub("", app.export_screenshot(title="jrr top"))
            await manager.stop()
            await run
            return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncio.run(picture()))
