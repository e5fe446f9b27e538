"""Blocks give back exactly their rows, in Python and in SQL, or are not made."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jrr_postgres import schema
from jrr_postgres.blocks import COLUMNS, pack, unpack
from jrr_postgres.codec import Unpackable
from jrr_postgres.packing import PACKED
from jrr_postgres.testing import connected

TIME = st.integers(1_700_000_000_000_000_000, 1_700_000_100_000_000_000)
NUMBER = st.one_of(st.integers(0, 1000), st.integers(1 << 50, (1 << 50) + 10), st.integers(-5, 5))
FIXED = st.integers(-(10**6), 10**6).map(lambda n: f"{'-' if n < 0 else ''}{abs(n) // 1000}.{abs(n) % 1000:03d}")
LEVEL = st.tuples(FIXED, st.integers(0, 10**9).map(str))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


def books(least: int, most: int) -> st.SearchStrategy[str]:
    """Books with this many levels a side."""
    side = st.lists(LEVEL, min_size=least, max_size=most)
    return st.tuples(side, side).map(
        lambda sides: "|".join(["".join([f"{price},{amount};" for price, amount in side]) for side in sides])
    )


LEVELS = books(0, 4)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "number": st.one_of(st.none(), NUMBER), "chained": st.one_of(st.none(), NUMBER), "time": st.one_of(st.none(), TIME),
    "flag": st.one_of(st.none(), st.booleans()), "decimal": st.one_of(st.none(), FIXED),
    "text": st.one_of(st.none(), TEXT), "delta_levels": LEVELS, "snapshot_levels": LEVELS,
}  # fmt: skip
NEVER_MISSING = {"ts_recv": TIME, "count": st.integers(1, 5), "price": FIXED, "amount": FIXED}


@st.composite
def rows(draw: st.DrawFn, relation: str) -> dict[str, list[Any]]:
    """Columns of rows that may lie in one block."""
    count = draw(st.integers(1, 12))
    keyed = draw(st.booleans()) or relation == "book_deltas"
    even = draw(st.booleans())
    found = {}
    for name, (kind, _) in COLUMNS[relation].items():
        value = NEVER_MISSING.get(name, VALUES[kind])
        if name == next(iter(COLUMNS[relation])):
            value = NUMBER if keyed else st.none()
        elif kind == "snapshot_levels" and even:
            value = books(2, 2)
        found[name] = draw(st.lists(value, min_size=count, max_size=count))
    return found


def packed(relation: str, columns: Mapping[str, Sequence[Any]]) -> bytes | None:
    """Return the block, None where these numbers lie too far apart for one."""
    try:
        return pack(relation, columns)
    except Unpackable:
        return None


@pytest.mark.parametrize("relation", [*COLUMNS])
@given(data=st.data())
def test_rows_come_back_as_they_were(relation: str, data: st.DataObject) -> None:
    columns = data.draw(rows(relation))
    block = packed(relation, columns)
    if block is not None:
        assert unpack(relation, block) == columns


@pytest.mark.every_server
def test_sql_reads_what_python_reads(dsn: str) -> None:
    """All examples in one call: a connection outlives no event loop."""
    blocks: list[tuple[str, dict[str, list[Any]], bytes]] = []

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from([*COLUMNS]).flatmap(lambda relation: st.tuples(st.just(relation), rows(relation))))
    def collect(example: tuple[str, dict[str, list[Any]]]) -> None:
        relation, columns = example
        if (block := packed(relation, columns)) is not None:
            blocks.append((relation, columns, block))

    async def main() -> None:
        async with connected(dsn) as connection:
            await schema.prepare(connection, "jrr")
            for relation, columns, block in blocks:
                assert await read_by_sql(connection, relation, block) == columns

    collect()
    assert len(blocks) > 50
    asyncio.run(main())


async def read_by_sql(connection: Any, relation: str, block: bytes) -> dict[str, list[Any]]:
    table = next(table for table in PACKED if table.view == relation)
    shown = {}
    for name, (kind, _) in COLUMNS[relation].items():
        below = f"{name.removeprefix('ts_')}_ns"
        shown[name] = f"(extract(epoch FROM {name}) * 1000000)::bigint * 1000 + {below}" if kind == "time" else name
        if kind == "decimal":
            shown[name] = f"{name}::text"
    if "position" in table.columns:
        shown["sequence"] = "CASE WHEN NOT dated THEN position END"
    found = await connection.fetch(f"SELECT {', '.join(shown.values())} FROM jrr.unpack_{relation}($1)", block)
    return {name: [row[place] for row in found] for place, name in enumerate(shown)}


def trades(**columns: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Columns of as many trades as are given prices, amounts or times."""
    count = len(next(iter(columns.values())))
    usual: dict[str, Any] = {"trade_id": 1, "ts_recv": 0, "ts_event": 0, "count": 1, "price": "1", "amount": "1"}
    return {name: columns.get(name, [usual.get(name)] * count) for name in COLUMNS["trades"]}


@pytest.mark.parametrize(
    "prices",
    [
        ["1.10", "2.20", "3.00"],
        ["1.1", "2.25", "3"],
        ["0.00000001", "12345.00000000"],
        ["0", "0", "0"],
        ["-0.5", "0.5", "-12.0"],
        ["4611686018427387903"],
        ["0.000000000000000000000000000001"],
    ],
)
def test_digits_come_back_as_the_exchange_wrote_them(prices: list[str]) -> None:
    columns = trades(price=prices)
    assert unpack("trades", pack("trades", columns)) == columns


@pytest.mark.parametrize(
    "prices",
    [
        ["1.10", "1.1"],
        ["1.0", "1"],
        ["1e-8"],
        ["1E+3"],
        ["-0"],
        ["-0.00"],
        ["007"],
        [".5"],
        ["5."],
        ["NaN"],
        ["12345678901234567890.5"],
        ["0." + "0" * 63 + "1"],
    ],
)
def test_numbers_without_an_exact_form_are_refused(prices: list[str]) -> None:
    with pytest.raises(Unpackable):
        pack("trades", trades(price=prices))


def test_times_before_1970_and_after_the_range_are_refused() -> None:
    for time in (-1, 1 << 63):
        with pytest.raises(Unpackable):
            pack("trades", trades(ts_recv=[time]))


def test_a_still_book_costs_little_per_snapshot() -> None:
    side = "".join([f"{60000 + n}.50,0.125;" for n in range(5)])
    count = 800
    columns = {
        "sequence": [*range(count)], "ts_recv": [n * 100_000_000 for n in range(count)], "ts_event": [None] * count,
        "checksum_ok": [None] * count, "levels": [f"{side}|{side}"] * count,
    }  # fmt: skip
    block = pack("book_snapshots", columns)
    assert len(block) < 2 * count
    assert unpack("book_snapshots", block) == columns
