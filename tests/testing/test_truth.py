from decimal import Decimal
from pathlib import Path

import pytest

from jrr_core.errors import ConfigError
from jrr_core.events import (
    Backfilled,
    BookDelta,
    BookSnapshot,
    Candle,
    Connected,
    Disconnected,
    FundingRate,
    Gap,
    Message,
    Trade,
)
from jrr_core.instrument import Instrument
from jrr_core.levels import EMPTY, Levels
from jrr_core.subscription import Subscription
from jrr_core.testing.truth import Truth

S = 1_000_000_000


def trade(number: int, price: str = "1.50", ts: int | None = None) -> Trade:
    ts = number * S if ts is None else ts
    return Trade("x", "BTC", ts, ts + 1, Decimal(price), Decimal(2), "buy", str(number))


def delta(sequence: int, price: str = "9", amount: str = "1") -> BookDelta:
    ts = sequence * S
    return BookDelta("x", "BTC", ts, ts + 1, Levels([(price, amount)]), EMPTY, sequence, sequence, sequence - 1)


def snapshot(sequence: int, bids: dict[str, str], depth: int | None = None) -> BookSnapshot:
    ts = sequence * S
    return BookSnapshot("x", "BTC", ts, ts + 1, Levels(bids.items()), EMPTY, depth, sequence)


def candle(close: str, closed: bool) -> Candle:
    one = Decimal(1)
    return Candle("x", "BTC", 5, 6, "1m", 0, 59, one, one, one, Decimal(close), one, None, 1, closed)


def of(*events: Message, books: tuple[BookSnapshot, ...] = ()) -> Truth:
    truth = Truth()
    for event in events:
        truth.record(event)
    for book in books:
        truth.close_book(book)
    return truth


def later(event: Message) -> Message:
    event.ts_recv += 12345
    return event


def test_a_faithful_store_has_no_differences() -> None:
    truth = of(trade(1), trade(2), candle("3", True))
    assert truth.compare([later(trade(2)), later(trade(1)), candle("3", True)]) == []


def test_each_kind_of_difference_is_named_with_an_example() -> None:
    truth = of(trade(1), trade(2), trade(3), trade(4))
    stored = [trade(1), trade(1), trade(2, "1.51"), trade(9)]
    assert truth.compare(stored) == [
        "x trade BTC: 1 different, 4 were sent; first 2: price 1.51 instead of 1.50",
        "x trade BTC: 2 missing, 4 were sent; first 3",
        "x trade BTC: 1 never sent, 4 were sent; first 9",
        "x trade BTC: 1 twice, 4 were sent; first 1",
    ]


def test_an_event_sent_to_two_clients_is_one_event() -> None:
    assert len(of(trade(1), later(trade(1))).events) == 1


def test_what_was_offered_may_be_stored_and_need_not() -> None:
    truth = Truth()
    truth.offer(trade(1))
    assert truth.compare([]) == []
    assert truth.compare([trade(1)]) == []
    assert "different" in truth.compare([trade(1, "8")])[0]


def test_a_merged_trade_may_be_stored_as_its_fills() -> None:
    def fill(number: int, amount: int, count: int = 1) -> Trade:
        return Trade("x", "BTC", S, S, Decimal(1), Decimal(amount), "buy", str(number), count)

    truth = of(fill(1, 2), fill(4, 6, 3), fill(5, 1))
    fills = [fill(2, 1), fill(3, 2), fill(4, 3)]
    for row in fills:
        truth.offer(row)
    assert truth.compare([fill(1, 2), *fills, fill(5, 1)]) == []
    assert truth.compare([fill(1, 2), fill(4, 6, 3), fill(5, 1)]) == []
    assert truth.compare([fill(1, 2), *fills[1:], fill(5, 1)]) == ["x trade BTC: 1 missing, 3 were sent; first 4"]
    assert truth.compare([fill(1, 2), fills[0], fill(4, 6, 3), fill(5, 1)]) == [
        "x trade BTC: 1 twice, 3 were sent; first 4"
    ]


def test_aggregates_that_have_one_number_are_no_rows_of_fills() -> None:
    rows = [Trade("x", "BTC", S, S, Decimal(1), Decimal(1), "buy", str(n), 5, None, "agg") for n in range(1, 4)]
    truth = of(*rows)
    assert truth.compare(rows) == []
    assert truth.compare(rows[1:]) == ["x trade BTC: 1 missing, 3 were sent; first 1, agg"]


def test_what_was_sent_and_what_was_offered_may_differ_in_their_times() -> None:
    live, fetched = candle("3", True), candle("3", True)
    fetched.ts_event = None
    truth = of(live)
    truth.offer(fetched)
    assert truth.compare([fetched]) == truth.compare([live]) == []


def test_only_closed_candles_count() -> None:
    truth = of(candle("1", False), candle("2", True))
    assert truth.compare([candle("1", False), candle("2", True)]) == []
    assert "missing" in truth.compare([candle("1", False)])[0]
    assert of(candle("1", False)).compare([]) == []


def test_only_what_was_subscribed_has_to_be_there() -> None:
    truth = of(trade(1), FundingRate("x", "BTC", S, S, Decimal(1), 9, True))
    assert truth.compare([trade(1)], [Subscription("x", "trade", "BTC")]) == []
    assert len(truth.compare([trade(1)])) == 1


def test_a_gap_that_stands_accounts_for_what_is_missing_in_it_and_no_more() -> None:
    truth = of(*(trade(number) for number in range(1, 9)))
    gap = Gap("x", "BTC", 5 * S, 5 * S, "trade", "", "sequence", 2, 3 * S, 4 * S, (3, 4))
    stored: list[Message] = [trade(1), trade(2), *(trade(number) for number in range(5, 9))]
    assert truth.compare([*stored, gap]) == []
    assert "1 missing" in truth.compare([*stored[:-1], gap])[0]
    mended = Backfilled("x", "BTC", 6 * S, 6 * S, "trade", "", "sequence", 2, 3 * S, 4 * S, (3, 4))
    assert "2 missing" in truth.compare([*stored, gap, mended])[0]
    elsewhere = Gap("x", "ETH", 5 * S, 5 * S, "trade", "", "sequence", 2, 3 * S, 4 * S, (3, 4))
    assert "2 missing" in truth.compare([*stored, elsewhere])[0]


def test_a_disconnection_accounts_for_the_time_to_the_next_connection() -> None:
    truth = of(*(trade(number) for number in range(1, 7)))
    cut = Disconnected("x", "BTC", None, 3 * S, "trade", "s", ts_to=2 * S)
    back = Connected("x", "BTC", None, 5 * S, "trade", "s", ts_from=5 * S)
    stored: list[Message] = [trade(1), trade(2), cut, back, trade(5), trade(6)]
    assert truth.compare(stored) == []
    assert "1 missing" in truth.compare(stored[:-1])[0]
    assert "1 missing" in truth.compare(stored[1:])[0]


def test_deltas_up_to_the_first_snapshot_need_not_be_stored() -> None:
    truth = of(*(delta(number) for number in range(1, 6)))
    truth.offer(snapshot(3, {"9": "1"}))
    assert truth.compare([snapshot(3, {"9": "1"}), delta(4), delta(5)]) == []
    assert "1 missing" in truth.compare([snapshot(3, {"9": "1"}), delta(5)])[0]
    assert "5 missing" in truth.compare([])[0]


def test_a_later_snapshot_stands_for_missing_deltas_only_behind_a_gap() -> None:
    first, second = snapshot(1, {"9": "1"}), snapshot(5, {"9": "1"})
    truth = of(*(delta(number) for number in range(2, 8)), first, second)
    stored: list[Message] = [first, delta(2), second, delta(6), delta(7)]
    assert "3 missing" in truth.compare(stored)[0]
    gap = Gap("x", "BTC", 3 * S, 3 * S, "book", "", "sequence", None, 2 * S, 3 * S, (2, 3))
    assert truth.compare([*stored, gap]) == []
    # Dated by the exchange, the gap begins before the snapshot it follows was received.
    early = Gap("x", "BTC", 3 * S, 3 * S, "book", "", "sequence", None, S - 1, 3 * S, (1, 3))
    assert truth.compare([*stored, early]) == []
    over = Gap("x", "BTC", S, S, "book", "", "sequence", None, 0, S, (0, 1))
    assert "3 missing" in truth.compare([*stored, over])[0]


