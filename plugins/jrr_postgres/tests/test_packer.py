"""Rows are cut into blocks of one stream and of bounded size; what has no packed form is left by its place."""

from collections.abc import Sequence
from typing import Any

from jrr_postgres.blocks import unpack
from jrr_postgres.lines import levels_text
from jrr_postgres.packer import Block, Packer
from jrr_postgres.packing import PACKED
from jrr_postgres.tables import Table

from jrr_core.levels import Levels

TABLES: dict[str, Table] = {table.view: table for table in PACKED}
Row = tuple[Any, ...]


def trade(number: int | None, stream: int = 1, price: str = "1.25", usual: bool = True) -> Row:
    uid = "u" if number is None else None
    return (0, number or 0), stream, usual, number, 1000, 2000, 1, True, price, "1", None, uid


def delta(number: int, levels: str) -> Row:
    return (0, number), 1, True, number, None, None, 1000, 2000, levels


def packed(relation: str, rows: Sequence[Row]) -> tuple[list[Block], Packer]:
    packer = Packer(TABLES[relation])
    found = [block for row in rows for block in packer.add(row)]
    return found + packer.finish(), packer


def test_a_block_says_what_it_holds() -> None:
    (block,), packer = packed("trades", [trade(7), trade(9)])
    assert (block.stream, block.rows, block.times, block.keys, block.positions) == (1, 2, (2000, 2000), (7, 9), None)
    assert unpack("trades", block.data)["trade_id"] == [7, 9]
    assert (packer.rows, packer.left) == (2, [])


def test_streams_and_kinds_of_key_do_not_share_a_block() -> None:
    found, _ = packed("trades", [trade(1), trade(2), trade(None), trade(1, stream=2)])
    assert [(block.stream, block.rows, block.keys) for block in found] == [(1, 2, (1, 2)), (1, 1, None), (2, 1, (1, 1))]


def test_blocks_of_dated_rows_have_positions() -> None:
    dated = ((0, 1), 1, True, None, 1000, None, *[None] * 4)
    (block,), _ = packed("quotes", [dated, (*dated[:4], 3000, 2000, *dated[6:])])
    assert (block.keys, block.positions) == (None, (1000, 2000))


def test_many_rows_become_several_blocks() -> None:
    found, _ = packed("trades", [trade(n) for n in range(5000)])
    assert [block.rows for block in found] == [2000, 2000, 1000]


def test_many_levels_become_several_blocks() -> None:
    found, _ = packed("book_deltas", [delta(n, "1.5,2;" * 500 + "|") for n in range(20)])
    assert [block.rows for block in found] == [16, 4]


def test_abbreviated_levels_are_packed_in_full() -> None:
    bids = Levels([("61837.63000000", "1.50000000"), ("5.00000000", "0.00000000")])
    text = levels_text(bids, Levels())
    assert "z" in text
    (block,), _ = packed("book_deltas", [delta(1, text)])
    assert unpack("book_deltas", block.data)["levels"] == ["61837.63000000,1.50000000;5.00000000,0.00000000;|"]


def test_only_rows_near_one_without_a_packed_form_are_left() -> None:
    prices = {700: "1.2", 701: "1.30"}
    rows = [trade(n, price=prices.get(n, "1.25")) for n in range(1000)]
    found, packer = packed("trades", rows)
    assert 0 < len(packer.left) <= 16
    assert {(0, 700), (0, 701)} & set(packer.left)
    assert sum(block.rows for block in found) + len(packer.left) == 1000


def test_rows_the_sink_would_not_write_are_left() -> None:
    found, packer = packed("trades", [trade(1), trade(2, usual=False), trade(3)])
    assert packer.left == [(0, 2)]
    assert [block.keys for block in found] == [(1, 3)]
