"""What is lost on the way is fetched again over real sockets: every trade and candle of the market is stored once."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core import ManagerBuilder
from jrr_core.plugins import Plugins
from jrr_core.subscription import Subscription
from jrr_core.testing.child import simulated
from jrr_core.testing.verdict import Verdict, judge, numberings_of

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

_RUN_S = 6.0
# Faults end before the market does: behind its last event nothing could show that it is missing.
_FAULTS_S = 3.5
# Enough for the last hole to be noticed, asked for and stored.
_SETTLE_S = 4.0


async def collected(
    exchange: str, wanted: Sequence[str], faults: Mapping[str, str], settings: Mapping[str, str], folder: Path
) -> Verdict:
    """Collect a few seconds of `wanted` under the faults; return what the store is worth."""
    truth_file, store = folder / "truth.jsonl", SqliteSink(StorageConfig(path=str(folder / "market.db")))
    faults = {**faults, "until": f"{_FAULTS_S:g}"}
    async with simulated([exchange], rate=400, run_s=_RUN_S, faults=faults, truth_file=truth_file) as simulation:
        urls = {"ws_url": simulation.ws_urls[exchange], "rest_url": simulation.rest_urls[exchange]}
        manager = await ManagerBuilder().add_exchange(exchange, **urls, **settings).add_sink(store).build()
        await manager.subscribe(wanted)
        running = asyncio.create_task(manager.run())
        await simulation.quiet()
        await asyncio.sleep(_SETTLE_S)
        await manager.stop()
        await running
        truth = await simulation.stop()
    read = SqliteSink(StorageConfig(path=str(folder / "market.db")))
    subscriptions = [Subscription.parse(text) for text in wanted]
    return await judge(truth, read, subscriptions, numberings=numberings_of(Plugins.load().connectors))


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
    exchange: str, wanted: Sequence[str], faults: Mapping[str, str], settings: Mapping[str, str], tmp_path: Path
) -> None:
    named = [f"{exchange}:{text}" for text in wanted]
    verdict = asyncio.run(collected(exchange, named, faults, settings, tmp_path))
    assert verdict.findings == []
    assert (verdict.lost, verdict.in_gaps, verdict.gaps) == (0, 0, 0)
    assert verdict.backfilled > 0
    assert verdict.stored > 50
