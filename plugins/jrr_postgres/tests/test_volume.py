"""What streams weigh: all bytes of the relations are shared out, to rows and to blocks."""

import asyncio
from datetime import date
from typing import Any

import pytest
from jrr_postgres.tables import TABLES
from jrr_postgres.testing import fetch, opened, pack
from jrr_postgres.volume import ROW_BYTES

from jrr_core.events import MARKET_EVENTS
from jrr_core.testing import samples
from jrr_core.volume import StreamVolume, family

_SIZE = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('jrr.{}')"


def volumes(dsn: str, packed: bool) -> tuple[list[StreamVolume], int]:
    """Return what is said of 3000 trades of one symbol and 1000 of another, and the bytes there are of them."""

    async def run() -> tuple[list[StreamVolume], int]:
        async with opened(dsn) as sink:
            await sink.write([samples.trade(n) for n in range(3000)])
            await sink.write([samples.trade(n, symbol=samples.SWAP) for n in range(1000)])
            if packed:
                await pack(dsn, date(2024, 1, 2))
            ((size,),) = await fetch(dsn, _SIZE.format("packed_trades" if packed else "stored_trades"))
            return [*await sink.volume()], size

    return asyncio.run(run())


@pytest.mark.parametrize("packed", [False, True], ids=["rows", "blocks"])
def test_all_bytes_of_a_relation_are_shared_out(packed: bool, dsn: str) -> None:
    found, size = volumes(dsn, packed)
    spot, swap = sorted(found, key=lambda item: item.symbol)
    assert [(item.exchange, item.channel, item.symbol, item.rows) for item in (spot, swap)] == [
        ("example", "trade", samples.SPOT, 3000), ("example", "trade", samples.SWAP, 1000),
    ]  # fmt: skip
    assert size - 2 <= spot.bytes + swap.bytes <= size
    first, last = samples.trade(0), samples.trade(2999)
    if packed:  # a block knows when its events happened
        assert spot.ts_from <= first.ts_recv
        assert last.ts_event is not None
        assert spot.ts_to >= last.ts_event
    else:
        assert spot.bytes == pytest.approx(3 * swap.bytes, rel=0.05)
        assert (spot.ts_from, spot.ts_to) == (first.ts_recv, last.ts_recv)


def test_blocks_take_a_small_part_of_the_rows(dsn: str) -> None:
    """Their pages are few here, so the whole of their relation weighs more than the blocks."""
    found, _ = volumes(dsn, packed=True)
    assert sum(item.bytes for item in found) < 4000 * ROW_BYTES["trade"].fresh / 3


def test_every_channel_has_a_size_known_ahead() -> None:
    assert {table.event for table in TABLES} == {*MARKET_EVENTS}
    events: list[Any] = [samples.samples(kind)[0] for kind in MARKET_EVENTS]
    assert {family(event.channel) for event in events} <= ROW_BYTES.keys()
