"""Other programs read the folder while it grows: each row once, whenever they look."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pytest
from jrr_parquet import ParquetSink

from jrr_core.events import Trade

Run = Callable[..., Any]


def by_duckdb(folder: Path) -> list[str]:
    sql = f"SELECT trade_id FROM read_parquet('{folder}/trades/**/*.parquet')"
    return [trade_id for (trade_id,) in duckdb.connect().execute(sql).fetchall()]


def by_pandas(folder: Path) -> list[str]:
    return [*pandas.read_parquet(folder / "trades", columns=["trade_id"])["trade_id"]]


def by_polars(folder: Path) -> list[str]:
    return polars.scan_parquet(folder / "trades").select("trade_id").collect()["trade_id"].to_list()


@pytest.mark.parametrize("read", [by_duckdb, by_pandas, by_polars])
def test_readers_see_each_row_once_while_files_come(
    use: Run, folder: Path, trade: Run, read: Callable[[Path], list[str]]
) -> None:
    today = time.time_ns()

    async def step(sink: ParquetSink) -> None:
        seen: list[int] = []
        number = 0
        while len(set(seen)) < 8:
            await sink.write([trade(number + n, ts_event=today + number + n) for n in range(50)])
            number += 50
            if any(folder.glob("trades/**/*.parquet")):
                ids = sorted(map(int, await asyncio.to_thread(read, folder)))
                assert ids == [*range(len(ids))]
                seen.append(len(ids))
            own = [int(event.trade_id) async for event in sink.read(Trade)]
            assert own == [*range(number)]
        assert seen == sorted(seen)

    use(step, roll_s=0.005)
    ids = read(folder)
    assert len(ids) == len(set(ids))
