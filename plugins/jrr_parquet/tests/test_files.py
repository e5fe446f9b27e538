"""Files of a partition: whole, unchanging, and telling what they hold."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from jrr_parquet import files
from jrr_parquet.relations import BY_NAME, Row

TRADES = BY_NAME["trades"]
Add = Callable[..., None]


def row(number: int, ts: int = 0) -> Row:
    return (ts or number, number, "1.0", "2", None, str(number), 1, None, None)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "trades" / "symbol=A"


@pytest.fixture
def add(place: Path, tmp_path: Path) -> Add:
    def put(*lots: tuple[int, Sequence[Row]], store: str = "this") -> None:
        files.add(place, TRADES, lots, store, tmp_path)

    return put


def ids(path: Path) -> list[str]:
    return [str(value) for value in pyarrow.parquet.ParquetFile(path).read()["trade_id"].to_pylist()]


def test_each_addition_is_a_file_that_stays_as_it_is(add: Add, place: Path) -> None:
    add((1, [row(1), row(2)]), (2, [row(3)]))
    before = (place / "000000.parquet").read_bytes()
    add((5, [row(4)]))
    assert [(path.name, ids(path)) for path in files.files(place)] == [
        ("000000.parquet", ["1", "2", "3"]),
        ("000001.parquet", ["4"]),
    ]
    assert (place / "000000.parquet").read_bytes() == before


def test_lots_that_a_file_holds_already_are_left_out(add: Add, place: Path) -> None:
    add((1, [row(1)]), (2, [row(2)]))
    add((1, [row(1)]), (2, [row(2)]))
    add((1, [row(1)]), (2, [row(2)]), (3, [row(3)]))
    assert [ids(path) for path in files.files(place)] == [["1", "2"], ["3"]]


def test_numbers_of_another_store_mean_nothing(add: Add, place: Path) -> None:
    add((900, [row(1)]), store="that")
    add((1, [row(2)]))
    assert [ids(path) for path in files.files(place)] == [["1"], ["2"]]


def test_rows_are_in_order_of_time_and_of_one_time_as_they_came(add: Add, place: Path) -> None:
    add((1, [row(5, 50), row(9, 10)]), (2, [row(1, 50), row(2, 20)]))
    assert ids(files.files(place)[0]) == ["9", "2", "5", "1"]


def test_a_failure_leaves_the_folder_as_it_was(add: Add, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add((1, [row(1)]))

    def full(fd: int) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="no space"):
            add((2, [row(2)]))
    assert [ids(path) for path in files.files(place)] == [["1"]]
    add((2, [row(2)]))
    assert [ids(path) for path in files.files(place)] == [["1"], ["2"]]


def test_files_are_compressed_by_zstd(add: Add, place: Path) -> None:
    add((1, [row(1)]))
    told: Any = pyarrow.parquet.ParquetFile(files.files(place)[0]).metadata
    assert {told.row_group(0).column(at).compression for at in range(told.num_columns)} == {"ZSTD"}
