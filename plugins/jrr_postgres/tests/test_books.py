"""A book of the past is the one its events make, from wherever it is begun; where it may not be, it says so."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Home, connected, fetch, fresh_database, opened, pack

from jrr_core.book import BookState
from jrr_core.events import BookDelta, BookSnapshot, Connected, Disconnected, Gap
from jrr_core.levels import Levels

T0 = 1_704_153_300 * 10**9  # 2024-01-01 23:55 UTC: the events lie in two days
STEP = 2_345_678_901
KEPT_AT = 220
"""The delta whose book is kept as the checkpoint of symbol K."""


def at(number: int) -> int:
    return T0 + number * STEP


END = at(301)
"""When the collector of A, K and G ended."""


def whole(symbol: str, number: int) -> BookSnapshot:
    bids, asks = Levels([("100", "1"), ("99.5", str(number + 1))]), Levels([("101", "1"), ("102.5", "3")])
    return BookSnapshot("ex", symbol, at(number), at(number) + 11, bids, asks, None, 5000 + number)


def deltas(symbol: str, first: int, last: int) -> list[BookDelta]:
    """Numbers `first` to `last`: levels come, change and go on both sides."""
    return [
        BookDelta(
            "ex", symbol, at(n), at(n) + 11, Levels([(f"{99 - n % 17}.5", f"{n % 4}.000")]),
            Levels([(f"{101 + n % 23}.0", "0.000" if n % 5 == 0 else f"{n}.500")]), 5000 + n, 5000 + n, 4999 + n,
        )
        for n in range(first, last + 1)
    ]  # fmt: skip


def events(symbol: str) -> list[BookSnapshot | BookDelta]:
    """A whole book, deltas, a second whole book at number 150, and deltas behind it."""
    return [whole(symbol, 0), *deltas(symbol, 1, 149), whole(symbol, 150), *deltas(symbol, 151, 300)]


def partial(number: int) -> BookSnapshot:
    side = Levels([(str(number), "1"), (str(number - 1), "2")])
    return BookSnapshot("ex", "P", None, at(number), side, side, 5, None)


@pytest.fixture(scope="module", params=["rows", "blocks"])
def store(request: pytest.FixtureRequest, home: Home) -> Iterator[StorageConfig]:
    """A is whole, K has a checkpoint as well, P only partial books, B a broken chain, G a gap in coverage."""
    with fresh_database(home.shared()) as dsn:
        asyncio.run(_fill(dsn, request.param == "blocks"))
        yield StorageConfig(dsn=dsn)


async def _fill(dsn: str, packed: bool) -> None:
    broken = [whole("B", 0), *deltas("B", 1, 49), *deltas("B", 60, 149), whole("B", 150), *deltas("B", 151, 200)]
    ends = [Disconnected("ex", name, None, END, "book", "s1", "done", ts_to=END) for name in ("A", "K", "G")]
    async with opened(dsn) as sink:
        for symbol in ("A", "K", "G"):
            await sink.write([Connected("ex", symbol, None, T0 - 1, "book", "s1", ts_from=T0 - 1)])
            await sink.write(events(symbol))
        await sink.write([partial(n) for n in range(5, 200, 5)])
        await sink.write(broken)
        await sink.write([Gap("ex", "G", None, at(60), "book", "s1", "lost", 3, at(50), at(60))])
        await sink.write(ends)
    async with connected(dsn) as connection:
        await _keep(StorageConfig(dsn=dsn), connection)
    if packed:
        await pack(dsn, date(2024, 1, 3))
        assert await fetch(dsn, "SELECT count(*) FROM jrr.stored_book_deltas") == [(0,)]


async def _keep(settings: StorageConfig, connection: Any) -> None:
    """Store the checkpoint of K at one of its deltas."""
    async with Queries(settings) as queries:
        rows = await queries.checkpoints(T0, at(KEPT_AT))
    number = await connection.fetchval("SELECT id FROM jrr.streams WHERE symbol = 'K' AND part IS NULL LIMIT 1")
    ((stream, ts, recv, sequence, levels),) = [row for row in rows if row[0] == number]
    time = "timestamptz 'epoch' + (${0}::bigint / 1000) * interval '1 microsecond', ${0}::bigint % 1000"
    await connection.execute(
        "INSERT INTO jrr.checkpoints (stream, ts, ts_ns, recv, recv_ns, sequence, levels) "
        f"VALUES ($1, {time.format(2)}, {time.format(3)}, $4, $5)", stream, ts, recv, sequence, levels,
    )  # fmt: skip


def books_at(settings: StorageConfig, symbol: str, *moments: int, depth: int | None = None) -> list[BookState | None]:
    async def ask() -> list[BookState | None]:
        async with Queries(settings) as queries:
            return [await queries.book_at("ex", symbol, ts, depth) for ts in moments]

    return asyncio.run(ask())


def found_at(settings: StorageConfig, symbol: str, *moments: int, depth: int | None = None) -> list[BookState]:
    states = [state for state in books_at(settings, symbol, *moments, depth=depth) if state is not None]
    assert len(states) == len(moments)
    return states


def by_hand(told: Sequence[BookSnapshot | BookDelta], ts: int) -> tuple[Any, Any, int | None]:
    """Return bids and asks, best first, and the sequence, of the events up to `ts`."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    sequence = None
    for event in told:
        if (event.ts_event or event.ts_recv) > ts:
            break
        sequence = event.sequence
        for side, levels in ((bids, event.bids), (asks, event.asks)):
            if isinstance(event, BookSnapshot):
                side.clear()
            side.update(levels.decimals())
            for price in [price for price, amount in side.items() if not amount]:
                del side[price]
    return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())), sequence


