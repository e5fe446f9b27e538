"""Other programs read the file while it is being written: pandas, the command-line shell, DuckDB."""

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.events import Trade

SQL = "SELECT count(*) AS n, min(price) AS price FROM trades WHERE symbol = 'BTCUSDT'"


def while_writing(path: str, read: Callable[[], tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return what `read` gives after each of three batches, the sink open all the while."""

    async def main() -> list[tuple[Any, ...]]:
        sink = SqliteSink(StorageConfig(path=path))
        await sink.open()
        seen = []
        price = Decimal("61837.63000000")
        for batch in range(3):
            await sink.write(
                [Trade("sim", "BTCUSDT", 1, 2, price, price, "buy", str(batch * 100 + n)) for n in range(100)]
            )
            seen.append(await asyncio.to_thread(read))
        await sink.close()
        return seen

    return asyncio.run(main())


EXPECTED = [(100, "61837.63000000"), (200, "61837.63000000"), (300, "61837.63000000")]


def test_pandas_reads_while_it_is_written(path: str) -> None:
    def read() -> tuple[Any, ...]:
        with closing(sqlite3.connect(path)) as connection:
            frame = pandas.read_sql(SQL, connection)
        return int(frame["n"][0]), str(frame["price"][0])

    assert while_writing(path, read) == EXPECTED


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the sqlite3 shell is not installed")
def test_the_shell_reads_while_it_is_written(path: str) -> None:
    def read() -> tuple[Any, ...]:
        done = subprocess.run(["sqlite3", "-readonly", path, SQL], capture_output=True, text=True, check=True)
        number, price = done.stdout.strip().split("|")
        return int(number), price

    assert while_writing(path, read) == EXPECTED


def test_duckdb_reads_while_it_is_written(path: str) -> None:
    # The extension comes as a package of the same version as duckdb: INSTALL would download it.
    found = find_spec("duckdb_extension_sqlite_scanner")
    assert found is not None
    assert found.submodule_search_locations is not None
    package = Path(found.submodule_search_locations[0])
    (extension,) = package.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")

    def read() -> tuple[Any, ...]:
        with closing(duckdb.connect()) as connection:
            connection.execute(f"LOAD '{extension}'")
            connection.execute(f"ATTACH '{path}' AS market (TYPE sqlite, READ_ONLY)")
            row = connection.execute(SQL.replace("trades", "market.trades")).fetchone()
        assert row is not None
        return row

    assert while_writing(path, read) == EXPECTED
