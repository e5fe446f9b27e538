"""The book equals a model that replays everything from the beginning, and a tracked one says where that ends."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.book import Book, BookState, TrackedBook, rebuild
from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.levels import EMPTY, Levels

prices = st.sampled_from(["1", "1.0", "1.5", "2", "2.50", "2.5", "10", "9.99"])
amounts = st.sampled_from(["0", "0.00", "1", "0.000000000000000001", "1e-8", "30"])
sides = st.lists(st.tuples(prices, amounts), max_size=6).map(Levels)
updates = st.lists(st.tuples(st.booleans(), sides, sides), max_size=12)


def snapshot(sequence: int, bids: Levels = EMPTY, asks: Levels = EMPTY) -> BookSnapshot:
    return BookSnapshot("example", "BTC-USDT", 1, 2, bids, asks, None, sequence)


def delta(sequence: int, bids: Levels = EMPTY, asks: Levels = EMPTY) -> BookDelta:
    return BookDelta("example", "BTC-USDT", 1, 2, bids, asks, None, sequence, sequence - 1)


def model(history: Sequence[Levels]) -> dict[Decimal, Decimal]:
    """Keep for each price the last amount said, and drop the zeros at the end only."""
    last = {price: amount for levels in history for price, amount in levels.decimals()}
    return {price: amount for price, amount in last.items() if amount != 0}


@given(updates)
def test_book_equals_the_naive_model(history: list[tuple[bool, Levels, Levels]]) -> None:
    book, since = Book(), list[tuple[Levels, Levels]]()
    for sequence, (whole, bids, asks) in enumerate(history):
        book.apply(snapshot(sequence, bids, asks) if whole else delta(sequence, bids, asks))
        since = [(bids, asks)] if whole else [*since, (bids, asks)]
        assert book.bids == model([pair[0] for pair in since])
        assert book.asks == model([pair[1] for pair in since])
        assert book.sequence == sequence


@given(sides, sides, st.integers(0, 10))
def test_top_is_best_first_on_both_sides(bids: Levels, asks: Levels, depth: int) -> None:
    book = Book()
    book.apply(snapshot(1, bids, asks))
    best_bids, best_asks = book.top(depth)
    assert best_bids == sorted(book.bids.items(), key=lambda level: -level[0])[:depth]
    assert best_asks == sorted(book.asks.items(), key=lambda level: level[0])[:depth]


@given(sides, sides)
def test_crossed_means_a_bid_at_or_above_an_ask(bids: Levels, asks: Levels) -> None:
    book = Book()
    book.apply(snapshot(1, bids, asks))
    assert book.crossed == any(bid >= ask for bid in book.bids for ask in book.asks)


def test_a_new_book_is_empty_and_unsynchronised() -> None:
    book = Book()
    assert book.top(5) == ([], [])
    assert book.sequence is None
    assert not book.crossed


def test_removing_a_price_that_is_not_there_changes_nothing() -> None:
    book = Book()
    book.apply(snapshot(1, Levels([("1", "2")])))
    book.apply(delta(2, Levels([("3", "0")])))
    assert book.bids == {Decimal(1): Decimal(2)}


def test_the_same_price_written_otherwise_is_the_same_level() -> None:
    book = Book()
    book.apply(snapshot(1, Levels([("1.50", "2")])))
    book.apply(delta(2, Levels([("1.5", "0")])))
    assert book.bids == {}


S = 1_000_000_000
Chain = list[BookDelta]


def chain(rule: str, sides: list[tuple[Levels, Levels]]) -> Chain:
    """Return deltas that follow update 100, numbered as exchanges do: dense ranges, linked ones, or mere links."""
    found, last = Chain(), 100
    for number, (bids, asks) in enumerate(sides, start=1):
        first = last + 1 if rule == "ranges" else last + 4
        sequence = first + number % 3
        previous = None if rule == "ranges" else last
        ts = number * S
        found.append(
            BookDelta(
                "example", "BTC-USDT", ts, ts + 5, bids, asks, None if rule == "links" else first, sequence, previous
            )
        )
        last = sequence
    return found


def start(sequence: int | None = 100, ts_recv: int = 5) -> BookSnapshot:
    """Return a whole book of two levels, with a time of the exchange as far as there is a sequence."""
    return BookSnapshot(
        "example", "BTC-USDT", None, ts_recv, Levels([("1", "1")]), Levels([("9", "1")]), None, sequence
    )


def applied(
    snapshot: BookSnapshot, deltas: Sequence[BookDelta]
) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    bids = model([snapshot.bids, *[delta.bids for delta in deltas]])
    return bids, model([snapshot.asks, *[delta.asks for delta in deltas]])


rules = pytest.mark.parametrize("rule", ["ranges", "linked ranges", "links"])
changes = st.lists(st.tuples(sides, sides), min_size=1, max_size=8)


@rules
@given(changes, st.data())
def test_a_chain_without_holes_is_applied_whole(
    rule: str, sides: list[tuple[Levels, Levels]], data: st.DataObject
) -> None:
    deltas = chain(rule, sides)
    at = data.draw(st.integers(0, len(deltas)))
    snapshot = start(deltas[at - 1].sequence if at else 100, ts_recv=at * S + 7)
    state = rebuild(snapshot, deltas)
    assert (state.intact, state.reason) == (True, None)
    assert (dict(state.bids), dict(state.asks)) == applied(snapshot, deltas[at:])
    assert state.ts == (deltas[-1].ts_event if at < len(deltas) else snapshot.ts_recv)
    assert state.sequence == deltas[-1].sequence


@rules
@given(changes, st.data())
def test_a_missing_delta_stops_the_book_where_it_was_sure(
    rule: str, sides: list[tuple[Levels, Levels]], data: st.DataObject
) -> None:
    deltas = chain(rule, [*sides, *sides])
    hole = data.draw(st.integers(0, len(deltas) - 2))
    state = rebuild(start(), deltas[:hole] + deltas[hole + 1 :])
    last = deltas[hole - 1].sequence if hole else 100
    assert not state.intact
    assert state.reason is not None
    assert state.reason.startswith(f"after update {last} comes {deltas[hole + 1].sequence}, which continues ")
    assert (dict(state.bids), dict(state.asks)) == applied(start(), deltas[:hole])
    assert state.sequence == last


@rules
def test_the_first_delta_behind_a_snapshot_may_begin_before_it(rule: str) -> None:
    deltas = chain(rule, [(Levels([(str(price), "1")]), EMPTY) for price in range(2, 6)])
    snapshot = start(deltas[2].sequence - 1, ts_recv=2 * S)
    state = rebuild(snapshot, deltas)
    assert state.intact
    assert (dict(state.bids), dict(state.asks)) == applied(snapshot, deltas[2:])


def test_an_exchange_that_counts_anew_is_followed() -> None:
    deltas = chain("links", [(Levels([("2", "1")]), EMPTY), (Levels([("3", "1")]), EMPTY)])
    anew = evolve(deltas[1], previous_sequence=deltas[0].sequence, sequence=3)
    after = evolve(deltas[1], previous_sequence=3, sequence=8, bids=Levels([("4", "1")]), ts_event=3 * S)
    state = rebuild(start(), [deltas[0], anew, after])
    assert state.intact
    assert sorted(dict(state.bids)) == [1, 2, 3, 4]


def test_counting_anew_without_the_link_is_a_break() -> None:
    first, second = chain("links", [(EMPTY, EMPTY), (EMPTY, EMPTY)])
    state = rebuild(start(), [first, evolve(second, previous_sequence=3, sequence=8)])
    assert (
        state.reason
        == f"after update {first.sequence} the exchange counts anew with 8, and what was between is missing"
    )
    late = evolve(second, previous_sequence=3, sequence=8, ts_recv=20 * S)
    assert not rebuild(start(), [late]).intact
    assert rebuild(start(), [evolve(late, ts_recv=2 * S)]).intact  # the snapshot may well hold it


def test_what_came_before_a_snapshot_of_a_new_numbering_is_left_out() -> None:
    old = [evolve(delta, sequence=delta.sequence + 10_000, previous_sequence=delta.sequence + 9_990)
           for delta in chain("links", [(Levels([("2", "1")]), EMPTY)] * 3)]  # fmt: skip
    state = rebuild(start(ts_recv=60 * S), old)
    assert state.intact
    assert sorted(dict(state.bids)) == [1]


def test_without_numbers_a_book_takes_what_came_later() -> None:
    first, second = chain("links", [(Levels([("2", "1")]), EMPTY), (Levels([("3", "1")]), EMPTY)])
    state = rebuild(start(None, ts_recv=first.ts_recv), [first, second])
    assert sorted(dict(state.bids)) == [1, 3]
    assert state.sequence == second.sequence


def test_a_book_is_told_best_first_and_no_deeper_than_asked() -> None:
    snapshot = evolve(start(), bids=Levels([("1", "5"), ("3", "5"), ("2", "5")]), asks=Levels([("9", "1"), ("8", "1")]))
    state = rebuild(snapshot, [], depth=2)
    assert state == BookState(
        "example", "BTC-USDT", 5, 100, ((Decimal(3), Decimal(5)), (Decimal(2), Decimal(5))),
        ((Decimal(8), Decimal(1)), (Decimal(9), Decimal(1))), True, None,
    )  # fmt: skip


def test_a_checksum_that_does_not_agree_is_told() -> None:
    assert rebuild(evolve(start(), checksum_ok=False), []).reason == "the exchange's checksum does not agree"
    assert rebuild(evolve(start(), checksum_ok=True), []).intact


@rules
@given(changes, st.data())
def test_a_book_goes_on_from_its_own_snapshot(
    rule: str, sides: list[tuple[Levels, Levels]], data: st.DataObject
) -> None:
    deltas = chain(rule, sides)
    at = data.draw(st.integers(0, len(deltas)))
    book = TrackedBook(start())
    for delta in deltas[:at]:
        book.apply(delta)
    kept = book.snapshot()
    assert (kept.depth, kept.sequence, kept.ts_recv) == (None, book.sequence, book.ts_recv)
    assert rebuild(kept, deltas) == rebuild(start(), deltas)


def test_a_snapshot_makes_a_broken_book_whole() -> None:
    deltas = chain("ranges", [(Levels([("2", "1")]), EMPTY)] * 3)
    book = TrackedBook(start())
    book.apply(deltas[2])
    assert not book.intact
    book.apply(start(deltas[1].sequence, ts_recv=2 * S + 7))
    book.apply(deltas[2])
    assert book.intact
    assert book.sequence == deltas[2].sequence


def test_kept_levels_are_the_exact_text() -> None:
    snapshot = evolve(start(), bids=Levels([("1.50", "1e-8")]))
    assert list(TrackedBook(snapshot).snapshot().bids) == [("1.50", "0.00000001")]
