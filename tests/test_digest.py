"""Equal rows give equal digests, whatever their order and the zeros behind their numbers; others do not."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.digest import Digest, digests, total
from jrr_core.events import BookSnapshot, Message, Trade
from jrr_core.levels import Levels
from jrr_core.store import Selection

TRADE = Trade("x", "A", 5, 6, Decimal("1.50"), Decimal("2"), "buy", "1")
OTHER = evolve(TRADE, trade_id="2")
BOOK = BookSnapshot("x", "A", 5, 6, Levels([("1.50", "2")]), Levels([("1.60", "3.0")]), None, 7)


def digest_of(folder: Path, events: Iterable[Message], chosen: Selection = Selection()) -> Any:  # noqa: B008
    async def stored() -> Any:
        sink = SqliteSink(StorageConfig(path=str(folder / f"{len(list(folder.iterdir()))}.db")))
        await sink.open()
        await sink.write(list(events))
        await sink.close()
        return {part: (each.rows, each.text) for part, each in (await digests(sink, chosen)).items()}

    return asyncio.run(stored())


def test_order_and_zeros_do_not_count(tmp_path: Path) -> None:
    zeros = evolve(TRADE, price=Decimal("1.5000"), amount=Decimal("2.0"))
    levels = evolve(BOOK, bids=Levels([("1.5", "2.00")]), asks=Levels([("1.600", "3")]))
    assert digest_of(tmp_path, [TRADE, OTHER, BOOK]) == digest_of(tmp_path, [levels, OTHER, zeros])


@pytest.mark.parametrize(
    "changed",
    [{"price": Decimal("1.51")}, {"amount": Decimal("20")}, {"side": "sell"}, {"side": None}, {"ts_recv": 7},
     {"trade_id": "3"}, {"kind": "adl"}, {"symbol": "B"}],
)  # fmt: skip
def test_everything_in_a_row_counts(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert digest_of(tmp_path, [evolve(TRADE, **changed)]) != digest_of(tmp_path, [TRADE])


def test_a_row_too_few_shows(tmp_path: Path) -> None:
    whole, less = digest_of(tmp_path, [TRADE, OTHER]), digest_of(tmp_path, [TRADE])
    assert (whole[("x", "trade")][0], less[("x", "trade")][0]) == (2, 1)
    assert whole != less


def test_parts_add_up() -> None:
    one, two, both = Digest(), Digest(), Digest()
    one.add(["a"])
    two.add(["b"])
    both.add(["b"])
    both.add(["a"])
    assert total([one, two]) == both
    assert len(both.text) == 64
