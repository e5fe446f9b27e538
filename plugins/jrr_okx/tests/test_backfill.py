"""What is missing is asked for page by page and found, or said not to be there, within a bounded number of requests."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jrr_okx.connector import OkxConnector, OkxSettings
from jrr_okx.parser import OkxParser

from jrr_core.connector import Rate
from jrr_core.errors import ParseError
from jrr_core.events import Candle, FundingRate, Message, Trade
from jrr_core.frame import Absent, Frame, Hole, HttpGet
from jrr_core.pages import Grid, Page, absent
from jrr_core.parser import Refilling
from jrr_core.subscription import Subscription
from jrr_core.testing import FUZZ_EXAMPLES, damage
from jrr_core.wire import encode

S, MS = 10**9, 10**6
MINUTE, DAY = 60 * S, 86_400 * S
NOW = 1_791_382_980 * S
RECV = NOW + 3 * DAY
SYMBOL = "BTC-USDT-SWAP"
Answer = tuple[int, object]
CONNECTOR = OkxConnector(OkxSettings(rest_url="http://r/"))


def parser_of() -> OkxParser:
    return CONNECTOR.parser([Subscription("okx", "trade", SYMBOL)])


def trades(first: int, last: int, space: str | None = None, symbol: str = SYMBOL) -> Hole:
    return Hole("trade", symbol, space, first, last, last - first + 1)


def candles(first: int, count: int, interval: str = "1m", step: int = MINUTE) -> Hole:
    return Hole(f"candle_{interval}", SYMBOL, None, first, first + (count - 1) * step, count)


def fill(number: int) -> dict[str, object]:
    return {"instId": SYMBOL, "side": "sell", "sz": "0.01", "source": "0", "px": "29963.2", "tradeId": str(number),
            "ts": "1654161646974"}  # fmt: skip


def candle(opened: int, confirm: str = "1") -> list[str]:
    return [str(opened // MS), "1", "4", "0.5", "2", "10", "0.1", "20.0", confirm]


def settlement(time: int, realized: str = "0.0000746572360545") -> dict[str, str]:
    return {"instType": "SWAP", "instId": SYMBOL, "fundingRate": "0.0000746604960499", "realizedRate": realized,
            "fundingTime": str(time // MS), "method": "current_period", "formulaType": "noRate"}  # fmt: skip


def listed(data: Sequence[object]) -> Answer:
    return 200, {"code": "0", "msg": "", "data": data}


def refused(code: str, text: str, status: int = 200) -> Answer:
    return status, {"code": code, "msg": text, "data": []}


class Exchange:
    """Answers as OKX does, newest first; a `stale` number of answers come from a cache without the newest `behind`."""

    def __init__(self, ids: Sequence[int] = (), opened: Sequence[int] = (), settled: Sequence[int] = ()) -> None:
        self.ids, self.opened, self.settled = sorted(ids), sorted(opened), sorted(settled)
        self.stale, self.behind = 0, 50
        self.latest_candles = 1440
        self.asked: list[str] = []

    def get(self, request: HttpGet) -> Answer:
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        self.asked.append(url.path.rpartition("/")[2])
        assert query["instId"]
        answer: Callable[[dict[str, str]], list[object]] = getattr(self, self.asked[-1].replace("-", "_"))
        return listed(answer(query))

    def _known(self, numbers: list[int]) -> list[int]:
        if not self.stale:
            return numbers
        self.stale -= 1
        return numbers[: -self.behind or None]

    @staticmethod
    def _between(numbers: list[int], query: dict[str, str], most: int, unit: int = 1) -> list[int]:
        limit = int(query["limit"])
        assert 1 <= limit <= most
        older, newer = int(query.get("after", 1 << 62)), int(query.get("before", -1))
        return [number for number in numbers if newer < number // unit < older][-limit:][::-1]

    def trades(self, query: dict[str, str]) -> list[object]:
        assert set(query) == {"instId", "limit"}
        return [fill(number) for number in self._between(self._known(self.ids), query, 500)]

    def history_trades(self, query: dict[str, str]) -> list[object]:
        assert query["type"] == "1"
        return [fill(number) for number in self._between(self._known(self.ids), query, 100)]

    def candles(self, query: dict[str, str]) -> list[object]:
        newest = self._known(self.opened)[-self.latest_candles :]
        return [candle(opened) for opened in self._between(newest, query, 300, MS)]

    def history_candles(self, query: dict[str, str]) -> list[object]:
        return [candle(opened) for opened in self._between(self._known(self.opened), query, 300, MS)]

    def funding_rate_history(self, query: dict[str, str]) -> list[object]:
        return [settlement(time) for time in self._between(self._known(self.settled), query, 400, MS)]


def frame(request: HttpGet, answer: Answer, at: int = RECV) -> Frame:
    status, body = answer
    return Frame("okx", body if isinstance(body, str | bytes) else encode(body), at, request.tag, status)


class Outcome:
    """What became of one hole."""

    def __init__(self, parser: OkxParser, hole: Hole, get: Callable[[HttpGet], Answer], most: int = 400) -> None:
        self.events: list[Message] = []
        self.absent: list[Absent] = []
        self.requests: list[HttpGet] = []
        self.errors: list[str] = []
        assert parser.refill(hole)
        while parser.requests:
            request = parser.requests.pop(0)
            if isinstance(request, Absent):
                self.absent.append(request)
                continue
            assert isinstance(request, HttpGet)
            assert (request.patient, request.weight) == (True, 1)
            self.requests.append(request)
            assert len(self.requests) <= most
            try:
                self.events += parser.receive(frame(request, get(request)))
            except ParseError as error:
                self.errors.append(str(error))

    @property
    def ids(self) -> list[int]:
        return [int(event.trade_id) for event in self.events if isinstance(event, Trade)]

    @property
    def missing(self) -> list[tuple[int, int, int]]:
        return [(item.hole.first, item.hole.last, item.hole.count) for item in self.absent]

    @property
    def pools(self) -> list[str]:
        return [request.pool for request in self.requests]


@pytest.mark.parametrize("space", [None, "fill"])
def test_a_small_hole_is_found_among_the_newest_fills(space: str | None) -> None:
    outcome = Outcome(parser_of(), trades(905, 907, space), Exchange(range(1, 1000)).get)
    (request,) = outcome.requests
    assert request.url == "http://r/api/v5/market/trades?instId=BTC-USDT-SWAP&limit=500"
    assert (request.pool, request.after_s) == ("okx-trades", 0.0)
    assert outcome.events == [
        Trade("okx", SYMBOL, 1654161646974 * MS, RECV, Decimal("29963.2"), Decimal("0.01"), "sell", number, 1, None,
              space)
        for number in ("905", "906", "907")
    ]  # fmt: skip
    assert outcome.absent == []


def test_what_the_newest_fills_do_not_reach_is_in_the_history() -> None:
    outcome = Outcome(parser_of(), trades(495, 510), Exchange(range(1, 1000)).get)
    assert sorted(outcome.ids) == list(range(495, 511))
    assert [request.url for request in outcome.requests[1:]] == [
        "http://r/api/v5/market/history-trades?instId=BTC-USDT-SWAP&type=1&after=501&limit=6"
    ]
    assert outcome.pools == ["okx-trades", "okx-history-trades"]


def test_a_large_hole_is_paged_through_the_history() -> None:
    outcome = Outcome(parser_of(), trades(101, 1000), Exchange(range(1, 5000)).get)
    assert outcome.ids == list(range(101, 1001))
    assert set(outcome.pools) == {"okx-history-trades"}
    assert len(outcome.requests) == 9


def test_ids_the_exchange_does_not_list_are_said_to_be_absent() -> None:
    present = [*range(1, 300), *range(310, 900), *range(902, 3000)]
    outcome = Outcome(parser_of(), trades(101, 1000), Exchange(present).get)
    assert outcome.missing == [(300, 309, 10), (900, 901, 2)]
    assert {item.reason for item in outcome.absent} == {"the exchange does not list them"}
    assert [request.after_s for request in outcome.requests] == [0.0] * 10


def test_what_a_cache_does_not_hold_yet_is_asked_for_again() -> None:
    exchange = Exchange(range(1, 1000))
    exchange.stale = 3
    outcome = Outcome(parser_of(), trades(940, 990), exchange.get)
    assert exchange.asked == ["trades", "history-trades", "history-trades", "history-trades"]
    assert [request.after_s for request in outcome.requests] == [0.0, 0.0, 1.0, 3.0]
    assert sorted(set(outcome.ids)) == list(range(940, 991))
    assert outcome.absent == []


def test_what_never_comes_is_given_up() -> None:
    outcome = Outcome(parser_of(), trades(940, 990), Exchange(range(1, 980)).get)
    assert sorted(set(outcome.ids)) == list(range(940, 980))
    assert outcome.missing == [(980, 990, 11)]
    assert [request.after_s for request in outcome.requests] == [0.0, 0.0, 1.0, 3.0, 10.0]


def test_a_hole_older_than_the_history_at_its_beginning_is_filled_from_where_it_can() -> None:
    outcome = Outcome(parser_of(), trades(1, 1000), Exchange(range(600, 3000)).get)
    assert outcome.ids == list(range(600, 1001))
    assert sum(count for _, _, count in outcome.missing) == 599
    assert [request.after_s for request in outcome.requests if request.after_s] == [1.0, 3.0, 10.0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refused("51001", "Instrument ID doesn't exist."), "51001 Instrument ID doesn't exist."),
        (refused("51000", "Parameter after error", 400), "HTTP 400 51000 Parameter after error"),
        ((404, "<html>"), "HTTP 404"),
    ],
)
def test_a_refusal_is_the_reason(answer: Answer, reason: str) -> None:
    outcome = Outcome(parser_of(), trades(5, 700), lambda request: answer)
    assert outcome.absent == [Absent(trades(5, 700), reason)]
    assert len(outcome.requests) == 1


@pytest.mark.parametrize("answer", [refused("50011", "Too Many Requests"), refused("50001", "down", 503), (403, "<")])
def test_what_is_refused_for_now_is_asked_for_again(answer: Answer) -> None:
    outcome = Outcome(parser_of(), trades(5, 9), lambda request: answer)
    assert [request.after_s for request in outcome.requests] == [0.0, 0.0, 1.0, 3.0, 10.0]
    assert [item.hole for item in outcome.absent] == [trades(5, 9)]


@pytest.mark.parametrize("body", ["<html>", "{}", '{"code":"0"}', '{"code":"0","data":[{"tradeId":"x"}]}'])
def test_an_answer_that_is_none_is_an_error_and_in_the_end_absent(body: str) -> None:
    outcome = Outcome(parser_of(), trades(5, 9), lambda request: (200, body))
    assert len(outcome.errors) == 5
    assert [item.hole for item in outcome.absent] == [trades(5, 9)]


@pytest.mark.parametrize(
    "hole",
    [trades(1, 2, "agg"), Hole("book", SYMBOL, None, 1, 2, 2), candles(0, 1, "8h"), candles(0, 1, "1m@+08:00"),
     Hole("liquidation", SYMBOL, None, 1, 2, 2)],
)  # fmt: skip
def test_what_cannot_be_had_is_said_at_once(hole: Hole) -> None:
    parser = parser_of()
    assert isinstance(parser, Refilling)
    assert not parser.refill(hole)
    assert parser.requests == []


def test_replay_asks_for_nothing_and_reads_what_was_answered() -> None:
    parser = OkxParser(None)
    assert not parser.refill(trades(5, 7))
    tag = Page("/api/v5/market/history-trades", trades(5, 9)).tag
    rows = encode(listed([fill(9), fill(5)])[1])
    assert [event.symbol for event in parser.receive(Frame("okx", rows, RECV, tag))] == [SYMBOL, SYMBOL]
    assert parser.receive(Frame("okx", "{}", RECV, tag, 400)) == ()
    with pytest.raises(ParseError):
        parser.receive(Frame("okx", "{}", RECV, tag))
    gone = [request for request in parser.requests if isinstance(request, Absent)]
    assert parser.requests == gone
    assert gone[0].hole == trades(6, 8)


def test_an_answer_that_looks_like_a_push_is_read_as_an_answer() -> None:
    parser = parser_of()
    push = encode({"arg": {"channel": "trades", "instId": SYMBOL}, "data": [fill(5)]})
    assert len(parser.receive(Frame("okx", push, RECV))) == 1
    with pytest.raises(ParseError):
        parser.receive(Frame("okx", push, RECV, Page("/api/v5/market/trades", trades(5, 9)).tag))


def test_missing_candles_are_asked_for_by_time_with_one_more_behind_them() -> None:
    opened = [NOW + number * MINUTE for number in range(-3, 10)]
    outcome = Outcome(parser_of(), candles(NOW, 3), Exchange(opened=opened).get)
    (request,) = outcome.requests
    assert request.url == (
        "http://r/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=1m"
        f"&before={NOW // MS - 1}&after={opened[6] // MS + 1}&limit=4"
    )
    assert request.pool == "okx-candles"
    assert outcome.events == [
        Candle("okx", SYMBOL, None, RECV, "1m", at, None, Decimal(1), Decimal(4), Decimal("0.5"), Decimal(2),
               Decimal(10), Decimal("20.0"), None, True)
        for at in opened[3:6]
    ]  # fmt: skip
    assert outcome.absent == []


def test_an_open_candle_is_not_given() -> None:
    rows = [candle(NOW + MINUTE, "0"), candle(NOW)]
    outcome = Outcome(parser_of(), candles(NOW, 2), lambda request: listed(rows))
    assert {event.open_time for event in outcome.events if isinstance(event, Candle)} == {NOW}
    assert outcome.missing == [(NOW + MINUTE, NOW + MINUTE, 1)]


def test_older_candles_are_in_the_history() -> None:
    opened = [NOW + number * MINUTE for number in range(2000) if number not in (5, 6, 1500)]
    exchange = Exchange(opened=opened)
    exchange.latest_candles = 700
    outcome = Outcome(parser_of(), candles(NOW, 1400), exchange.get)
    found = [event.open_time for event in outcome.events if isinstance(event, Candle)]
    assert sorted(found) == [time for time in opened if time < NOW + 1400 * MINUTE]
    assert outcome.missing == [(NOW + 5 * MINUTE, NOW + 6 * MINUTE, 2)]
    assert set(outcome.pools) == {"okx-candles", "okx-history-candles"}
    old = Outcome(parser_of(), candles(NOW, 1441), exchange.get)
    assert set(old.pools) == {"okx-history-candles"}
    assert len(old.requests) == 5


@pytest.mark.parametrize(("interval", "bar"), [("1m", "1m"), ("2h", "2H"), ("1d", "1Dutc"), ("1d@+08:00", "1D")])
def test_candles_are_asked_for_by_the_exchanges_own_bars(interval: str, bar: str) -> None:
    parser = parser_of()
    assert parser.refill(candles(NOW // DAY * DAY, 1, interval))
    (request,) = parser.requests
    assert isinstance(request, HttpGet)
    assert dict(parse_qsl(urlsplit(request.url).query))["bar"] == bar


def test_quarters_are_as_long_as_they_are() -> None:
    january, april, eight = 1_767_225_600 * S, 1_775_001_600 * S, 8 * 3600 * S
    assert Grid.of("candle_3M@+08:00").next(january - eight) == april - eight


def test_settled_rates_are_the_realized_ones_where_there_are() -> None:
    time = 1_703_059_200 * S
    hole = Hole("funding", SYMBOL, None, time, time, 1)
    outcome = Outcome(parser_of(), hole, Exchange(settled=[time]).get)
    (request,) = outcome.requests
    assert request.url == (
        "http://r/api/v5/public/funding-rate-history?instId=BTC-USDT-SWAP"
        "&before=1703059199999&after=1703059201000&limit=400"
    )
    assert request.pool == "okx-funding-history"
    assert outcome.events == [FundingRate("okx", SYMBOL, time, RECV, Decimal("0.0000746572360545"), time, False)]
    other = Outcome(parser_of(), hole, lambda request: listed([settlement(time, "")]))
    assert [event.rate for event in other.events if isinstance(event, FundingRate)] == [Decimal("0.0000746604960499")]


def test_a_settlement_not_listed_yet_is_waited_for_longer() -> None:
    time = 1_703_059_200 * S
    outcome = Outcome(parser_of(), Hole("funding", SYMBOL, None, time, time, 1), Exchange().get)
    assert [request.after_s for request in outcome.requests] == [0.0, 5.0, 30.0, 120.0]
    assert outcome.missing == [(time, time, 1)]


def test_settlements_of_a_long_time_are_all_found() -> None:
    settled = [1_703_059_200 * S + number * 3600 * S for number in range(900)]
    hole = Hole("funding", SYMBOL, None, settled[0], settled[-1], 900)
    outcome = Outcome(parser_of(), hole, Exchange(settled=settled).get)
    assert sorted(event.ts_event or 0 for event in outcome.events) == settled
    assert outcome.absent == []


def test_each_endpoint_has_the_budget_the_exchange_gives_it() -> None:
    assert CONNECTOR.limits.http == {
        "okx-instruments": Rate(20, 2.0), "okx-trades": Rate(100, 2.0), "okx-history-trades": Rate(20, 2.0),
        "okx-candles": Rate(40, 2.0), "okx-history-candles": Rate(20, 2.0), "okx-funding-history": Rate(10, 2.0),
        "okx-time": Rate(10, 2.0),
    }  # fmt: skip


def test_holes_of_several_symbols_and_one_asked_twice_do_not_disturb_each_other() -> None:
    parser, exchange = parser_of(), Exchange(range(1, 3000))
    for hole in (trades(5, 1500), trades(5, 1500), trades(7, 9, symbol="ETH-USDT"), trades(1, 2, "fill")):
        assert parser.refill(hole)
    found: list[Trade] = []
    for _ in range(60):
        if parser.requests:
            request = parser.requests.pop()
            assert isinstance(request, HttpGet)
            found += [e for e in parser.receive(frame(request, exchange.get(request))) if isinstance(e, Trade)]
    assert not parser.requests
    numbers: Mapping[Any, list[int]] = {
        key: sorted(int(e.trade_id) for e in found if (e.symbol, e.id_space) == key)
        for key in {(e.symbol, e.id_space) for e in found}
    }
    assert numbers == {
        (SYMBOL, None): sorted(2 * list(range(5, 1501))), ("ETH-USDT", None): [7, 8, 9], (SYMBOL, "fill"): [1, 2],
    }  # fmt: skip


@given(
    st.sets(st.integers(1, 3_500), max_size=60), st.integers(1, 3_000), st.integers(0, 1_500), st.integers(0, 5),
    st.integers(0, 120),
)  # fmt: skip
def test_what_is_listed_is_found_and_the_rest_is_absent(
    unlisted: set[int], first: int, more: int, stale: int, behind: int
) -> None:
    """However old the answers: nothing is left out, and the requests are few."""
    last = min(first + more, 3_400)
    first = min(first, last)
    exchange = Exchange([number for number in range(1, 3_500) if number not in unlisted])
    exchange.stale, exchange.behind = stale, behind
    outcome = Outcome(parser_of(), trades(first, last), exchange.get, most=(last - first) // 99 + 12)
    gone = {number for item in outcome.absent for number in range(item.hole.first, item.hole.last + 1)}
    assert all(item.hole.count == item.hole.last - item.hole.first + 1 for item in outcome.absent)
    assert set(outcome.ids) | gone == set(range(first, last + 1))
    if stale <= 3:
        assert gone == unlisted & set(range(first, last + 1))


@given(st.sets(st.integers(0, 40)), st.integers(0, 30), st.integers(0, 12))
def test_runs_of_absent_numbers_are_all_that_is_not_present(present: set[int], first: int, more: int) -> None:
    numbers = range(first, first + more + 1)
    runs = list(absent(trades(first, first + more), numbers, present))
    gone = [number for run in runs for number in range(run.first, run.last + 1)]
    assert gone == [number for number in numbers if number not in present]
    assert [run.count for run in runs] == [run.last - run.first + 1 for run in runs]


SAMPLES: Sequence[tuple[str, Hole, Answer]] = [
    ("market/trades", trades(5, 9), listed([fill(7), fill(5)])),
    ("market/history-trades", trades(5, 9, "fill"), listed([fill(12), fill(5)])),
    ("market/candles", candles(NOW, 5), listed([candle(NOW)])),
    ("market/history-candles", candles(NOW, 5), listed([candle(NOW + MINUTE, "0")])),
    ("public/funding-rate-history", Hole("funding", SYMBOL, None, NOW, NOW + DAY, 3), listed([settlement(NOW)])),
    ("market/history-candles", candles(NOW, 5), refused("50011", "Too Many Requests")),
]
REPLIES = [
    Frame("okx", encode(answer[1]), RECV, Page(f"/api/v5/{path}", hole).tag) for path, hole, answer in SAMPLES
]  # fmt: skip


@settings(max_examples=FUZZ_EXAMPLES // 5, deadline=None, report_multiple_bugs=False)
@given(
    st.sampled_from(REPLIES).flatmap(
        lambda reply: damage.truncated(reply) | damage.bit_flipped(reply) | damage.value_replaced(reply)
    ),
    st.sampled_from([200, 200, 400, 403, 404]),
)
def test_damaged_answers_give_events_nothing_or_parse_error(damaged: Frame, status: int) -> None:
    parser = parser_of()
    with suppress(ParseError):
        events = parser.receive(Frame("okx", damaged.payload, RECV, damaged.tag, status))
        assert all(isinstance(event, Message) for event in events)
    assert all(isinstance(request, HttpGet | Absent) for request in parser.requests)
    assert len([request for request in parser.requests if isinstance(request, HttpGet)]) <= 2


@settings(max_examples=FUZZ_EXAMPLES // 5, deadline=None)
@given(st.text(st.sampled_from("|0123456789trade_candle1M@+:-/apiv5"), max_size=80), st.sampled_from(REPLIES))
def test_damaged_tags_give_events_nothing_or_parse_error(text: str, reply: Frame) -> None:
    whole = reply.tag or ""
    for tag in (f"refill|{text}", whole[: len(text)], f"{whole[:35]}|{text}", f"{whole[:20]}{text}"):
        with suppress(ParseError):
            parser_of().receive(Frame("okx", reply.payload, RECV, tag))
