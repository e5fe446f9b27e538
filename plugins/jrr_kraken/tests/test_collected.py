"""The simulated Kraken collected over real sockets into SQLite: nothing lost in silence, breaks recorded and mended."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from jrr_kraken.simulator import KrakenScript
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.testing.collected import Collected, collected

pytestmark = pytest.mark.e2e


def collect(wanted: Sequence[str], folder: Path, faults: Mapping[str, str], run_s: float) -> Collected:
    def sink() -> SqliteSink:
        return SqliteSink(StorageConfig(path=str(folder / "market.db")))

    streams = [f"kraken:{stream}" for stream in wanted]
    return asyncio.run(collected(KrakenScript, streams, sink(), sink, faults=faults, run_s=run_s, settle_s=0.6))


def test_without_faults_everything_is_stored_and_every_book_is_the_markets(tmp_path: Path) -> None:
    run = collect(("trade:BTC/USD", "book:BTC/USD", "quote:BTC/USD", "book_snapshot_5:ETH/USD"), tmp_path, {}, 1.0)
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert run.gaps == []
    assert run.verdict.stored == run.verdict.sent - run.verdict.outside > 10
    assert run.verdict.books_checked == 100


def test_a_lost_update_is_found_by_its_checksum_and_a_lost_connections_trades_are_fetched(tmp_path: Path) -> None:
    """The exchange asks for five seconds between two connections, so the run takes longer than that."""
    faults = {"gap": "0.2", "reset": "0.6", "until": "0.9"}
    run = collect(("trade:BTC/USD", "book:BTC/USD"), tmp_path, faults, 6.2)
    assert run.verdict.clean, run.verdict.findings
    assert run.even
    assert run.verdict.lost == run.verdict.in_gaps == run.verdict.duplicates == 0
    assert run.verdict.backfilled > 50
    assert "the checksum does not agree" in {gap.reason for gap in run.gaps if gap.what == "book"}
    assert run.verdict.books_checked > 5
