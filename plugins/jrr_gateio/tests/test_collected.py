"""The simulated Gate collected over real sockets into SQLite: nothing lost in silence, breaks recorded and mended."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from jrr_gateio.simulator import FuturesScript, SpotScript
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.testing.collected import Collected, collected
from jrr_core.testing.script import Script

pytestmark = pytest.mark.e2e


def collect(
    script: type[Script], wanted: Sequence[str], folder: Path, faults: Mapping[str, str], **settings: str
) -> Collected:
    def sink() -> SqliteSink:
        return SqliteSink(StorageConfig(path=str(folder / "market.db")))

    streams = [f"{script.exchange}:{stream}" for stream in wanted]
    run = collected(script, streams, sink(), sink, faults=faults, settings=settings, run_s=1.3, settle_s=0.3)
    return asyncio.run(run)


def test_without_faults_everything_is_stored_and_every_book_is_the_markets(tmp_path: Path) -> None:
    wanted = ("trade:BTC_USDT", "book:BTC_USDT", "quote:BTC_USDT", "mark_price:BTC_USDT", "book_snapshot_5:ETH_USDT")
    run = collect(FuturesScript, wanted, tmp_path, {})
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert run.gaps == []
    assert run.verdict.stored == run.verdict.sent - run.verdict.outside > 10
    assert run.verdict.books_checked > 20


def test_lost_rows_are_recorded_and_the_book_is_whole_again(tmp_path: Path) -> None:
    run = collect(SpotScript, ("trade:BTC_USDT", "book:BTC_USDT"), tmp_path, {"gap": "0.1", "until": "0.7"})
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert {(gap.what, gap.symbol) for gap in run.gaps} <= {("book", "BTC_USDT")}
    assert run.verdict.books_wrong == 0


def test_a_book_begun_over_rest_survives_lost_rows_and_a_lost_connection(tmp_path: Path) -> None:
    faults = {"gap": "0.1", "reset": "0.4", "until": "0.7"}
    wanted = ("trade:BTC_USDT", "book:BTC_USDT")
    run = collect(SpotScript, wanted, tmp_path, faults, book_stream="order_book_update")
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert run.verdict.lost == 0
    assert run.verdict.in_gaps + run.verdict.stored + run.verdict.outside == run.verdict.sent
    assert run.verdict.books_checked > 10
