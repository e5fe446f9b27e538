"""A row the server refuses is found by halving and kept in quarantine; all others are stored."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from jrr_postgres.testing import fetch

from jrr_core.events import Candle, Connected, Liquidation, Message, Trade

SECOND = 10**9
T0 = 1_700_000_000 * SECOND
ONE = Decimal(1)
# Long and without pattern, so that no compression makes it fit into an index entry.
LONG = Random(1).randbytes(4000).hex()


def trade(number: int, trade_id: str | None = None, **fields: Any) -> Trade:
    made = {"price": ONE, "count": 1, "kind": None, "symbol": "BTCUSDT", "ts": T0 + number, **fields}
    return Trade("sim", made["symbol"], made["ts"], T0 + number, made["price"], ONE, "buy",
                 str(number) if trade_id is None else trade_id, made["count"], made["kind"])  # fmt: skip


def candle(number: int, volume: Decimal = ONE) -> Candle:
    start = T0 + number * 60 * SECOND
    return Candle("sim", "BTCUSDT", start, start, "1m", start, None, ONE, ONE, ONE, ONE, volume, None, None, True)


BAD: dict[str, Message] = {
    "zero byte in text": trade(50, kind="a\x00b"),
    "zero byte in symbol": trade(50, symbol="BTC\x00USDT"),
    "half a surrogate pair": trade(50, kind="\ud800"),
    "number beyond numeric": trade(50, price=Decimal("1e200000")),
    "count beyond int": trade(50, count=2**31),
    "id too long for an index": trade(50, trade_id=LONG),
    "time beyond timestamptz": trade(50, ts=10**21),
    "candle with a number beyond numeric": candle(50, Decimal("1e200000")),
    "stream event with a zero byte": Connected("sim", "BTCUSDT", None, T0, "trade", "s\x001"),
    "stream event with a count beyond bigint": Connected("sim", "BTCUSDT", None, T0, "trade", "s1", None, 2**63),
    "liquidation with a zero byte": Liquidation("sim", "BTCUSDT", T0, T0, ONE, ONE, "buy", "\x00"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("mixed", [False, True], ids=["among trades", "among all kinds"])
def test_a_bad_row_is_kept_in_quarantine_and_the_others_are_stored(
    bad: Message, mixed: bool, dsn: str, collector: Callable[..., Any]
) -> None:
    good: list[Message] = [trade(number) for number in range(100) if number != 50]
    if mixed:
        good[10:10] = [candle(number) for number in range(5)]
        good.append(Connected("sim", "BTCUSDT", None, T0 + 1, "trade", "s2"))

    async def main() -> None:
        async with collector(dsn) as into:
            into.put(*good[:70], bad, *good[70:])
            await into.settled()
            counters = into.counters
            assert (counters.written, counters.quarantined, counters.retries) == (len(good), 1, 0)
            assert into.balanced
            ((reason, row),) = into.kept
            assert reason.startswith("PostgreSQL"), reason
            assert type(bad).__name__ in row
            # The connection and what is remembered of it are as good as before.
            into.put(trade(1000), candle(60), *good[:3])
            await into.settled()
            assert (counters.written, counters.duplicate, counters.retries) == (len(good) + 2, 3, 0)
        assert await fetch(dsn, "SELECT count(*) FROM jrr.trades") == [(100,)]

    asyncio.run(main())
