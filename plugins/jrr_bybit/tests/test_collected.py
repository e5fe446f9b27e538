"""The simulated Bybit collected over real sockets into SQLite: nothing lost in silence, breaks recorded and mended."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from jrr_bybit.simulator import LinearScript, SpotScript
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.testing.collected import Collected, collected
from jrr_core.testing.script import Script

pytestmark = pytest.mark.e2e


def collect(script: type[Script], wanted: Sequence[str], folder: Path, faults: Mapping[str, str]) -> Collected:
    def sink() -> SqliteSink:
        return SqliteSink(StorageConfig(path=str(folder / "market.db")))

    streams = [f"{script.exchange}:{stream}" for stream in wanted]
    return asyncio.run(collected(script, streams, sink(), sink, faults=faults, run_s=1.2, settle_s=0.3))


def test_without_faults_everything_is_stored_and_every_book_is_the_markets(tmp_path: Path) -> None:
    run = collect(
        SpotScript, ("trade:BTCUSDT", "book:BTCUSDT", "quote:BTCUSDT", "book_snapshot_5:ETHUSDT"), tmp_path, {}
    )
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert run.gaps == []
    assert run.verdict.stored == run.verdict.sent - run.verdict.outside > 10
    assert run.verdict.books_checked > 20
    assert run.account["written"] == run.account["published"]


def test_lost_updates_and_a_restart_are_recorded_and_the_book_is_whole_again(tmp_path: Path) -> None:
    faults = {"gap": "0.3", "restart": "0.35", "until": "0.7"}
    run = collect(LinearScript, ("trade:BTCUSDT", "book:BTCUSDT"), tmp_path, faults)
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert {(gap.what, gap.symbol) for gap in run.gaps} == {("book", "BTCUSDT")}
    assert any("restarted" in (gap.reason or "") for gap in run.gaps)
    assert run.verdict.books_wrong == 0
    assert run.verdict.books_checked > 5


def test_a_lost_connection_is_recorded_and_its_trades_are_accounted_for(tmp_path: Path) -> None:
    faults = {"reset": "0.4", "until": "0.7"}
    run = collect(LinearScript, ("trade:BTCUSDT", "book:BTCUSDT", "candle_1m:BTCUSDT"), tmp_path, faults)
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert run.verdict.lost == 0
    assert run.verdict.in_gaps + run.verdict.stored + run.verdict.outside == run.verdict.sent
