"""The verdict on real SQLite files, whole and damaged: each kind of damage is noticed, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.connector import Numbering
from jrr_core.events import Backfilled, BookDelta, BookSnapshot, Candle, Connected, Disconnected, Gap, Message, Trade
from jrr_core.levels import EMPTY, Levels
from jrr_core.store import EVERYTHING, Selection
from jrr_core.subscription import Subscription
from jrr_core.testing.truth import Truth
from jrr_core.testing.verdict import Verdict, judge, numberings_of

MS = 10**6
S = 10**9
START = 1_790_000_000 * S
CHANNELS = ("trade", "candle_1s", "book")
SUBSCRIBED = [Subscription.parse(f"x:{channel}:BTC") for channel in CHANNELS]
PLAIN: dict[str, dict[str | None, Numbering]] = {"x": {None: "each"}}
Keep = Callable[[Message], bool]


def trade(number: int, count: int = 1, amount: int = 1) -> Trade:
    """Return a trade that ends in fill `number`, ten a second."""
    ts = START + number * 100 * MS
    return Trade("x", "BTC", ts, ts + MS, Decimal("1.5"), Decimal(amount), "buy", str(number), count)


def candle(second: int) -> Candle:
    opened, close = START + second * S, Decimal(second)
    ts = opened + S + 20 * MS
    return Candle("x", "BTC", ts, ts + MS, "1s", opened, opened + S - MS, close, close, close, close, close, None, 9,
                  True)  # fmt: skip


def delta(number: int) -> BookDelta:
    ts = START + number * 100 * MS
    level = Levels([("9", str(number))])
    return BookDelta("x", "BTC", ts, ts + MS, level, EMPTY, number, number, number - 1)


def note(kind: type[Any], channel: str, ts_from: int, ts_to: int | None = None, count: int | None = None) -> Any:
    """Return a stream event; times in 0.1 s."""
    at = [None if ts is None else START + ts * 100 * MS for ts in (ts_from, ts_to)]
    return kind("x", "BTC", None, at[1] or at[0], channel, "s", "test", count, *at)


class World:
    """300 trades and 30 candles in 30 s, or 300 updates of a book; all of it true and, so far, all stored."""

    def __init__(self, trades: Iterable[Trade] | None = None, book: bool = False) -> None:
        self.truth = Truth()
        self.stored: list[Message] = [note(Connected, channel, 0) for channel in CHANNELS]
        if book:
            self.add_book()
        else:
            for event in trades if trades is not None else [trade(number) for number in range(300)]:
                self.add(event)
            for second in range(30):
                self.add(candle(second))
        self.end(320)

    def add_book(self) -> None:
        self.truth.begin_book("x", "BTC", 0, START, [], [])
        self.add(BookSnapshot("x", "BTC", START, START, EMPTY, EMPTY, None, 0))
        for number in range(1, 300):
            self.add(delta(number))
            level = [(Decimal(9), Decimal(number))]
            self.truth.change_book("x", "BTC", number, START + number * 100 * MS, level, [])

    def add(self, event: Message) -> None:
        self.truth.record(event)
        self.stored.append(event)

    def end(self, ts: int) -> None:
        """Let the store's coverage reach to a time, in 0.1 s."""
        self.stored = [event for event in self.stored if not isinstance(event, Disconnected)]
        for channel in CHANNELS:
            self.stored.append(evolve(note(Disconnected, channel, 0, ts), reason="stopped"))

    def without(self, *missing: Message) -> None:
        self.stored = [event for event in self.stored if event not in missing]

    def judge(self, path: Path, numberings: Any = PLAIN, sink: type[SqliteSink] = SqliteSink) -> Verdict:
        store = sink(StorageConfig(path=str(path)))
        asyncio.run(write(store, self.stored))
        return asyncio.run(judge(self.truth, store, SUBSCRIBED, numberings=numberings, instants=40))


async def write(store: SqliteSink, events: Collection[Message]) -> None:
    await store.open()
    await store.write(sorted(events, key=lambda event: event.ts_recv))
    await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "market.db"


def test_a_whole_store_is_clean(path: Path) -> None:
    verdict = World().judge(path)
    assert verdict.clean, verdict.findings
    assert (verdict.sent, verdict.stored) == (330, 330)


def test_a_book_that_follows_the_market_is_clean(path: Path) -> None:
    verdict = World(book=True).judge(path)
    assert verdict.clean, verdict.findings
    assert verdict.books_checked + verdict.books_not_intact == 40
    assert verdict.books_checked > 30


def test_an_event_that_is_missing_without_a_word_is_lost(path: Path) -> None:
    world = World()
    world.without(trade(7), trade(8), candle(4))
    verdict = world.judge(path)
    assert (verdict.lost, verdict.stored, verdict.in_gaps) == (3, 327, 0)
    assert verdict.findings == [
        f"x candle_1s BTC: 1 lost in silence: 1s, {START + 4 * S} at {START + 5 * S + 20 * MS}",
        f"x trade BTC: 2 lost in silence: 7 at {START + 700 * MS}; 8 at {START + 800 * MS}",
    ]


def test_what_a_gap_records_is_not_lost(path: Path) -> None:
    world = World()
    world.without(trade(7), trade(8), candle(4))
    world.stored += [note(Gap, "trade", 6, 9, 2), note(Gap, "candle_1s", 40, 61, 1)]
    verdict = world.judge(path)
    assert verdict.clean, verdict.findings
    assert (verdict.in_gaps, verdict.lost, verdict.gaps) == (3, 0, 2)


def test_an_interruption_of_unknown_size_records_what_is_missing_in_it(path: Path) -> None:
    world = World()
    world.without(*[trade(number) for number in range(50, 80)])
    world.stored += [note(Disconnected, "trade", 49, 49), note(Connected, "trade", 80)]
    verdict = world.judge(path)
    assert verdict.clean, verdict.findings
    assert (verdict.in_gaps, verdict.gaps) == (30, 1)


@pytest.mark.parametrize("count", [1, 3])
def test_a_gap_that_counts_wrongly_is_named(path: Path, count: int) -> None:
    world = World()
    world.without(trade(7), trade(8))
    world.stored.append(note(Gap, "trade", 6, 9, count))
    verdict = world.judge(path)
    assert (verdict.wrong_counts, verdict.in_gaps) == (1, 2)
    assert f"says {count}, 2 are missing" in verdict.findings[0]


def test_gaps_at_one_seam_are_counted_together(path: Path) -> None:
    world = World()
    world.without(trade(7), trade(8), trade(10))
    world.stored += [note(Gap, "trade", 6, 9, 2), note(Gap, "trade", 9, 11, 1)]
    verdict = world.judge(path)
    assert verdict.clean, verdict.findings
    assert verdict.gaps == 1


def test_a_gap_in_which_nothing_is_missing_is_false(path: Path) -> None:
    world = World()
    world.stored += [note(Gap, "trade", 100, 105, 3), note(Gap, "candle_1s", 100, 110)]
    world.stored += [note(Disconnected, "trade", 200, 200), note(Connected, "trade", 202)]
    verdict = world.judge(path)
    assert (verdict.false_gaps, verdict.unproved_gaps, verdict.lost) == (3, 0, 0)
    assert all("in which nothing is missing" in text for text in verdict.findings)


def test_an_interruption_that_numbers_cannot_settle_is_counted_apart(path: Path) -> None:
    world = World()
    world.stored += [note(Disconnected, "trade", 200, 200), note(Connected, "trade", 202)]
    verdict = world.judge(path, {"x": {"agg": "each"}})
    assert verdict.clean
    assert (verdict.false_gaps, verdict.unproved_gaps) == (0, 1)
    late = World()
    late.stored += [note(Disconnected, "trade", 305, 305), note(Connected, "trade", 307)]
    verdict = late.judge(path.with_name("late.db"))
    assert (verdict.false_gaps, verdict.unproved_gaps) == (0, 1)


