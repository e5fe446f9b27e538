"""Paths: no name leaves its folder, and DuckDB, pandas and polars decode each to the exact text."""

from pathlib import Path
from urllib.parse import unquote

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.dataset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_parquet import files
from jrr_parquet.partition import Partition, encoded
from jrr_parquet.relations import BY_NAME

HOSTILE = ["../../etc", "a'b\"c", "x\ny", "日本", "a%41", "k=v", "null", "NULL", "NaN", "true", "a b+c", ".", "C:\\x",
           "\0z", "0012", "1e5", "2024-01-01", "x" * 240]  # fmt: skip
TYPES = {"exchange": "string", "channel": "string", "symbol": "string", "date": "date32"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one trade of every hostile symbol, which is also its trade_id."""
    root = tmp_path_factory.mktemp("hostile")
    for symbol in HOSTILE:
        place = Partition("trades", "sim", "trade", symbol, 19_675).folder(root)
        files.add(place, BY_NAME["trades"], [(1, [(1, 2, "1.0", "2", None, symbol, 1, None, None)])], "s", root)
    return root


def test_duckdb_decodes_every_symbol(root: Path) -> None:
    sql = (
        f"SELECT symbol, trade_id FROM read_parquet('{root}/trades/**/*.parquet', hive_types = "
        "{'exchange': VARCHAR, 'channel': VARCHAR, 'symbol': VARCHAR, 'date': DATE})"
    )
    rows = duckdb.connect().execute(sql).fetchall()
    assert sorted(symbol for symbol, _ in rows) == sorted(HOSTILE)
    assert all(symbol == trade_id for symbol, trade_id in rows)


def test_pandas_decodes_every_symbol(root: Path) -> None:
    schema = pyarrow.schema([(name, getattr(pyarrow, type)()) for name, type in TYPES.items()])
    hive = pyarrow.dataset.partitioning(schema, flavor="hive")
    frame = pandas.read_parquet(root / "trades", partitioning=hive)
    assert sorted(frame["symbol"]) == sorted(HOSTILE)
    assert (frame["symbol"] == frame["trade_id"]).all()


def test_polars_decodes_every_symbol(root: Path) -> None:
    schema = {name: polars.Date if name == "date" else polars.String for name in TYPES}
    frame = polars.scan_parquet(root / "trades", hive_partitioning=True, hive_schema=schema).collect()
    assert sorted(frame["symbol"]) == sorted(HOSTILE)
    assert (frame["symbol"] == frame["trade_id"]).all()


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.encode("utf-8", "replace").decode() == text))
def test_an_encoded_name_is_one_part_of_a_path_and_decodes_to_the_text(text: str) -> None:
    name = encoded(text)
    assert unquote(name) == text
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>|\0 ')


@pytest.mark.parametrize("text", ["", "__HIVE_DEFAULT_PARTITION__"])
def test_a_text_that_means_no_value_has_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="stands for no value"):
        encoded(text)


def test_a_name_longer_than_a_folder_may_have_is_refused() -> None:
    with pytest.raises(ValueError, match="255 bytes"):
        Partition("trades", "sim", "trade", "é" * 100, 0).folder(Path())
