"""Patterns follow listings, delistings and expiries of exchanges over real sockets, without a gap or an alarm."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from attrs import evolve
from jrr_binance.simulator import UsdmScript
from jrr_okx.simulator import OkxScript

from jrr_core.builder import ManagerBuilder
from jrr_core.events import Disconnected, Gap
from jrr_core.instrument import Instrument
from jrr_core.testing.simulator import Simulator
from tests.toy import MemorySink, until

pytestmark = pytest.mark.e2e


def test_patterns_follow_what_exchanges_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    expiring = int(time.time() * 1000) + 900
    contract = evolve(UsdmScript.contracts["BTCUSDT_261225"], expiry_ms=expiring)
    monkeypatch.setattr(UsdmScript, "contracts", {**UsdmScript.contracts, "BTCUSDT_261225": contract})
    monkeypatch.setattr("jrr_core.following._EXPIRED_S", (0.0, 0.1))
    sink = MemorySink()

    async def main() -> None:
        async with AsyncExitStack() as stack:
            builder = ManagerBuilder().add_sink(sink).set_spool(path="")
            for script, faults in (
                (UsdmScript, {"listed": "ETHUSDT@0.5", "delisted": "BNBUSDT@0.8"}),
                (OkxScript, {"listed": "ETH-USDT@0.5", "delisted": "BTC-USDT@0.8"}),
            ):
                simulator = await stack.enter_async_context(Simulator(script, rate=300, faults=faults))
                urls = {"ws_url": simulator.ws_url, "rest_url": simulator.rest_url}
                builder.add_exchange(script.exchange, **urls, instruments_s=0.3)
            manager = await builder.build()
            await manager.subscribe(["binance-usdm:trade:*", "binance-usdm:book:*", "okx:trade:*-USDT"])
            run = asyncio.create_task(manager.run())
            usdm, okx = (manager.exchanges[name] for name in ("binance-usdm", "okx"))
            await until(lambda: "okx:trade:ETH-USDT" in okx.wanted and "okx:trade:BTC-USDT" not in okx.wanted)
            await until(lambda: {s.symbol for s in usdm.wanted.values()} == {"BTCUSDT", "ETHUSDT"})
            fresh = len(sink.rows)
            await until(lambda: {"ETHUSDT", "ETH-USDT"} <= {r.symbol for r in sink.rows[fresh:] if r.type == "trade"})
            ended = [row for row in sink.rows if isinstance(row, Disconnected)]
            assert {row.symbol for row in ended} == {"BNBUSDT", "BTCUSDT_261225", "BTC-USDT"}
            assert {row.reason for row in ended} == {"unsubscribed"}
            await manager.stop()
            assert await run == 0
            stats = manager.get_stats()["exchanges"]
            assert [stats[name]["connections"] for name in ("binance-usdm", "okx")] == [2, 1]
            assert not [row for row in sink.rows if isinstance(row, Gap)]

    asyncio.run(main())
    assert {row.symbol for row in sink.rows if isinstance(row, Instrument)} >= {"ETHUSDT", "ETH-USDT"}
    assert [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []
