"""Instruments: what they are now, and what their prices and amounts meant before."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from jrr_postgres.testing import fetch, opened

from jrr_core.errors import SinkRejected
from jrr_core.instrument import Instrument
from jrr_core.testing import samples

D = Decimal
ITEM = Instrument("ex", "A", "A", "USDT", None, "spot", D("0.10"), None, None, None, "A-USDT")


def write(dsn: str, *batches: list[Any]) -> list[int]:
    """Return how many of each batch counted as written."""

    async def run() -> list[int]:
        async with opened(dsn) as sink:
            return [(await sink.write(batch)).written for batch in batches]

    return asyncio.run(run())


def history(dsn: str, columns: str) -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM jrr.instrument_versions ORDER BY exchange, symbol, valid_from"
    return asyncio.run(fetch(dsn, query))


def test_changed_terms_open_a_version_and_a_changed_state_does_not(dsn: str) -> None:
    finer = evolve(ITEM, tick_size=D("0.01"))
    states = (ITEM, ITEM, evolve(ITEM, status="BREAK", active=False), finer, finer, evolve(finer, lot_size=D(1)))
    assert write(dsn, *[[state] for state in states]) == [1, 0, 1, 1, 0, 1]
    assert history(dsn, "tick_size, lot_size, status, valid_to IS NULL") == [
        (D("0.10"), None, "BREAK", False), (D("0.01"), None, "", False), (D("0.01"), D(1), "", True),
    ]  # fmt: skip


def test_a_version_ends_before_the_next_begins(dsn: str) -> None:
    write(dsn, [ITEM], [evolve(ITEM, tick_size=D(1))], [ITEM])
    times = history(dsn, "valid_from, valid_to")
    assert times[-1][1] is None
    for (begun, ended), (follows, _) in pairwise(times):
        assert begun < ended <= follows


def test_digits_of_a_tick_alone_are_no_change(dsn: str) -> None:
    assert write(dsn, [ITEM], [evolve(ITEM, tick_size=D("0.1"))]) == [1, 0]
    assert [str(row[0]) for row in history(dsn, "tick_size")] == ["0.10"]


def test_of_one_batch_the_last_state_counts(dsn: str) -> None:
    assert write(dsn, [ITEM, evolve(ITEM, tick_size=D(1)), evolve(ITEM, tick_size=D(2))]) == [1]
    assert history(dsn, "tick_size") == [(D(2),)]


def test_every_field_is_read_back(dsn: str) -> None:
    async def read() -> list[Instrument]:
        async with opened(dsn) as sink:
            return [item async for item in sink.read(Instrument)]

    given = samples.samples(Instrument)
    assert write(dsn, [*given]) == [len(given)]
    assert asyncio.run(read()) == sorted(given, key=lambda item: item.symbol)


@pytest.mark.parametrize(
    "wrong", [{"tick_size": D("1e200000")}, {"lot_size": 0.1}, {"canonical": None}, {"expiry": 2**63}]
)
def test_a_wrong_one_is_refused_and_changes_nothing(wrong: dict[str, Any], dsn: str) -> None:
    write(dsn, [ITEM])
    with pytest.raises(SinkRejected):
        write(dsn, [evolve(ITEM, **wrong)])
    assert history(dsn, "tick_size, valid_to IS NULL") == [(D("0.10"), True)]
