"""What every test here needs: a folder, and sinks that are opened, used and closed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jrr_parquet import ParquetSink, StorageConfig

from jrr_core.events import Trade
from jrr_core.sink import WriteResult

T0 = 1_700_000_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "market"


@pytest.fixture
def use(folder: Path) -> Callable[..., Any]:
    """Open the store, await a step with the sink, close it; return what the step gave."""

    def run(step: Callable[[ParquetSink], Awaitable[Any]], **settings: Any) -> Any:
        async def main() -> Any:
            sink = ParquetSink(StorageConfig(path=str(folder), **settings))
            try:
                await sink.open()
                return await step(sink)
            finally:
                await sink.close()

        return asyncio.run(main())

    return run


@pytest.fixture
def store(use: Callable[..., Any]) -> Callable[..., list[WriteResult]]:
    """Open the store, write the batches in order, close it; return what each write said."""

    def write(*batches: Sequence[Any], **settings: Any) -> list[WriteResult]:
        async def all_of_them(sink: ParquetSink) -> list[WriteResult]:
            return [await sink.write(batch) for batch in batches]

        written: list[WriteResult] = use(all_of_them, **settings)
        return written

    return write


@pytest.fixture
def trade() -> Callable[..., Trade]:
    """Make the trade of a number."""

    def make(number: int, symbol: str = "BTCUSDT", **more: Any) -> Trade:
        values: dict[str, Any] = {"price": Decimal("61837.630"), "amount": Decimal("0.0120"), "side": "buy"}
        values |= {"trade_id": str(number), "ts_event": T0 + number, **more}
        return Trade("sim", symbol, ts_recv=T0 + number + 5, **values)

    return make
