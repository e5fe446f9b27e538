"""What is lost on the way is fetched again over real sockets: every trade and candle of the market is stored once."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core import ManagerBuilder
from jrr_core.events import FundingRate
from jrr_core.plugins import Plugins
from jrr_core.subscription import Subscription
from jrr_core.testing.child import Simulation, simulated
from jrr_core.testing.truth import Truth
from jrr_core.testing.verdict import Verdict, judge, numberings_of

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

_RUN_S = 6.0
# Faults end before the market does: behind its last event nothing could show that it is missing.
_FAULTS_S = 3.5
# Enough for the last hole to be noticed, asked for and stored.
_SETTLE_S = 4.0


async def collected(
    exchange: str, wanted: Sequence[str], faults: Mapping[str, str], settings: Mapping[str, Any], folder: Path
) -> Verdict:
    """Collect a few seconds of `wanted` under the faults; return what the store is worth."""
    faults, truth_file = {**faults, "until": f"{_FAULTS_S:g}"}, folder / "truth.jsonl"
    async with simulated([exchange], rate=400, run_s=_RUN_S, faults=faults, truth_file=truth_file) as simulation:
        async with running(simulation, exchange, wanted, settings, folder):
            await simulation.quiet()
            await asyncio.sleep(_SETTLE_S)
        return await judged(await simulation.stop(), wanted, folder)


@asynccontextmanager
async def running(
    simulation: Simulation, exchange: str, wanted: Sequence[str], settings: Mapping[str, Any], folder: Path
) -> AsyncIterator[None]:
    """Collect for the length of the block."""
    urls = {"ws_url": simulation.ws_urls[exchange], "rest_url": simulation.rest_urls[exchange]}
    manager = await ManagerBuilder().add_exchange(exchange, **urls, **settings).add_sink(store_in(folder)).build()
    await manager.subscribe(wanted)
    run = asyncio.create_task(manager.run())
    yield
    await manager.stop()
    await run


def store_in(folder: Path) -> SqliteSink:
    return SqliteSink(StorageConfig(path=str(folder / "market.db")))


async def judged(truth: Truth, wanted: Sequence[str], folder: Path) -> Verdict:
    subscriptions = [Subscription.parse(text) for text in wanted]
    return await judge(truth, store_in(folder), subscriptions, numberings=numberings_of(Plugins.load().connectors))


@pytest.mark.parametrize(
    ("exchange", "wanted", "faults", "settings"),
    [
        ("binance", ("trade:BTCUSDT", "trade:ETHUSDT"), {"drop_trades": "0.1", "rest_429": "1"}, {}),
        ("binance", ("trade:BTCUSDT", "candle_1s:BTCUSDT"), {"drop": "0.2"}, {"trade_stream": "aggTrade"}),
        ("binance-usdm", ("trade:BTCUSDT", "candle_1m:BTCUSDT"), {"drop_trades": "0.2"}, {}),
        ("binance-coinm", ("trade:BTCUSD_PERP",), {"drop": "0.2"}, {}),
        ("okx", ("trade:BTC-USDT", "trade:BTC-USDT-SWAP", "candle_1s:BTC-USDT"), {"drop": "0.2"}, {}),
        ("okx", ("trade:BTC-USDT",), {"drop": "0.2"}, {"trade_stream": "trades-all"}),
        ("okx", ("trade:BTC-USDT", "candle_1s:BTC-USDT"), {"reset": "1"}, {}),
        ("binance", ("trade:BTCUSDT", "candle_1s:BTCUSDT"), {"reset": "1"}, {}),
    ],
)
def test_every_trade_is_stored_once(
    exchange: str, wanted: Sequence[str], faults: Mapping[str, str], settings: Mapping[str, Any], tmp_path: Path
) -> None:
    named = [f"{exchange}:{text}" for text in wanted]
    verdict = asyncio.run(collected(exchange, named, faults, settings, tmp_path))
    assert verdict.findings == []
    assert (verdict.lost, verdict.in_gaps, verdict.gaps) == (0, 0, 0)
    assert verdict.backfilled > 0
    assert verdict.stored > 50


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [("binance-usdm:funding:BTCUSDT", "funding_every"), ("binance-coinm:funding:BTCUSD_PERP", "funding_every"),
     ("okx:funding:BTC-USDT-SWAP", "funding-every")],
)  # fmt: skip
def test_each_settled_rate_is_fetched_when_its_time_has_come(wanted: str, fault: str, tmp_path: Path) -> None:
    exchange = wanted.partition(":")[0]

    async def settled() -> tuple[set[int], set[int]]:
        await collected(exchange, [wanted], {fault: "2"}, {}, tmp_path)
        rates = [rate async for rate in store_in(tmp_path).read(FundingRate)]
        estimated = {rate.next_funding_time or 0 for rate in rates if rate.predicted}
        return estimated, {rate.next_funding_time or 0 for rate in rates if not rate.predicted}

    estimated, paid = asyncio.run(settled())
    assert len(paid) >= 2
    assert sorted(paid) == list(range(min(paid), max(paid) + 1, 2 * 10**9))
    # The last estimate is of a settlement still to come; one may pass between two estimates.
    assert estimated - {max(estimated)} <= paid


@pytest.mark.parametrize(
    ("exchange", "symbol", "settings"),
    [
        ("binance", "BTCUSDT", {}),
        ("binance-usdm", "BTCUSDT", {}),
        ("okx", "BTC-USDT", {}),
        ("okx", "BTC-USDT", {"trade_stream": "trades-all"}),
    ],
)
def test_what_happened_between_two_runs_is_fetched_page_by_page(
    exchange: str, symbol: str, settings: Mapping[str, Any], tmp_path: Path
) -> None:
    wanted = [f"{exchange}:trade:{symbol}"]

    async def twice() -> Verdict:
        truth_file = tmp_path / "truth.jsonl"
        async with simulated([exchange], rate=8000, run_s=10.0, truth_file=truth_file) as simulation:
            async with running(simulation, exchange, wanted, settings, tmp_path):
                await asyncio.sleep(2.0)
            await asyncio.sleep(4.0)
            async with running(simulation, exchange, wanted, settings, tmp_path):
                await simulation.quiet()
                await asyncio.sleep(_SETTLE_S)
            return await judged(await simulation.stop(), wanted, tmp_path)

    verdict = asyncio.run(twice())
    assert verdict.findings == []
    assert (verdict.lost, verdict.in_gaps, verdict.gaps) == (0, 0, 0)
    assert verdict.backfilled > 1000


@pytest.mark.parametrize(("exchange", "symbol"), [("binance", "BTCUSDT"), ("okx", "BTC-USDT")])
def test_what_an_earlier_run_could_not_fetch_is_fetched_by_the_next(exchange: str, symbol: str, tmp_path: Path) -> None:
    wanted = [f"{exchange}:trade:{symbol}"]

    async def twice() -> tuple[int, Verdict]:
        truth_file = tmp_path / "truth.jsonl"
        faults = {"drop": "0.1", "until": "3"}
        async with simulated([exchange], rate=1000, run_s=7.0, faults=faults, truth_file=truth_file) as simulation:
            async with running(simulation, exchange, wanted, {"backfill_events": 0}, tmp_path):
                await asyncio.sleep(3.5)
            standing = [item for item in await store_in(tmp_path).coverage() if item.state == "gap"]
            async with running(simulation, exchange, wanted, {}, tmp_path):
                await simulation.quiet()
                await asyncio.sleep(_SETTLE_S)
            return len(standing), await judged(await simulation.stop(), wanted, tmp_path)

    standing, verdict = asyncio.run(twice())
    assert standing > 0
    assert verdict.findings == []
    assert (verdict.lost, verdict.in_gaps, verdict.gaps) == (0, 0, 0)


def test_a_candle_that_closed_between_two_runs_is_fetched_though_none_was_stored_before(tmp_path: Path) -> None:
    wanted = ["okx:candle_1m:BTC-USDT", "okx:trade:BTC-USDT"]

    async def twice() -> Verdict:
        truth_file = tmp_path / "truth.jsonl"
        # Stop within the first minute, start again in the next.
        await asyncio.sleep((75 - time.time() % 60) % 60)
        async with simulated(["okx"], rate=200, run_s=60.0, truth_file=truth_file) as simulation:
            async with running(simulation, "okx", wanted, {}, tmp_path):
                await asyncio.sleep(5.0)
            await asyncio.sleep(45.0)
            async with running(simulation, "okx", wanted, {}, tmp_path):
                await simulation.quiet()
                await asyncio.sleep(_SETTLE_S)
            return await judged(await simulation.stop(), wanted, tmp_path)

    verdict = asyncio.run(twice())
    assert verdict.findings == []
    assert (verdict.lost, verdict.in_gaps, verdict.gaps) == (0, 0, 0)
