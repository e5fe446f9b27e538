"""What is missing is asked for page by page and found, or said not to be there, within a bounded number of requests."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jrr_binance.connector import CoinM, CoinmSettings, Spot, SpotSettings, UsdM, UsdmSettings
from jrr_binance.parser import Parser

from jrr_core.connector import Rate
from jrr_core.errors import ParseError
from jrr_core.events import Candle, FundingRate, Message, Trade
from jrr_core.frame import Absent, Frame, Hole, HttpGet
from jrr_core.pages import Grid, Page, absent
from jrr_core.parser import Refilling
from jrr_core.subscription import Subscription
from jrr_core.testing import FUZZ_EXAMPLES, damage

S, MS = 10**9, 10**6
MINUTE, DAY = 60 * S, 86_400 * S
NOW = 1_791_382_990 * S
RECV = NOW + 3 * DAY
Answer = tuple[int, object]
CONNECTORS: Mapping[str, Any] = {
    "binance": Spot(SpotSettings(rest_url="http://r", history_url="http://r")),
    "binance-usdm": UsdM(UsdmSettings(rest_url="http://r")),
    "binance-coinm": CoinM(CoinmSettings(rest_url="http://r")),
}


def parser_of(exchange: str = "binance") -> Parser:
    symbol = "BTCUSD_PERP" if exchange == "binance-coinm" else "BTCUSDT"
    parser: Parser = CONNECTORS[exchange].parser([Subscription(exchange, "trade", symbol)])
    return parser


def trades(first: int, last: int, space: str | None = None, symbol: str = "BTCUSDT") -> Hole:
    return Hole("trade", symbol, space, first, last, last - first + 1)


def candles(first: int, count: int, interval: str = "1m", step: int = MINUTE) -> Hole:
    return Hole(f"candle_{interval}", "BTCUSDT", None, first, first + (count - 1) * step, count)


class Exchange:
    """Answers as Binance does, from what it has; `late` answers come before it has anything of them."""

    def __init__(self, ids: Sequence[int] = (), opened: Sequence[int] = (), settled: Sequence[int] = ()) -> None:
        self.ids, self.opened, self.settled = sorted(ids), sorted(opened), sorted(settled)
        self.late = 0
        self.most = 1000
        self.asked: list[HttpGet] = []

    def get(self, request: HttpGet) -> Answer:
        self.asked.append(request)
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        if self.late:
            self.late -= 1
            return 200, []
        answer: Callable[[dict[str, str]], list[object]] = getattr(self, url.path.rpartition("/")[2])
        assert 1 <= int(query["limit"]) <= 1000
        return 200, answer(query)[: min(int(query["limit"]), self.most)]

    def _from(self, query: dict[str, str]) -> list[int]:
        return [number for number in self.ids if number >= int(query["fromId"])]

    def historicalTrades(self, query: dict[str, str]) -> list[object]:  # noqa: N802 - Binance's name
        return [old_trade(number) for number in self._from(query)]

    def trades(self, query: dict[str, str]) -> list[object]:
        return [old_trade(number) for number in self.ids[-int(query["limit"]) :]]

    def aggTrades(self, query: dict[str, str]) -> list[object]:  # noqa: N802
        return [old_aggregate(number) for number in self._from(query)]

    def klines(self, query: dict[str, str]) -> list[object]:
        first, last = int(query["startTime"]) * MS, int(query["endTime"]) * MS
        return [old_candle(opened) for opened in self.opened if first <= opened <= last]

    def fundingRate(self, query: dict[str, str]) -> list[object]:  # noqa: N802
        first, last = int(query["startTime"]) * MS, int(query["endTime"]) * MS
        return [settlement(time) for time in self.settled if first <= time <= last]


def old_trade(number: int) -> dict[str, object]:
    return {"id": number, "price": "4.00000100", "qty": "12.0", "quoteQty": "48.00", "time": 1499865549590,
            "isBuyerMaker": True, "isBestMatch": True}  # fmt: skip


def old_aggregate(number: int) -> dict[str, object]:
    return {"a": number, "p": "83084.30", "q": "0.002", "nq": "0.002", "f": 2 * number, "l": 2 * number + 1,
            "T": 1791382990569, "m": True}  # fmt: skip


def old_candle(opened: int, length: int = MINUTE) -> list[object]:
    return [opened // MS, "1", "4", "0.5", "2", "10", (opened + length) // MS - 1, "20.0", 7, "5", "10", "0"]


def settlement(time: int) -> dict[str, object]:
    return {"symbol": "BTCUSDT", "fundingTime": time // MS + 2, "fundingRate": "-0.00000743", "markPrice": "85516.5",
            "rateType": "Regular"}  # fmt: skip


def frame(request: HttpGet, answer: Answer, at: int = RECV) -> Frame:
    status, body = answer
    return Frame("x", body if isinstance(body, str | bytes) else json.dumps(body), at, request.tag, status)


class Outcome:
    """What became of one hole."""

    def __init__(self, parser: Parser, hole: Hole, get: Callable[[HttpGet], Answer], most: int = 400) -> None:
        self.events: list[Message] = []
        self.absent: list[Absent] = []
        self.requests: list[HttpGet] = []
        self.errors: list[str] = []
        self.taken = parser.refill(hole)
        while parser.requests:
            request = parser.requests.pop(0)
            if isinstance(request, Absent):
                self.absent.append(request)
                continue
            assert isinstance(request, HttpGet)
            assert request.patient
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


def test_missing_trades_are_asked_for_by_id_and_given_as_their_stream_would_have() -> None:
    exchange = Exchange(range(1, 100))
    outcome = Outcome(parser_of(), trades(5, 7), exchange.get)
    (request,) = outcome.requests
    assert request.url == "http://r/api/v3/historicalTrades?symbol=BTCUSDT&fromId=5&limit=3"
    assert (request.pool, request.weight, request.after_s) == ("binance-spot", 25, 0.0)
    assert outcome.events == [
        Trade("binance", "BTCUSDT", 1499865549590 * MS, RECV, Decimal("4.00000100"), Decimal("12.0"), "sell", number)
        for number in ("5", "6", "7")
    ]  # fmt: skip
    assert outcome.absent == []


@pytest.mark.parametrize(
    ("exchange", "url", "pool", "weight"),
    [
        ("binance", "http://r/api/v3/aggTrades", "binance-spot", 4),
        ("binance-usdm", "http://r/fapi/v1/aggTrades", "binance-futures", 20),
        ("binance-coinm", "http://r/dapi/v1/aggTrades", "binance-futures", 20),
    ],
)
def test_aggregates_are_asked_for_by_their_own_ids(exchange: str, url: str, pool: str, weight: int) -> None:
    outcome = Outcome(parser_of(exchange), trades(5, 2004, "agg"), Exchange(range(1, 5000)).get)
    assert [request.url for request in outcome.requests] == [
        f"{url}?symbol=BTCUSDT&fromId={first}&limit=1000" for first in (5, 1005)
    ]
    assert {(request.pool, request.weight) for request in outcome.requests} == {(pool, weight)}
    assert outcome.ids == list(range(5, 2005))
    assert {(event.id_space, event.count) for event in outcome.events if isinstance(event, Trade)} == {("agg", 2)}


def test_ids_the_exchange_does_not_list_are_said_to_be_absent_each_run_once() -> None:
    listed = [*range(1, 8), 10, 11, *range(15, 4000)]
    outcome = Outcome(parser_of(), trades(5, 20), Exchange(listed).get)
    assert outcome.ids == [5, 6, 7, 10, 11, *range(15, 21)]
    assert outcome.missing == [(8, 9, 2), (12, 14, 3)]
    assert {item.reason for item in outcome.absent} == {"the exchange does not list them"}
    assert len(outcome.requests) == 1


def test_a_long_run_of_absent_ids_is_passed_over_at_once() -> None:
    outcome = Outcome(parser_of(), trades(5, 100_000), Exchange(range(99_000, 101_000)).get)
    assert outcome.missing == [(5, 98_999, 98_995)]
    assert outcome.ids == list(range(99_000, 100_001))
    assert len(outcome.requests) == 2


def test_used_up_ids_are_absent_without_a_reason() -> None:
    rows = [old_aggregate(5), old_aggregate(6) | {"p": "0", "q": "0", "f": -1, "l": -1}, old_aggregate(7)]
    outcome = Outcome(parser_of(), trades(5, 7, "agg"), lambda request: (200, rows))
    assert outcome.ids == [5, 7]
    assert outcome.absent == [Absent(trades(6, 6, "agg"))]


def test_what_is_not_listed_yet_is_asked_for_again_a_little_later() -> None:
    exchange = Exchange(range(1, 100))
    exchange.late = 2
    outcome = Outcome(parser_of(), trades(5, 7), exchange.get)
    assert [request.after_s for request in outcome.requests] == [0.0, 1.0, 3.0]
    assert outcome.ids == [5, 6, 7]
    assert outcome.absent == []


def test_what_is_never_listed_is_given_up() -> None:
    outcome = Outcome(parser_of(), trades(5, 9), Exchange(range(1, 8)).get)
    assert outcome.ids == [5, 6, 7]
    assert outcome.missing == [(8, 9, 2)]
    assert [request.after_s for request in outcome.requests] == [0.0, 1.0, 3.0, 10.0]


def test_a_hole_too_old_at_its_beginning_is_filled_from_where_it_can() -> None:
    def get(request: HttpGet) -> Answer:
        first = int(dict(parse_qsl(urlsplit(request.url).query))["fromId"])
        if first < 2005:
            return 400, {"code": -4166, "msg": "Search window is restricted to recent 2 days."}
        return Exchange(range(1, 9000)).get(request)

    outcome = Outcome(parser_of("binance-usdm"), trades(5, 3000, "agg"), get)
    assert outcome.missing == [(5, 1004, 1000), (1005, 2004, 1000)]
    assert {item.reason for item in outcome.absent} == {"HTTP 400: -4166 Search window is restricted to recent 2 days."}
    assert outcome.ids == list(range(2005, 3001))
    assert [request.after_s for request in outcome.requests] == [0.0] * 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, {"code": -1121, "msg": "Invalid symbol."}), "HTTP 400: -1121 Invalid symbol."),
        ((451, "<html>Unavailable For Legal Reasons"), "HTTP 451: <html>Unavailable For Legal Reasons"),
    ],
)
def test_a_refusal_is_the_reason(answer: Answer, reason: str) -> None:
    outcome = Outcome(parser_of(), trades(5, 7), lambda request: answer)
    assert outcome.absent == [Absent(trades(5, 7), reason)]
    assert len(outcome.requests) == 1


def test_the_firewall_is_asked_again() -> None:
    outcome = Outcome(parser_of(), trades(5, 7), lambda request: (403, "<html>"))
    assert outcome.absent == [Absent(trades(5, 7), "HTTP 403: <html>")]
    assert [request.after_s for request in outcome.requests] == [0.0, 1.0, 3.0, 10.0]


def test_an_answer_that_is_none_is_an_error_and_in_the_end_absent() -> None:
    outcome = Outcome(parser_of(), trades(5, 7), lambda request: (200, "<html>"))
    assert len(outcome.errors) == 4
    assert [item.hole for item in outcome.absent] == [trades(5, 7)]


def test_old_trades_come_from_an_address_of_their_own_where_the_usual_one_lacks_them() -> None:
    exchange = Exchange(range(1, 5000))
    parser = Spot(SpotSettings()).parser([Subscription("binance", "trade", "BTCUSDT")])
    outcome = Outcome(parser, trades(3990, 4010), exchange.get)
    assert [request.url for request in outcome.requests] == [
        "https://data-api.binance.vision/api/v3/trades?symbol=BTCUSDT&limit=1000",
        "https://api.binance.com/api/v3/historicalTrades?symbol=BTCUSDT&fromId=3990&limit=10",
    ][: len(outcome.requests)]
    assert sorted(outcome.ids) == list(range(3990, 4011))
    near = Outcome(parser, trades(4990, 4998), exchange.get)
    assert [urlsplit(request.url).netloc for request in near.requests] == ["data-api.binance.vision"]
    assert near.ids == list(range(4990, 4999))
    (far,) = Outcome(parser, trades(1, 1001), exchange.get).requests[:1]
    assert far.url.startswith("https://api.binance.com/api/v3/historicalTrades?")


def test_the_newest_trades_in_vain_are_looked_for_among_the_old_ones() -> None:
    parser = Spot(SpotSettings()).parser([Subscription("binance", "trade", "BTCUSDT")])
    exchange = Exchange(range(1, 5000))

    def get(request: HttpGet) -> Answer:
        return (451, "no") if "data-api" in request.url else exchange.get(request)

    assert Outcome(parser, trades(4990, 4998), get).ids == list(range(4990, 4999))


@pytest.mark.parametrize(
    ("settings", "history"),
    [
        (SpotSettings(), "https://api.binance.com"),
        (SpotSettings(rest_url="http://sim:1/"), "http://sim:1"),
        (SpotSettings(history_url="http://old/"), "http://old"),
    ],
)
def test_history_url_follows_the_rest_url_unless_that_lacks_old_trades(settings: SpotSettings, history: str) -> None:
    parser = Spot(settings).parser([Subscription("binance", "trade", "BTCUSDT")])
    assert parser.refill(trades(1, 5000))
    (request,) = parser.requests
    assert isinstance(request, HttpGet)
    assert request.url.startswith(f"{history}/api/v3/historicalTrades?")


@pytest.mark.parametrize(
    ("exchange", "hole"),
    [
        ("binance-usdm", trades(1, 2)),
        ("binance-coinm", trades(1, 2)),
        ("binance", trades(1, 2, "block")),
        ("binance", Hole("funding", "BTCUSDT", None, 0, 1, 1)),
        ("binance", Hole("book", "BTCUSDT", None, 1, 2, 2)),
        ("binance", candles(0, 1, "7m")),
        ("binance-usdm", candles(0, 1, "1s", S)),
        ("binance-usdm", candles(0, 1, "1d@+08:00", DAY)),
    ],
)
def test_what_cannot_be_had_is_said_at_once(exchange: str, hole: Hole) -> None:
    parser = parser_of(exchange)
    assert isinstance(parser, Refilling)
    assert not parser.refill(hole)
    assert parser.requests == []


def test_replay_asks_for_nothing_and_reads_what_was_answered() -> None:
    parser = CONNECTORS["binance"].parser(None)
    assert not parser.refill(trades(5, 7))
    tag = Page("historicalTrades", trades(5, 9)).tag
    assert len(parser.receive(Frame("binance", json.dumps([old_trade(5), old_trade(9)]), RECV, tag))) == 2
    assert parser.receive(Frame("binance", "{}", RECV, tag, 400)) == ()
    with pytest.raises(ParseError):
        parser.receive(Frame("binance", "{}", RECV, tag))
    gone = [request for request in parser.requests if isinstance(request, Absent)]
    assert parser.requests == gone
    assert gone[0].hole == trades(6, 8)


def test_missing_candles_are_asked_for_by_time_with_the_one_that_proves_the_last_closed() -> None:
    first = NOW // MINUTE * MINUTE
    opened = [first + number * MINUTE for number in range(-3, 10)]
    outcome = Outcome(parser_of(), candles(first, 3), Exchange(opened=opened).get)
    (request,) = outcome.requests
    assert request.url == (
        f"http://r/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={first // MS}&endTime={opened[6] // MS}&limit=4"
    )
    assert (request.pool, request.weight) == ("binance-spot", 2)
    assert outcome.events == [
        Candle("binance", "BTCUSDT", None, RECV, "1m", opened[at], opened[at] + MINUTE - MS, Decimal(1), Decimal(4),
               Decimal("0.5"), Decimal(2), Decimal(10), Decimal("20.0"), 7, True)
        for at in (3, 4, 5)
    ]  # fmt: skip
    assert outcome.absent == []


def test_an_open_candle_is_not_given_and_one_behind_it_proves_it_closed_whatever_the_clock_says() -> None:
    first = NOW // MINUTE * MINUTE
    parser, hole = parser_of(), candles(first, 2)
    assert parser.refill(hole)
    request = parser.requests.pop()
    assert isinstance(request, HttpGet)
    rows = [old_candle(first), old_candle(first + MINUTE)]
    early = first + MINUTE + 1
    given = parser.receive(frame(request, (200, rows), early))
    assert [event.open_time for event in given if isinstance(event, Candle)] == [first]
    (again,) = parser.requests
    assert isinstance(again, HttpGet)
    assert again.after_s == 1.0
    rows.append(old_candle(first + 2 * MINUTE))
    assert len(parser.receive(frame(request, (200, rows), first - DAY))) == 2


def test_long_holes_of_candles_go_on_from_window_to_window() -> None:
    first = NOW // MINUTE * MINUTE
    opened = [first + number * MINUTE for number in range(3000) if number not in (5, 6, 1500)]
    outcome = Outcome(parser_of("binance-usdm"), candles(first, 2500), Exchange(opened=opened).get)
    found = [event.open_time for event in outcome.events if isinstance(event, Candle)]
    assert found == [time for time in opened if time < first + 2500 * MINUTE]
    assert outcome.missing == [
        (first + 5 * MINUTE, first + 6 * MINUTE, 2),
        (first + 1500 * MINUTE, first + 1500 * MINUTE, 1),
    ]
    assert [request.weight for request in outcome.requests] == [5, 5, 5]


@pytest.mark.parametrize(("count", "weight"), [(98, 1), (99, 2), (498, 2), (499, 5)])
def test_fewer_candles_weigh_less_on_futures(count: int, weight: int) -> None:
    parser = parser_of("binance-usdm")
    parser.refill(candles(0, count))
    (request,) = parser.requests
    assert isinstance(request, HttpGet)
    assert request.weight == weight


def test_coin_margined_candles_are_asked_for_within_200_days() -> None:
    hole = candles(NOW // DAY * DAY, 500, "1d", DAY)
    opened = [hole.first + number * DAY for number in range(600)]
    exchange = Exchange(opened=opened)
    outcome = Outcome(parser_of("binance-coinm"), hole, exchange.get)
    assert len(outcome.events) == 500
    for request in exchange.asked:
        query = dict(parse_qsl(urlsplit(request.url).query))
        assert int(query["endTime"]) - int(query["startTime"]) <= 200 * 86_400_000


def test_candles_of_another_offset_name_it() -> None:
    eight = 8 * 3600 * S
    hole = candles(NOW // DAY * DAY - eight, 2, "1d@+08:00", DAY)
    rows = [old_candle(hole.first + number * DAY, DAY) for number in range(3)]
    outcome = Outcome(parser_of(), hole, lambda request: (200, rows))
    assert outcome.requests[0].url.endswith("&limit=3&timeZone=08%3A00")
    assert "interval=1d&" in outcome.requests[0].url
    assert {event.channel for event in outcome.events} == {"candle_1d@+08:00"}


def test_months_are_as_long_as_they_are() -> None:
    january, february, march = 1_767_225_600 * S, 1_769_904_000 * S, 1_772_323_200 * S
    assert Grid.of("candle_1M").times(Hole("candle_1M", "X", None, january, march, 3), 9, DAY * 365) == [
        january, february, march,
    ]  # fmt: skip
    shifted = Grid.of("candle_1M@+08:00")
    assert shifted.next(january - 8 * 3600 * S) == february - 8 * 3600 * S


@pytest.mark.parametrize("channel", ["trade", "candle_", "candle_1m@", "candle_1m@8", "candle_1m@+08:xx", "candle_0m"])
def test_no_grid_is_made_of_what_is_no_channel_of_candles(channel: str) -> None:
    if channel == "candle_1m@":
        assert Grid.of(channel).offset_ns == 0
        return
    with pytest.raises(ParseError):
        Grid.of(channel)


@pytest.mark.parametrize(
    ("exchange", "api", "pool"),
    [("binance-usdm", "fapi", "binance-funding"), ("binance-coinm", "dapi", "binance-futures")],
)
def test_settled_rates_are_dated_on_the_second_they_were_announced_for(exchange: str, api: str, pool: str) -> None:
    time = 1_791_331_200 * S
    outcome = Outcome(
        parser_of(exchange), Hole("funding", "BTCUSDT", None, time, time, 1), Exchange(settled=[time]).get
    )
    (request,) = outcome.requests
    assert request.url == (
        f"http://r/{api}/v1/fundingRate?symbol=BTCUSDT&startTime=1791331200000&endTime=1791331200999&limit=1000"
    )
    assert (request.pool, request.weight) == (pool, 1)
    assert outcome.events == [
        FundingRate(exchange, "BTCUSDT", time + 2 * MS, RECV, Decimal("-0.00000743"), time, False)
    ]
    assert CONNECTORS["binance-usdm"].limits.http["binance-funding"] == Rate(500, 300.0)


def test_a_settlement_not_listed_yet_is_waited_for_longer() -> None:
    time, hour = 1_791_331_200 * S, 3600 * S
    exchange = Exchange(settled=[time, time + hour])
    hole = Hole("funding", "BTCUSDT", None, time, time + 2 * hour, 3)
    outcome = Outcome(parser_of("binance-usdm"), hole, exchange.get)
    assert [request.after_s for request in outcome.requests] == [0.0, 5.0, 30.0, 120.0]
    assert {event.ts_event for event in outcome.events} == {time + 2 * MS, time + hour + 2 * MS}
    (gone,) = outcome.absent
    assert (gone.hole.first, gone.hole.last) == (hole.first, hole.last)


def test_settlements_of_a_long_time_are_all_found() -> None:
    time, hour = 1_791_331_200 * S, 3600 * S
    settled = [time + number * hour for number in range(2500)]
    hole = Hole("funding", "BTCUSDT", None, time, settled[-1], 2500)
    outcome = Outcome(parser_of("binance-usdm"), hole, Exchange(settled=settled).get)
    assert [event.next_funding_time for event in outcome.events if isinstance(event, FundingRate)] == settled
    assert outcome.absent == []


def test_holes_of_several_symbols_and_one_asked_twice_do_not_disturb_each_other() -> None:
    parser, exchange = parser_of(), Exchange(range(1, 3000))
    holes = [trades(5, 1500), trades(5, 1500), trades(7, 9, symbol="币安人生USDT"), trades(1, 2, "agg", "ETHUSDT")]
    for hole in holes:
        assert parser.refill(hole)
    found: list[Trade] = []
    for _ in range(20):
        if parser.requests:
            request = parser.requests.pop()
            assert isinstance(request, HttpGet)
            found += [e for e in parser.receive(frame(request, exchange.get(request))) if isinstance(e, Trade)]
    assert not parser.requests
    per_symbol = {
        symbol: [int(e.trade_id) for e in found if e.symbol == symbol] for symbol in {e.symbol for e in found}
    }
    assert sorted(per_symbol["BTCUSDT"]) == sorted(2 * list(range(5, 1501)))
    assert per_symbol["币安人生USDT"] == [7, 8, 9]
    assert per_symbol["ETHUSDT"] == [1, 2]


@given(
    st.sets(st.integers(1, 3_500), max_size=60), st.integers(1, 3_000), st.integers(0, 1_500), st.integers(0, 4),
    st.sampled_from([1000, 700, 40]), st.sampled_from([None, "agg"]),
)  # fmt: skip
def test_what_is_listed_is_found_and_the_rest_is_absent(
    unlisted: set[int], first: int, more: int, late: int, most: int, space: str | None
) -> None:
    """However short the answers and however late the exchange: nothing is left out, and the requests are few."""
    last = min(first + more, 3_400)
    exchange = Exchange([number for number in range(1, 3_500) if number not in unlisted])
    exchange.late, exchange.most = late, most
    first = min(first, last)
    outcome = Outcome(parser_of(), trades(first, last, space), exchange.get, most=(last - first) // min(most, 900) + 20)
    gone = [number for item in outcome.absent for number in range(item.hole.first, item.hole.last + 1)]
    assert all(item.hole.count == item.hole.last - item.hole.first + 1 for item in outcome.absent)
    assert sorted([*outcome.ids, *gone]) == list(range(first, last + 1))
    if late <= 3 and most == 1000:
        assert set(gone) == unlisted & set(range(first, last + 1))


@given(st.sets(st.integers(0, 40)), st.integers(0, 30), st.integers(0, 12))
def test_runs_of_absent_numbers_are_all_that_is_not_present(present: set[int], first: int, more: int) -> None:
    numbers = range(first, first + more + 1)
    runs = list(absent(trades(first, first + more), numbers, present))
    gone = [number for run in runs for number in range(run.first, run.last + 1)]
    assert gone == [number for number in numbers if number not in present]
    assert [run.count for run in runs] == [run.last - run.first + 1 for run in runs]


SAMPLES: Sequence[tuple[str, Hole, object]] = [
    ("historicalTrades", trades(5, 9), [old_trade(5), old_trade(7)]),
    ("trades", trades(5, 9), [old_trade(5), old_trade(7)]),
    ("aggTrades", trades(5, 9, "agg"), [old_aggregate(5), old_aggregate(12)]),
    ("klines", candles(NOW // MINUTE * MINUTE, 5), [old_candle(NOW // MINUTE * MINUTE)]),
    ("fundingRate", Hole("funding", "BTCUSDT", None, NOW, NOW + DAY, 3), [settlement(NOW + 3600 * S)]),
    ("klines", candles(NOW // MINUTE * MINUTE, 5), {"code": -1121, "msg": "Invalid symbol."}),
]
REPLIES = [Frame("x", json.dumps(body), RECV, Page(source, hole).tag) for source, hole, body in SAMPLES]


@settings(max_examples=FUZZ_EXAMPLES // 5, deadline=None, report_multiple_bugs=False)
@given(
    st.sampled_from(REPLIES).flatmap(
        lambda reply: damage.truncated(reply) | damage.bit_flipped(reply) | damage.value_replaced(reply)
    ),
    st.sampled_from([200, 200, 400, 403, 451]),
    st.sampled_from(["binance", "binance-usdm", "binance-coinm"]),
)
def test_damaged_answers_give_events_nothing_or_parse_error(damaged: Frame, status: int, exchange: str) -> None:
    parser = parser_of(exchange)
    with suppress(ParseError):
        events = parser.receive(Frame("x", damaged.payload, RECV, damaged.tag, status))
        assert all(isinstance(event, Message) for event in events)
    assert all(isinstance(request, HttpGet | Absent) for request in parser.requests)
    assert len([request for request in parser.requests if isinstance(request, HttpGet)]) <= 2


@settings(max_examples=FUZZ_EXAMPLES, deadline=None)
@given(st.text(st.sampled_from("|0123456789trade_candle1M@+:-aggTrades"), max_size=80), st.sampled_from(SAMPLES))
def test_damaged_tags_give_events_nothing_or_parse_error(text: str, sample: tuple[str, Hole, object]) -> None:
    source, hole, body = sample
    whole = Page(source, hole).tag
    for tag in (f"refill|{text}", whole[: len(text)], f"refill|{source}|{text}", f"{whole[:20]}{text}"):
        with suppress(ParseError):
            parser_of().receive(Frame("x", json.dumps(body), RECV, tag))
