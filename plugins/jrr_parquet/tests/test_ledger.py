"""Coverage in the journal: ranges are stored as they change, and gone on from at the next run."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from jrr_parquet.journal import FOLDER, prepare
from jrr_parquet.ledger import put, ranges, table, timelines

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


def test_timelines_opened_later_go_on_from_the_stored_ranges(db: sqlite3.Connection) -> None:
    first = timelines(db)
    first.apply([CONNECTED, GAP])
    first.commit()
    first.end(40 * S)
    put(db, first)
    assert drawn(db) == [("complete", 10, 20), ("gap", 20, 25), ("complete", 25, 40)]
    again = timelines(db)
    again.apply([Connected("sim", "A", None, 50 * S, "trade", "s2", ts_from=50 * S)])
    put(db, again)
    assert drawn(db)[2:] == [("complete", 25, 40), ("gap", 40, 50), ("complete", 50, 50)]
    assert table(db)["reason"] == ("string", [None, "sequence", "not running", "not running", None])