def test_an_interruption_of_a_stream_that_sent_nothing_proves_nothing(path: Path) -> None:
    world = World(trades=[])
    world.stored += [note(Disconnected, "trade", 200, 200), note(Connected, "trade", 202)]
    verdict = world.judge(path)
    assert (verdict.false_gaps, verdict.unproved_gaps, verdict.findings) == (0, 1, [])


def test_nothing_is_claimed_before_the_first_and_behind_the_last_word(path: Path) -> None:
    world = World()
    world.end(200)
    world.without(*[trade(number) for number in range(201, 300)], *[candle(second) for second in range(20, 30)])
    early = [
        evolve(trade(number), trade_id=f"900{number}", ts_event=START - S, ts_recv=START - S) for number in range(3)
    ]
    for event in early:
        world.truth.record(event)
    verdict = world.judge(path)
    assert verdict.clean, verdict.findings
    assert (verdict.outside, verdict.lost) == (99 + 10 + 3, 0)


def test_a_stream_never_spoken_of_has_lost_all(path: Path) -> None:
    world = World()
    world.stored = [event for event in world.stored if event.channel != "trade"]
    verdict = world.judge(path)
    assert (verdict.lost, verdict.outside) == (300, 0)


def test_events_never_sent_and_events_changed_are_named(path: Path) -> None:
    world = World()
    world.without(trade(5), candle(3))
    world.stored += [trade(900), evolve(trade(5), price=Decimal(2)), evolve(candle(3), volume=Decimal(9))]
    verdict = world.judge(path)
    assert (verdict.invented, verdict.different, verdict.lost) == (1, 2, 0)
    assert f"x candle_1s BTC: 1 stored with another content: 1s, {START + 3 * S}" in verdict.findings[0]
    assert "(volume is 9)" in verdict.findings[0]


def test_a_candle_told_of_at_another_time_is_the_same_candle(path: Path) -> None:
    world = World()
    world.without(candle(3))
    world.stored.append(evolve(candle(3), ts_event=None))
    assert world.judge(path).clean


class Stuttering(SqliteSink):
    """Reads one trade twice, as a store without keys would."""

    async def read(self, type: type[Any], chosen: Selection = EVERYTHING) -> AsyncIterator[Any]:
        async for event in super().read(type, chosen):
            yield event
            if isinstance(event, Trade) and event.trade_id == "17":
                yield event


def test_an_event_stored_twice_is_named(path: Path) -> None:
    verdict = World().judge(path, sink=Stuttering)
    assert verdict.duplicates == 1
    assert verdict.findings == [f"x trade BTC: 1 stored twice: 17 at {START + 1700 * MS}"]


FILLS: dict[str, dict[str | None, Numbering]] = {"x": {None: "fills"}}


def merged_world() -> tuple[World, Trade, list[Trade]]:
    """Return a world in which some trades are of three fills, one of these, and the fills it is made of."""
    rows: list[Trade] = []
    number = 0
    while number < 290:
        count = 3 if number % 4 == 0 else 1
        number += count
        rows.append(trade(number, count, 2 * count))
    world = World(rows)
    chosen = next(row for row in rows if row.count == 3 and int(row.trade_id) > 100)
    last = int(chosen.trade_id)
    fills = [evolve(chosen, trade_id=str(last - back), count=1, amount=Decimal(amount))
             for back, amount in ((2, 3), (1, 2), (0, 1))]  # fmt: skip
    for fill in fills:
        world.truth.offer(fill)
    return world, chosen, fills