@pytest.mark.parametrize("symbol", ["A", "K"])
def test_it_is_the_one_its_events_make_to_the_nanosecond(store: StorageConfig, symbol: str) -> None:
    numbers = [1, 128, 149, 150, 151, KEPT_AT - 1, KEPT_AT, KEPT_AT + 1, 300]
    moments = [at(0), *[at(number) + off_ns for number in numbers for off_ns in (-1, 0, 1)]]
    for ts, state in zip(moments, found_at(store, symbol, *moments), strict=True):
        assert (state.bids, state.asks, state.sequence) == by_hand(events(symbol), ts), ts
        assert state.intact, ts


def test_depth_cuts_each_side(store: StorageConfig) -> None:
    (state,) = found_at(store, "A", at(140), depth=3)
    bids, asks, _ = by_hand(events("A"), at(140))
    assert (state.bids, state.asks) == (bids[:3], asks[:3])


def test_partial_books_answer_with_the_last_of_them(store: StorageConfig) -> None:
    numbers = {5: 5, 9: 5, 10: 10, 195: 195}
    states = found_at(store, "P", *map(at, numbers))
    assert [state.ts for state in states] == [at(number) for number in numbers.values()]
    assert [state.bids[0][0] for state in states] == [*numbers.values()]


def test_a_broken_chain_stops_at_what_was_sure_until_the_next_whole_book(store: StorageConfig) -> None:
    before, broken, after = found_at(store, "B", at(49), at(100), at(151))
    assert (before.intact, broken.intact, after.intact) == (True, False, True)
    assert "updates are missing" in (broken.reason or "")
    assert (broken.bids, broken.asks, broken.sequence) == by_hand(events("B"), at(49))
    assert (after.bids, after.asks, after.sequence) == by_hand(events("B"), at(151))


def test_a_gap_in_coverage_makes_it_doubtful_until_the_next_whole_book(store: StorageConfig) -> None:
    before, doubtful, after = found_at(store, "G", at(49), at(100), at(151))
    assert (before.intact, doubtful.intact, after.intact) == (True, False, True)
    assert "interrupted" in (doubtful.reason or "")


def test_before_the_first_whole_or_partial_book_there_is_none(store: StorageConfig) -> None:
    assert books_at(store, "A", T0 - 10**12, T0 - 1) == [None, None]
    assert books_at(store, "P", at(5) - 1) == [None]
    assert books_at(store, "none", at(100)) == [None]