def test_the_rebuilt_book_must_be_the_markets() -> None:
    final = snapshot(9, {"9": "1", "8": "4"})
    truth = of(snapshot(3, {"8": "5"}), delta(4), delta(5, "8", "4"), books=(final,))
    stored: list[Message] = [delta(5, "8", "4"), snapshot(3, {"8": "5"}), delta(4)]
    assert truth.compare(stored) == []
    wrong = of(snapshot(3, {"8": "5"}), delta(4), delta(5, "8", "4"), books=(snapshot(9, {"9": "1"}),))
    assert wrong.compare(stored) == [
        "x book BTC: the rebuilt book differs from the market's in 1 levels, such as bid 8"
    ]


def test_a_book_whose_numbering_began_anew_is_rebuilt_by_receipt() -> None:
    start, change, anew = snapshot(30, {"8": "5"}), delta(31, "8", "4"), delta(3, "8", "6")
    anew.previous_sequence, anew.ts_event, anew.ts_recv = 31, 40 * S, 40 * S
    truth = of(start, change, anew, books=(snapshot(50, {"8": "6"}),))
    assert truth.compare([start, anew, change]) == []


def test_an_interrupted_book_is_not_rebuilt() -> None:
    gap = Gap("x", "BTC", 4 * S, 4 * S, "book", "", "sequence", None, 4 * S, 4 * S, (4, 5))
    truth = of(snapshot(3, {"8": "5"}), books=(snapshot(9, {"9": "1"}),))
    assert truth.compare([snapshot(3, {"8": "5"}), gap]) == []


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    instrument = Instrument("x", "BTC", "BTC", "USD", None, "spot", Decimal("0.1"), None, None, None, "BTC-USD")
    truth = of(trade(1, "0.000000000000000001"), delta(2), candle("3", True), books=(snapshot(7, {"1": "2"}),))
    truth.offer(instrument)
    truth.begin_book("x", "BTC", 0, 0, [], [])
    for number in range(1, 3_000):
        truth.change_book("x", "BTC", number, number, [(Decimal(9), Decimal(number))], [])
    truth.write(tmp_path / "truth.jsonl")
    again = Truth.read(tmp_path / "truth.jsonl")
    assert again.book_at("x", "BTC", 2_999) == (((Decimal(9), Decimal(2_999)),), ())
    assert again.book_at("x", "BTC", 10_000) is None
    assert not again.book_outdated("x", "BTC", 2_999, 2_999)
    assert again.book_outdated("x", "BTC", 2_998, 2_999)
    assert again.book_outdated("x", "ETH", 1, 1)
    assert again.events == truth.events
    assert again.offered == [instrument]
    assert again.books == truth.books


def test_simulations_can_be_joined() -> None:
    truth = of(trade(1))
    truth.add(of(trade(2), books=(snapshot(1, {}),)))
    assert (len(truth.events), len(truth.books)) == (2, 1)


def test_nothing_is_kept_when_nothing_is_wanted() -> None:
    truth = Truth(kept=False)
    truth.record(trade(1))
    truth.offer(trade(2))
    truth.close_book(snapshot(1, {}))
    truth.begin_book("x", "BTC", 0, 0, [], [])
    truth.change_book("x", "BTC", 1, 1, [], [])
    assert (truth.events, truth.offered, truth.books) == ([], [], [])
    assert truth.book_at("x", "BTC", 1) is None


def test_only_what_is_wanted_is_kept_beside_the_books() -> None:
    truth = Truth(kinds=["candle"])
    truth.record(trade(1))
    truth.offer(trade(2))
    truth.close_book(snapshot(1, {}))
    assert (truth.events, truth.offered, len(truth.books)) == ([], [], 1)
    wanting = Truth(kinds=["trade"])
    wanting.record(trade(1))
    assert len(wanting.events) == 1
    with pytest.raises(ConfigError, match="no event is of the kind 'trades'; kinds: trade, "):
        Truth(kinds=["trades"])


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write the truth file"):
        Truth().write(tmp_path / "no" / "where")
    with pytest.raises(ConfigError, match="cannot read the truth file"):
        Truth.read(tmp_path / "none")
    (tmp_path / "bad").write_text('{"how":"sent","type":"trade","data":{}}\n')
    with pytest.raises(ConfigError, match="line 1 is not a line of a truth file"):
        Truth.read(tmp_path / "bad")
