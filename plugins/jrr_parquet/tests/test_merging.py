"""Merging: few files for many, every row kept, and no moment at which a listing is wrong."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from jrr_parquet import ParquetSink, files
from jrr_parquet.merging import merge, tidy
from jrr_parquet.relations import BY_NAME

from jrr_core.events import Trade

Run = Callable[..., Any]
TRADES = BY_NAME["trades"]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="merging needs renameat2")


def fill(place: Path, scratch: Path, numbers: range) -> None:
    for number in numbers:
        row = (number, number, "1.0", "2", None, str(number), 1, None, None)
        files.add(place, TRADES, [(number + 1, [row])], "this", scratch)


def stored(path: Path) -> list[int]:
    return [int(value) for value in pyarrow.parquet.ParquetFile(path).read()["trade_id"].to_pylist()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "trades" / "symbol=A" / "date=2024-01-01"


def test_files_become_one_that_tells_of_the_same_lots(place: Path, tmp_path: Path) -> None:
    fill(place, tmp_path, range(5))
    merge(place, TRADES, "this", tmp_path, 10**6)
    (merged,) = files.files(place)
    assert (merged.name, stored(merged)) == ("000005.parquet", [0, 1, 2, 3, 4])
    fill(place, tmp_path, range(3, 6))
    assert [stored(path) for path in files.files(place)] == [[0, 1, 2, 3, 4], [5]]


def test_files_of_the_wanted_size_are_kept(place: Path, tmp_path: Path) -> None:
    fill(place, tmp_path, range(4))
    size = sum([path.stat().st_size for path in files.files(place)[:2]])
    merge(place, TRADES, "this", tmp_path, size)
    assert [stored(path) for path in files.files(place)] == [[0, 1], [2, 3]]
    before = files.files(place)
    merge(place, TRADES, "this", tmp_path, 1)
    assert files.files(place) == before


def test_a_listing_that_has_begun_comes_to_its_end(place: Path, tmp_path: Path) -> None:
    fill(place, tmp_path, range(3))
    before = [path.name for path in files.files(place)]
    listing = os.open(place, os.O_RDONLY)
    merge(place, TRADES, "this", tmp_path, 10**6)
    assert sorted(os.listdir(listing)) == before
    os.close(listing)
    assert not (place / before[0]).exists()


def test_what_was_replaced_is_removed_later(place: Path, tmp_path: Path) -> None:
    fill(place, tmp_path, range(3))
    merge(place, TRADES, "this", tmp_path, 10**6)
    assert len([*tmp_path.glob("replaced/*/*.parquet")]) == 3
    tidy(tmp_path)
    tidy(tmp_path)
    assert not (tmp_path / "replaced").exists()
    assert [stored(path) for path in files.files(place)] == [[0, 1, 2]]


def test_no_listing_shows_a_row_twice_or_not_at_all(place: Path, tmp_path: Path) -> None:
    fill(place, tmp_path, range(6))
    done = threading.Event()
    wrong: list[list[str]] = []
    seen: set[int] = set()

    def watch() -> None:
        names = ["000000", "000001", "000002", "000003", "000004", "000005"]
        whole = [names, ["000006"]]
        while not done.is_set():
            listed = sorted([path.stem for path in place.iterdir()])
            seen.add(len(listed))
            if listed not in whole:
                wrong.append(listed)

    watcher = threading.Thread(target=watch)
    watcher.start()
    merge(place, TRADES, "this", tmp_path, 10**6)
    while 1 not in seen:
        pass
    done.set()
    watcher.join()
    assert not wrong
    assert seen == {1, 6}


def test_a_store_merges_dates_that_are_over_and_reads_the_same(use: Run, folder: Path, trade: Run) -> None:
    async def step(sink: ParquetSink) -> None:
        number, merged = 0, False
        while not merged:
            await sink.write([trade(number)])
            number += 1
            names = [path.stem for path in folder.glob("trades/**/*.parquet")]
            merged = bool(names) and "000000" not in names
            assert [int(event.trade_id) async for event in sink.read(Trade)] == [*range(number)]

    use(step, roll_s=0.005)


def test_a_damaged_file_of_an_old_date_stops_nothing(
    use: Run, store: Run, folder: Path, trade: Run, caplog: pytest.LogCaptureFixture
) -> None:
    store([trade(1)])
    store([trade(2)])
    damaged = min(folder.glob("trades/**/*.parquet"))
    damaged.write_bytes(b"PAR1 and nothing more")

    async def step(sink: ParquetSink) -> None:
        number = 3
        while not caplog.records:
            await sink.write([trade(number)])
            number += 1

    use(step, roll_s=0.005)
    assert f"{damaged.parent} is not merged" in caplog.text
    assert damaged.read_bytes() == b"PAR1 and nothing more"
