"""The relations and columns on the page of stores are those of a store, and the queries shown there run."""

import asyncio
import re
import sqlite3
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import pytest
from attrs import evolve
from jrr_parquet import ParquetSink
from jrr_parquet import StorageConfig as ParquetConfig
from jrr_postgres import PostgresSink
from jrr_postgres import StorageConfig as PostgresConfig
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.events import MARKET_EVENTS, Candle
from jrr_core.instrument import Instrument
from jrr_core.testing.samples import samples

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "stores.md").read_text("utf-8")
RELATIONS = {
    name: set(re.findall(r"`(\w+)`", columns))
    for name, columns in re.findall(r"^\| `(\w+)` \| (`exchange`.*) \|$", PAGE, re.MULTILINE)
}
COLUMNS = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'jrr' AND table_name = $1"
TIMES = {"ts_event", "ts_recv", "open_time", "close_time", "next_funding_time", "ts_from", "ts_to"}
SHOWN = [
    query
    for page in (ROOT / "README.md", ROOT / "docs" / "quickstart.md", ROOT / "docs" / "stores.md")
    for query in re.findall(r'"(SELECT [^"]+)"|^(?=SELECT )([^;]+);', page.read_text("utf-8"), re.MULTILINE)
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Yield a store with some of every market event."""
    file = tmp_path_factory.mktemp("store") / "market.db"

    async def fill() -> None:
        sink = SqliteSink(StorageConfig(path=str(file)))
        await sink.open()
        for kind in MARKET_EVENTS:
            await sink.write(samples(kind))
        await sink.close()

    asyncio.run(fill())
    with closing(sqlite3.connect(file)) as connection:
        yield connection


def test_the_page_has_a_relation_for_every_event() -> None:
    assert len(RELATIONS) == len(MARKET_EVENTS) + 2


@pytest.mark.parametrize("relation", RELATIONS)
def test_columns_on_the_page_are_in_the_store(relation: str, store: sqlite3.Connection) -> None:
    there = {description[0] for description in store.execute(f"SELECT * FROM {relation}").description}
    assert RELATIONS[relation] <= there


def test_the_parquet_example_reads_a_store_with_the_columns_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    async def fill() -> None:
        sink = ParquetSink(ParquetConfig())
        await sink.open()
        for kind in (*MARKET_EVENTS, Instrument):
            await sink.write(samples(kind))
        await sink.close()

    asyncio.run(fill())
    (example,) = [block for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S) if "parquet" in block]
    exec(example, {})
    assert "61837.630" in capsys.readouterr().out
    for relation, columns in RELATIONS.items():
        found = duckdb.connect().read_parquet(f"market-parquet/{relation}/**/*.parquet", hive_partitioning=True)
        assert columns <= {*found.columns}


QUERIES = [quoted or block for quoted, block in SHOWN]


@pytest.mark.parametrize("query", [query for query in QUERIES if "jrr." not in query])
def test_queries_on_pages_run(query: str, store: sqlite3.Connection) -> None:
    store.execute(query).fetchall()


def test_columns_and_queries_on_the_page_are_those_of_postgresql(dsn: str) -> None:
    async def check() -> None:
        sink = PostgresSink(PostgresConfig(dsn=dsn, compact=False))
        await sink.open()
        for kind in MARKET_EVENTS:
            await sink.write(samples(kind))
        await sink.close()
        connection = await asyncpg.connect(dsn)
        for relation, columns in RELATIONS.items():
            found = await connection.fetch(COLUMNS, relation)
            types = dict(map(tuple, found))
            assert columns <= set(types), relation
            for name in set(types) & TIMES:
                assert (types[name], types[f"{name}_ns"]) == ("timestamp with time zone", "bigint"), (relation, name)
            assert {types[name] for name in set(types) & {"price", "amount", "open", "rate", "mark_price"}} <= {
                "numeric"
            }
            assert {types[name] for name in set(types) & {"bids", "asks"}} <= {"jsonb"}
        for query in QUERIES:
            if "jrr." in query:
                await connection.fetch(query)
        await connection.close()

    asyncio.run(check())


def test_candles_of_postgresql_become_a_data_frame(dsn: str) -> None:
    (code,) = re.findall(r"^```python\n([^`]*Queries[^`]*)^```", PAGE, re.MULTILINE)
    code = code.replace("StorageConfig()", "StorageConfig(dsn=dsn)")
    scope: dict[str, Any] = {}
    exec(f"async def run(dsn):\n{textwrap.indent(code, '    ')}    return candles\n", scope)

    candles = [candle for candle in samples(Candle) if candle.interval == "1m" and candle.closed]

    async def run() -> Any:
        sink = PostgresSink(PostgresConfig(dsn=dsn, compact=False))
        await sink.open()
        await sink.write([evolve(candle, exchange="binance", symbol="BTCUSDT") for candle in candles])
        await sink.close()
        return await scope["run"](dsn)

    frame = asyncio.run(run())
    assert [stamp.value for stamp in frame.index] == sorted({candle.open_time for candle in candles})
    assert str(frame["close"].dtype) == "float64"


def test_queries_are_found_on_the_pages() -> None:
    assert len(SHOWN) >= 7
