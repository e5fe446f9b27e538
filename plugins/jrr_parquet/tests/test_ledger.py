"""Coverage: ranges change with the transaction that holds their events, and not with one that failed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jrr_parquet.journal import FOLDER, prepare
from jrr_parquet.ledger import Ledger, ranges, table

from jrr_core.events import Connected, Gap

S = 10**9
CONNECTED = Connected("sim", "A", None, 10 * S, "trade", "s1", ts_from=10 * S)
GAP = Gap("sim", "A", None, 30 * S, "trade", "s1", "sequence", 2, 20 * S, 25 * S)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    (tmp_path / FOLDER).mkdir()
    with closing(prepare(tmp_path, 1)) as connection:
        yield connection


def drawn(db: sqlite3.Connection) -> list[tuple[str, int, int]]:
    return [(item.state, item.ts_from // S, item.ts_to // S) for item in ranges(db)]


def test_live_ranges_grow_by_heartbeats_of_a_second(db: sqlite3.Connection) -> None:
    ledger = Ledger(db)
    ledger.write([CONNECTED])
    ledger.commit()
    for ts in (15 * S, 15 * S + 1, 17 * S):
        ledger.heartbeat(ts)
    assert drawn(db) == [("complete", 10, 17)]


def test_a_transaction_that_failed_leaves_sessions_as_they_were(db: sqlite3.Connection) -> None:
    ledger = Ledger(db)
    db.execute("BEGIN")
    ledger.write([CONNECTED])
    db.execute("ROLLBACK")
    ledger.rollback()
    ledger.heartbeat(20 * S)
    assert drawn(db) == []
    ledger.write([CONNECTED])
    ledger.commit()
    ledger.heartbeat(22 * S)
    assert drawn(db) == [("complete", 10, 22)]


def test_a_ledger_opened_later_goes_on_from_the_stored_ranges(db: sqlite3.Connection) -> None:
    first = Ledger(db)
    first.write([CONNECTED, GAP])
    first.end(40 * S)
    first.commit()
    assert drawn(db) == [("complete", 10, 20), ("gap", 20, 25), ("complete", 25, 40)]
    again = Ledger(db)
    again.write([Connected("sim", "A", None, 50 * S, "trade", "s2", ts_from=50 * S)])
    assert drawn(db)[2:] == [("complete", 25, 40), ("gap", 40, 50), ("complete", 50, 50)]
    assert table(db)["reason"] == ("string", [None, "sequence", "not running", "not running", None])