def test_a_merged_trade_may_be_stored_fill_by_fill(path: Path) -> None:
    world, merged, fills = merged_world()
    world.without(merged)
    world.stored += [*fills, note(Backfilled, "trade", 100, 104, 3)]
    verdict = world.judge(path, FILLS)
    assert verdict.clean, verdict.findings
    assert (verdict.stored, verdict.backfilled) == (verdict.sent, 3)


def test_missing_fills_are_missing_and_are_counted_one_by_one(path: Path) -> None:
    world, merged, fills = merged_world()
    world.without(merged)
    world.stored += fills[1:]
    verdict = world.judge(path, FILLS)
    assert (verdict.lost, verdict.stored) == (1, verdict.sent - 1)
    world.stored.append(note(Gap, "trade", int(merged.trade_id) - 1, int(merged.trade_id) + 1, 1))
    assert world.judge(path.with_name("part.db"), FILLS).clean
    gone, merged, _ = merged_world()
    gone.without(merged)
    gone.stored.append(note(Gap, "trade", int(merged.trade_id) - 1, int(merged.trade_id) + 1, 3))
    assert gone.judge(path.with_name("gone.db"), FILLS).clean


def test_a_merged_trade_and_its_fills_are_one_too_many(path: Path) -> None:
    world, _, fills = merged_world()
    world.stored.append(fills[0])
    verdict = world.judge(path, FILLS)
    assert verdict.duplicates == 1
    assert "stored as itself and as fills" in verdict.findings[0]


def test_fills_that_make_another_trade_are_named(path: Path) -> None:
    world, merged, fills = merged_world()
    world.without(merged)
    world.stored += [*fills[:2], evolve(fills[2], amount=Decimal(7))]
    verdict = world.judge(path, FILLS)
    assert verdict.different == 1
    assert "the fills add up to 12 instead of 6" in verdict.findings[0]


def test_a_wrong_book_is_named(path: Path) -> None:
    world = World(book=True)
    world.without(delta(150))
    world.stored.append(evolve(delta(150), bids=Levels([("9", "150"), ("8", "4")])))
    verdict = world.judge(path)
    assert verdict.books_wrong > 10
    assert "differs in 1 levels" in verdict.findings[0]


def test_a_book_that_knows_it_is_broken_is_counted_apart(path: Path) -> None:
    world = World(book=True)
    world.without(delta(150))
    verdict = world.judge(path)
    assert verdict.clean, verdict.findings
    assert verdict.books_not_intact > 10


def test_a_book_with_a_number_unknown_to_the_market_is_wrong(path: Path) -> None:
    world = World(book=True)
    world.without(*[delta(number) for number in range(250, 300)])
    world.stored.append(evolve(delta(250), sequence=777))
    assert "number 777, which the market never had" in world.judge(path).findings[0]


def test_a_book_that_stood_still_without_a_word_is_wrong(path: Path) -> None:
    world = World(book=True)
    world.without(*[delta(number) for number in range(150, 300)])
    assert "which the market had left 2 s before" in world.judge(path).findings[0]


def test_numberings_are_the_connectors() -> None:
    class Dense:
        trade_numbering = PLAIN["x"]

    connectors: Any = {"x": Dense, "y": object}
    assert numberings_of(connectors) == {"x": {None: "each"}, "y": {}}


@pytest.mark.nightly
def test_a_hundred_thousand_trades_take_seconds(path: Path) -> None:
    truth = Truth()
    moments = [START + number * MS for number in range(100_000)]
    rows = [evolve(trade(number), ts_event=ts, ts_recv=ts) for number, ts in enumerate(moments)]
    for row in rows:
        truth.record(row)
    store = SqliteSink(StorageConfig(path=str(path)))
    asyncio.run(write(store, [note(Connected, "trade", 0), *rows]))
    begun = time.monotonic()
    verdict = asyncio.run(judge(truth, store, SUBSCRIBED, numberings=PLAIN))
    assert (verdict.lost, verdict.stored) == (0, 100_000)
    assert time.monotonic() - begun < 10
