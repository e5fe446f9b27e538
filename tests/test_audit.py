"""What an audit finds in stores whose every hole is known: exactly those, recorded or not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import pytest
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.audit import runs
from jrr_core.audit.finding import Finding, Hole, Rules, Span, StreamAudit
from jrr_core.audit.ledger import Seen, compare
from jrr_core.audit.runs import Runs
from jrr_core.audit.walk import audit
from jrr_core.candles import resampled
from jrr_core.coverage import NO_EVENT, Timeline
from jrr_core.events import Backfilled, BookDelta, BookSnapshot, Candle, Connected, Gap, Message, Trade
from jrr_core.levels import EMPTY, Levels
from jrr_core.store import EVERYTHING, Range, Selection

S = 10**9
T0 = 1_786_526_400 * S
LATENCY = 5_000_000
AT = ("x", "A")
EACH = {"x": Rules({None: "each"}, (None,))}
FILLS = {"x": Rules({None: "fills"}, (None,))}


@define
class Shelf:
    """A Store over lists: events in any order, and the ranges of each asking in turn (the last one stays)."""

    events: Sequence[Message]
    asked: list[Sequence[Range]]

    async def read(self, type: Any, chosen: Selection = EVERYTHING) -> AsyncIterator[Any]:
        found = [event for event in self.events if isinstance(event, type) and _fits(event, chosen)]
        for event in sorted(found, key=_order)[: chosen.limit]:
            yield event

    async def coverage(self) -> Sequence[Range]:
        return self.asked.pop(0) if len(self.asked) > 1 else self.asked[0]

    async def counts(self) -> Mapping[tuple[str, str], int]:
        return {}


def _at(event: Any) -> int:
    if isinstance(event, Candle):
        return event.open_time
    return int(event.ts_recv if event.ts_event is None else event.ts_event)


def _order(event: Any) -> tuple[int, int]:
    number = str(getattr(event, "trade_id", None) or getattr(event, "sequence", None) or 0)
    return _at(event), int(number) if number.isdigit() else 0


def _fits(event: Any, chosen: Selection) -> bool:
    if chosen.interval not in (None, getattr(event, "interval", None)):
        return False
    return (chosen.ts_from is None or _at(event) >= chosen.ts_from) and (
        chosen.ts_to is None or _at(event) < chosen.ts_to
    )


def audited(
    events: Sequence[Message], *answers: Sequence[Range], rules: Mapping[str, Rules] = EACH, **times: int
) -> list[StreamAudit]:
    """Return what is found in a store of these events, which answers so when asked for its coverage."""
    streams = {(event.exchange, event.channel, event.symbol) for event in events}

    async def run() -> list[StreamAudit]:
        return [result async for result in audit(Shelf(events, [*answers] or [()]), streams, rules, **times)]

    return asyncio.run(run())


def told(results: Sequence[StreamAudit]) -> set[tuple[str, int, int]]:
    """Return kind and times of what is no mere note."""
    return {(f.kind, f.ts_from, f.ts_to) for result in results for f in result.findings if not f.note}


def the(results: Sequence[StreamAudit], channel: str) -> StreamAudit:
    (found,) = [result for result in results if result.channel == channel]
    return found


def trade(number: int, ts: int, count: int = 1, **more: Any) -> Trade:
    return Trade(*AT, ts, ts + LATENCY, Decimal(number % 7 + 1), Decimal("0.5"), "buy", str(number), count, **more)


def ledger(channel: str, events: Sequence[Message], gaps: Sequence[tuple[int, int, int | None]]) -> list[Range]:
    """Return the ranges that a store draws of a stream that was heard from the first event to the last."""
    line = Timeline(*AT[:1], channel, AT[1])
    times = [_at(event) for event in events]
    line.apply(Connected("x", "A", None, min(times), channel, "s", ts_from=min(times)))
    for start, end, count in gaps:
        line.apply(Gap("x", "A", None, end, channel, "s", "dropped", count, start, end))
    line.heartbeat(max(times) + S)
    return line.ranges


# Breaks between stretches of trades: what is missing, and what the ledger says of it.
Break = tuple[int, Literal["recorded", "unknown", "unrecorded", "miscounted"]]
BREAKS = st.lists(
    st.tuples(
        st.integers(3, 6),
        st.integers(0, 50),
        st.sampled_from(["recorded", "unknown", "unrecorded", "miscounted"]),
    ),
    max_size=8,
)


@given(BREAKS, st.lists(st.integers(1, 9), min_size=1, max_size=5), st.booleans(), st.randoms())
def test_exactly_the_holes_that_are_not_recorded_are_found(
    breaks: list[tuple[int, int, str]], counts: list[int], fills: bool, random: Any
) -> None:
    trades: list[Trade] = []
    gaps: list[tuple[int, int, int | None]] = []
    expected: set[tuple[str, int, int]] = set()
    number, ts = 100, T0
    for stretch, missing, say in [*breaks, (3, 0, "end")]:
        for _ in range(stretch):
            count = counts[len(trades) % len(counts)] if fills else 1
            number, ts = number + count, ts + S
            trades.append(trade(number, ts, count))
        number += missing
        before, after = ts, ts + S
        if say in ("recorded", "unknown", "miscounted"):
            gaps.append((before, after, {"recorded": missing or None, "unknown": None, "miscounted": missing + 1}[say]))
            if not missing:
                expected.add(("needless gap", before, after))
            elif say == "miscounted":
                expected.add(("wrong count", before, after))
        elif say == "unrecorded" and missing:
            expected.add(("unrecorded gap", before, after + LATENCY))
    holes = [missing for _, missing, _ in breaks if missing]
    ranges = ledger("trade", trades, gaps)
    random.shuffle(trades)
    (result,) = audited(trades, ranges, rules=FILLS if fills else EACH)
    assert told([result]) == expected
    assert (result.rows, result.runs, result.holes) == (len(trades), len(holes) + 1, len(holes))
    assert (result.missing, result.faults) == (sum(holes), len(expected))


@given(
    st.lists(st.integers(0, 1200), min_size=4, max_size=60),
    st.sets(st.integers(0, 59)),
    st.sets(st.integers(0, 70), max_size=30),
)
def test_candles_are_held_against_their_trades_where_all_of_these_are_there(
    steps: list[int], dropped: set[int], wrong: set[int]
) -> None:
    ts, trades = T0, []
    for number, step in enumerate(steps):
        ts += step * 1_000_000
        trades.append(trade(number, ts))
    candles = [evolve(candle, ts_event=candle.open_time + S) for candle in resampled(trades, "1s")]
    stored = [item for number, item in enumerate(trades) if number not in dropped]
    there = {int(item.trade_id) for item in stored}
    expected = set()
    for number, candle in enumerate(candles):
        ids = [n for n, item in enumerate(trades) if candle.open_time <= _at(item) < candle.open_time + S]
        if number in wrong:
            candles[number] = evolve(candle, volume=candle.volume + 1)
            if set(range(ids[0] - 1, ids[-1] + 2)) <= there:
                expected.add(("wrong candle", candle.open_time, candle.open_time + S))
    results = audited([*stored, *candles], rules=EACH)
    assert {item for item in told(results) if item[0] == "wrong candle"} == expected


@given(st.integers(1, 6), st.sets(st.integers(0, 40)), st.sampled_from([1, 60]))
def test_missing_candles_are_found_by_the_grid(size: int, dropped: set[int], seconds: int) -> None:
    step = seconds * S
    candles = [bar(T0 + n * step, f"{seconds}s") for n in range(41) if n not in dropped or n in (0, 40)]
    gone = [n for n in range(1, 40) if n in dropped]
    starts = [n for n in gone if n - 1 not in gone]
    results = audited(candles, ledger(f"candle_{seconds}s", candles, []))
    (result,) = results
    assert [finding.first for finding in result.findings] == [T0 + n * step for n in starts]
    assert (result.missing, result.holes) == (len(gone), len(starts))


def bar(open_time: int, interval: str = "1m", **more: Any) -> Candle:
    one = Decimal(1)
    return Candle(*AT, open_time, open_time, interval, open_time, None, one, one, one, one, one, None, 1, True, **more)


Link = Callable[[int, int, int], BookDelta]


def spot(before: int, sequence: int, ts: int) -> BookDelta:
    return BookDelta(*AT, ts, ts + LATENCY, EMPTY, EMPTY, before + 1, sequence, None)


def futures(before: int, sequence: int, ts: int) -> BookDelta:
    return BookDelta(*AT, ts, ts + LATENCY, EMPTY, EMPTY, before + 5, sequence, before)


@given(
    st.sampled_from([spot, futures]),
    st.lists(st.integers(1, 5), min_size=4, max_size=40),
    st.sets(st.integers(1, 38)),
    st.sets(st.integers(1, 40)),
)
def test_a_chain_breaks_where_updates_are_gone_and_goes_on_through_a_reset(
    link: Link, steps: list[int], dropped: set[int], resets: set[int]
) -> None:
    last = 1000
    updates: list[BookDelta] = []
    for number, step in enumerate(steps):
        # Each count has numbers of its own, so that none seems to continue another one.
        following = number if link is futures and number in resets else last + step * 100
        updates.append(link(last, following, T0 + number * S))
        last = following
    gone = {n for n in dropped if n < len(updates) - 1}
    stored = [item for n, item in enumerate(updates) if n not in gone]
    ends = [(n - 1, min(m for m in range(n, len(updates)) if m not in gone)) for n in gone if n - 1 not in gone]
    (result,) = audited(stored, ledger("book", stored, []))
    assert told([result]) == {("unrecorded gap", T0 + n * S, T0 + m * S + LATENCY) for n, m in ends}


def test_updates_of_one_instant_are_followed_by_their_links() -> None:
    chain = [(100, 900), (900, 901), (901, 3), (3, 4)]
    updates = [futures(99, 100, T0), *[futures(before, after, T0 + S) for before, after in chain]]
    assert not audited(updates, ledger("book", updates, []))[0].findings


def whole(sequence: int | None, ts: int, bid: str = "10", ask: str = "11", event: bool = True) -> BookSnapshot:
    at = ts if event else None
    return BookSnapshot(*AT, at, ts, Levels([(bid, "1")]), Levels([(ask, "1")]), None, sequence)


def change(
    before: int, ts: int, bids: Sequence[tuple[str, str]] = (), asks: Sequence[tuple[str, str]] = ()
) -> BookDelta:
    return BookDelta(*AT, ts, ts + LATENCY, Levels(bids), Levels(asks), before + 1, before + 1, None)


@pytest.mark.parametrize(("seconds", "found"), [(0.5, False), (3, True)])
def test_a_book_that_stays_crossed_is_found(seconds: float, found: bool) -> None:
    end = T0 + 2 * S + int(seconds * S)
    events = [
        whole(100, T0),
        change(100, T0 + S, [("10.5", "1")]),
        change(101, T0 + 2 * S, [("11", "2")]),
        change(102, end, [("11.0", "0")]),
        change(103, end + 9 * S, [("9", "1")]),
    ]
    results = audited(events, ledger("book", events, []))
    assert told(results) == ({("crossed book", T0 + 2 * S, end)} if found else set())
    gap = Range("x", "book", "A", T0, end, "gap", "crash")
    assert "crossed book" not in {kind for kind, _, _ in told(audited(events, [gap]))}


def test_a_snapshot_fetched_may_come_behind_the_updates_that_follow_it() -> None:
    crossing = [("12", "1")]
    events = [
        change(100, T0, [("10.5", "1")]),
        change(101, T0 + S // 2, crossing),
        whole(100, T0 + S, event=False),  # its time is that of its receipt
        change(102, T0 + 4 * S, [("12", "0")]),
        whole(101, T0 + 5 * S, event=False),  # older than the book, which has no need of it
        change(103, T0 + 6 * S),
    ]
    results = audited(events, ledger("book", events, []))
    assert told(results) == {("crossed book", T0 + S // 2, T0 + 4 * S)}


def test_behind_a_break_a_book_is_not_known_until_the_next_snapshot() -> None:
    events = [
        whole(100, T0),
        change(100, T0 + S, [("10.5", "1")]),
        change(120, T0 + 2 * S, [("12", "1")]),
        change(121, T0 + 9 * S, [("9", "1")]),
        whole(122, T0 + 10 * S),
        change(122, T0 + 11 * S, [("9", "2")]),
    ]
    (result,) = audited(events, ledger("book", events, [(T0 + S, T0 + 10 * S, None)]))
    assert (result.verdict, result.holes, result.recorded) == ("its gaps are recorded", 1, 1)


def test_what_fits_the_ledger_before_or_after_the_reading_is_no_finding() -> None:
    trades = [trade(n, T0 + n * S) for n in (1, 2, 5, 6)]
    healed = ledger("trade", trades, [])
    gap = ledger("trade", trades, [(T0 + 2 * S, T0 + 5 * S, 2)])
    assert not told(audited(trades, gap, healed))  # filled behind our back
    assert not told(audited(trades, healed, gap))  # came while we read
    assert told(audited(trades, healed, healed)) == {("unrecorded gap", T0 + 2 * S, T0 + 5 * S + LATENCY)}


def test_a_hole_may_lie_in_several_gaps_and_a_gap_around_several_holes() -> None:
    trades = [trade(n, T0 + n * S) for n in (1, 2, 3, 8, 9, 20, 25, 30, 31)]
    gaps = [(T0 + 3 * S, T0 + 5 * S, 3), (T0 + 6 * S, T0 + 7 * S, 1), (T0 + 9 * S, T0 + 30 * S, 18)]
    ranges = ledger("trade", trades, gaps)
    (result,) = audited(trades, ranges)
    assert (result.findings, result.holes, result.recorded) == ([], 4, 4)
    fewer = [evolve(item, missing=2) if item.missing == 1 else item for item in ranges]
    assert [f.text for f in audited(trades, fewer)[0].findings] == [
        "5 trades recorded as missing, of the numbers 4 to 7 4 are"
    ]


def test_a_gap_at_the_edge_of_what_was_read_is_not_judged() -> None:
    trades = [trade(n, T0 + n * S) for n in range(1, 9)]
    ranges = [Range("x", "trade", "A", T0, T0 + S // 2, "gap", "crash"), *ledger("trade", trades, [])]
    ranges.append(Range("x", "trade", "A", T0 + 9 * S, T0 + 60 * S, "gap", "stopped"))
    assert not told(audited(trades, ranges))
    needless = Range("x", "trade", "A", T0 + 4 * S, T0 + 5 * S, "gap", "connection lost")
    (result,) = audited(trades, [*ranges[:1], needless, ranges[-1]])
    assert {kind for kind, _, _ in told([result])} == {"needless gap"}
    assert not told(audited(trades, ranges, ts_from=T0 + 3 * S, ts_to=T0 + 6 * S))


def test_merged_fills_beside_their_single_ones_are_told() -> None:
    trades = [trade(10, T0, 3), trade(13, T0 + S, 3), trade(11, T0 + S), trade(12, T0 + S), trade(14, T0 + 2 * S)]
    (result,) = audited(trades, ledger("trade", trades, []), rules=FILLS)
    (finding,) = result.findings
    assert (finding.kind, finding.count, finding.first) == ("stored twice", 2, 11)


def test_numberings_are_judged_apart_and_share_a_ledger() -> None:
    rules = {"x": Rules({None: "each", "agg": "each"}, (None,))}
    trades = [trade(n, T0 + n * S) for n in (1, 2, 5, 6)] + [trade(n, T0 + n * S, id_space="agg") for n in (1, 2, 3)]
    results = audited(trades, ledger("trade", trades, [(T0 + 2 * S, T0 + 5 * S, None)]), rules=rules)
    assert [(r.channel, r.holes, r.recorded, r.verdict) for r in results] == [
        ("trade", 1, 1, "its gaps are recorded"),
        ("trade@agg", 0, 0, "no holes"),
    ]


@pytest.mark.parametrize(
    ("rules", "ids", "why"),
    [
        ({}, ["1", "5"], "no installed plugin tells how this exchange numbers its trades"),
        ({"x": Rules({"agg": "each"}, ())}, ["1", "5"], "these ids are not dense by what the exchange's plugin says"),
        (EACH, ["1", "a5"], "ids that are no numbers"),
    ],
)
def test_ids_that_say_nothing_are_not_judged(rules: Mapping[str, Rules], ids: list[str], why: str) -> None:
    trades = [evolve(trade(1, T0 + n * S), trade_id=text) for n, text in enumerate(ids)]
    (result,) = audited(trades, ledger("trade", trades, []), rules=rules)
    assert (result.unjudged, result.findings, result.verdict) == (why, [], f"not judged: {why}")


def test_ids_full_of_holes_are_not_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST", 10)
    trades = [trade(n * 3, T0 + n * S) for n in range(40)]
    (result,) = audited(trades, ledger("trade", trades, []))
    assert result.unjudged is not None
    assert "ids are not dense" in result.unjudged


def test_numbers_that_bear_no_event_are_no_hole() -> None:
    trades = [trade(n, T0 + n * S) for n in (1, 2, 5, 6, 10, 11, 14, 15)]
    unused = [
        Backfilled(*AT, None, T0 + 60 * S, "trade", "s", NO_EVENT, count, T0, T0, sequences)
        for count, sequences in ((2, (3, 4)), (1, (8, 8)), (2, (12, 13)))
    ]
    fetched = Backfilled(*AT, None, T0, "trade", "s", "fetched", 2, T0, T0, (3, 4))
    (result,) = audited([*trades, *unused, fetched], ledger("trade", trades, [(T0 + 6 * S, T0 + 10 * S, 2)]))
    assert (result.runs, result.holes, result.missing, result.unused) == (2, 1, 2, 5)
    assert (result.recorded, result.findings) == (1, [])
    bars = [bar(T0 + n * 60 * S) for n in (0, 3, 4, 6)]
    quiet = Backfilled(*AT, None, T0, "candle_1m", "s", NO_EVENT, 2, T0, T0, (T0 + 60 * S, T0 + 120 * S))
    (result,) = audited([*bars, quiet], ledger("candle_1m", bars, []))
    assert (result.unused, [finding.first for finding in result.findings]) == (2, [T0 + 300 * S])


def test_rows_outside_every_range_are_noted_and_no_fault() -> None:
    trades = [trade(n, T0 + n * S) for n in range(60)]
    ranges = ledger("trade", trades[20:30], [])
    (result,) = audited(trades, ranges)
    (finding,) = result.findings
    assert (finding.kind, finding.note, finding.count, result.verdict) == ("outside coverage", True, 39, "no holes")


def test_what_was_missed_before_collection_began_is_noted_only() -> None:
    trades = [trade(1, T0), *[trade(n, T0 + n * S) for n in range(100, 120)]]
    (result,) = audited(trades, ledger("trade", trades[1:], []))
    assert [(f.kind, f.note) for f in result.findings] == [("unrecorded gap", True), ("outside coverage", True)]
    assert (result.faults, result.verdict) == (0, "see the notes")


def test_what_has_no_rows_or_no_numbers_is_not_called_whole() -> None:
    heard = [Connected("x", "A", None, T0, channel, "s", ts_from=T0) for channel in ("trade", "book", "candle_1m")]
    assert {result.verdict for result in audited(heard)} == {"no rows"}
    assert [result.verdict for result in audited([whole(7, T0)])] == ["nothing to judge by"]


def test_an_interval_without_trades_has_no_volume() -> None:
    trades = [trade(n, T0 + n * 60 * S) for n in (0, 1, 4, 5)]
    trades = [evolve(item, trade_id=str(n)) for n, item in enumerate(trades)]
    candles = [*resampled(trades, "1m"), bar(T0 + 120 * S), bar(T0 + 180 * S)]
    candles[-1] = evolve(candles[-1], volume=Decimal(0), trade_count=0)
    results = audited([*trades, *candles])
    assert told(results) == {("wrong candle", T0 + 120 * S, T0 + 180 * S)}
    assert the(results, "candle_1m").compared == 4
    assert the(results, "candle_1m").findings[0].text == "not what its trades make: volume 1 where there were no trades"


def test_trades_of_a_kind_of_their_own_leave_their_candle_unjudged() -> None:
    trades = [trade(n, T0 + n * 60 * S, kind="adl" if n == 2 else None) for n in range(5)]
    candles = [evolve(candle, volume=Decimal(9)) for candle in resampled(trades, "1m")]
    results = audited([*trades, *candles])
    assert {start for _, start, _ in told(results)} == {T0 + 60 * S, T0 + 180 * S}


def test_open_candles_are_left_out_and_months_are_not_judged() -> None:
    results = audited([bar(T0), evolve(bar(T0 + 180 * S), closed=False), bar(T0, "1M")])
    assert [(r.channel, r.rows, r.verdict) for r in results] == [
        ("candle_1M", 1, "not judged: candles of this interval differ in length"),
        ("candle_1m", 1, "no holes"),
    ]


def test_candles_of_another_zone_have_a_grid_of_their_own() -> None:
    day = 86_400 * S
    begin = T0 - T0 % day + 16 * 3600 * S
    bars = [bar(begin - n * day, "1d@+08:00") for n in (5, 4, 2)]
    (result,) = audited(bars)
    assert (result.holes, result.findings[0].first) == (1, begin - 3 * day)


def test_a_connector_says_which_trades_make_candles() -> None:
    class Plain:
        trade_numbering: Mapping[str | None, str] = {None: "each", "agg": "each"}

    class Aggregates:
        trade_numbering: Mapping[str | None, str] = {"agg": "each"}
        candle_trades = ("agg",)

    assert Rules.of(Plain) == Rules({None: "each", "agg": "each"}, (None,))
    assert Rules.of(Aggregates) == Rules({"agg": "each"}, ("agg",))
    assert Rules.of(object) == Rules({}, ())


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)), max_size=60))
def test_runs_are_what_a_set_says_in_any_order(pieces: list[tuple[int, int]]) -> None:
    found, numbers, twice = Runs(), set[int](), 0
    for first, more in pieces:
        piece = set(range(first, first + more + 1))
        twice += len(piece & numbers)
        numbers |= piece
        found.add(first, first + more, Span(first, first))
    gone = [n for n in range(min(numbers, default=0), max(numbers, default=0)) if n not in numbers]
    assert [n for hole in found.holes() for n in range(hole.first, hole.last + 1)] == gone
    assert found.twice == twice


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8), st.integers(1, 3)), max_size=8),
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6), st.none() | st.integers(1, 4)), max_size=8),
)
def test_holes_and_gaps_are_joined_as_far_as_they_meet(
    spans: list[tuple[int, int, int]], steps: list[tuple[int, int, int | None]]
) -> None:
    holes = [Hole(T0 + at * S, T0 + (at + n) * S, at, at, count) for at, n, count in spans]
    gaps, end = [], T0
    for apart, length, missing in steps:
        gaps.append(Range("x", "trade", "A", end + apart * S, end + (apart + length) * S, "gap", "lost", missing))
        end = gaps[-1].ts_to
    seen = Seen("x", "trade", "A", "trades", holes, Span(T0 - S, end + 99 * S))
    met = [
        {n for n, gap in enumerate(gaps) if hole.ts_from <= gap.ts_to and gap.ts_from <= hole.ts_to} for hole in holes
    ]
    expected = [("unrecorded gap", hole.ts_from) for hole, found in zip(holes, met, strict=True) if not found]
    expected += [("needless gap", gap.ts_from) for n, gap in enumerate(gaps) if not any(n in found for found in met)]
    groups: list[set[int]] = []
    for found in filter(None, met):
        joined = found.union(*[group for group in groups if group & found])
        groups = [*[group for group in groups if not group & found], joined]
    for group in groups:
        count = sum(hole.count or 0 for hole, found in zip(holes, met, strict=True) if found & group)
        told = [gaps[n].missing for n in group]
        recorded = sum(missing or 0 for missing in told)
        if recorded > count or (recorded < count and None not in told):
            expected.append(("wrong count", gaps[min(group)].ts_from))
    recorded, findings = compare(seen, gaps)
    assert recorded == sum(bool(found) for found in met)
    assert sorted((finding.kind, finding.ts_from) for finding in findings) == sorted(expected)


def test_of_very_many_findings_the_rest_is_counted() -> None:
    result = StreamAudit("x", "trade", "A")
    for number in range(1500):
        result.add(Finding("x", "trade", "A", "stored twice", number, number, "", ""))
    assert (len(result.findings), result.more, result.faults, result.verdict) == (1000, 500, 1500, "1,500 findings")
