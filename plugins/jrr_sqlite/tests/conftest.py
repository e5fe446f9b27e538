"""What every test here needs: a sink on a fresh file, events to put in, and all that is in it."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.events import (
    Backfilled,
    BookDelta,
    BookSnapshot,
    Candle,
    Connected,
    Disconnected,
    FundingRate,
    Gap,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Trade,
)
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels
from jrr_core.sink import WriteResult

T0 = 1_700_000_000_000_000_000
AT = ("sim", "BTCUSDT", T0, T0 + 5)
ONE, TWO = Decimal("1.50"), Decimal("0.00020000")
BIDS, ASKS = Levels([("61837.63000000", "3.788"), ("61837", "0")]), Levels([("61838.00", "1e-3")])


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "market.db")


@pytest.fixture
def store(path: str) -> Callable[..., list[WriteResult]]:
    """Open the file, write the batches in order, close it; return what each write said."""

    def write(*batches: Sequence[Any], **settings: Any) -> list[WriteResult]:
        async def run() -> list[WriteResult]:
            sink = SqliteSink(StorageConfig(path=path, **settings))
            await sink.open()
            try:
                return [await sink.write(batch) for batch in batches]
            finally:
                await sink.close()

        return asyncio.run(run())

    return write


@pytest.fixture
def one_of_each() -> list[Any]:
    """One of every event and an instrument, with fields both filled and empty among them."""
    return [
        Trade(*AT, ONE, TWO, "buy", "5000000001"),
        Trade(*AT, ONE, TWO, None, "0012", 3, "block", "agg"),
        Quote(*AT, ONE, TWO, None, None, 77),
        Quote(*AT, None, None, ONE, TWO, None),
        BookSnapshot(*AT, BIDS, ASKS, None, 12),
        BookSnapshot(*AT, BIDS, Levels(), 5, None, True),
        BookDelta(*AT, BIDS, ASKS, 11, 13, None),
        BookDelta(*AT, Levels(), ASKS, None, 14, 13),
        Candle(*AT, "1m", T0, T0 + 60, ONE, ONE, ONE, ONE, TWO, None, None, True),
        Candle(*AT, "1s", T0, None, ONE, ONE, ONE, ONE, TWO, ONE, 4, True),
        FundingRate(*AT, Decimal("-0.00010000"), T0 + 9, True),
        FundingRate("sim", "BTCUSDT", None, T0, Decimal("1E+3"), None, False),
        MarkPrice(*AT, ONE, None),
        MarkPrice("sim", "BTCUSDT", None, T0, ONE, TWO),
        OpenInterest(*AT, ONE, TWO),
        Liquidation(*AT, ONE, TWO, "sell", None),
        Liquidation(*AT, ONE, TWO, None, "x1"),
        Connected("sim", "BTCUSDT", None, T0, "trade", "s1", ts_from=T0),
        Gap(*AT, "trade", "s1", "sequence", 2, T0 + 10, T0 + 20, (4, 5)),
        Backfilled(*AT, "trade", "s1", None, 2, T0 + 10, T0 + 20, (4, 5)),
        Disconnected("sim", "BTCUSDT", None, T0 + 30, "trade", "s1", "closed", ts_to=T0 + 30),
        Instrument("sim", "BTCUSDT", "BTC", "USDT", None, "spot", TWO, ONE, None, None, "BTC-USDT", None, "TRADING"),
        Instrument("sim", "BTC-P", "BTC", "USDT", "USDT", "perpetual", TWO, None, ONE, "BTC", "BTC-USDT-PERP",
                   T0, "", False),
    ]  # fmt: skip
