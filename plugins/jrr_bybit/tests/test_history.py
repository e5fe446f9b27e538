"""What is missing is asked for over REST, and Bybit's answers are believed no further than they go."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from jrr_bybit.connector import Linear, Spot
from jrr_bybit.simulator import LinearScript

from jrr_core.errors import ParseError
from jrr_core.events import Candle, FundingRate, Message
from jrr_core.frame import Absent, Frame, Hole, HttpGet, Request
from jrr_core.subscription import Subscription
from jrr_core.testing.stage import Stage
from jrr_core.wire import encode

MINUTE = 60 * 10**9
T0 = 1_672_324_800 * 10**9
WANTED = [Subscription("bybit-linear", "candle_1m", "BTCUSDT")]


class Asking:
    """A parser that is asked for a hole, and the requests it leaves."""

    def __init__(self) -> None:
        self.parser = Linear(Linear.Settings(rest_url="http://sim")).parser(WANTED)

    def refill(self, hole: Hole) -> HttpGet:
        assert self.parser.refill(hole)
        (get,) = self.taken()
        assert isinstance(get, HttpGet)
        assert (get.patient, get.pool, get.weight) == (True, "bybit", 1)
        return get

    def taken(self) -> list[Request]:
        asked, self.parser.requests = self.parser.requests, []
        return asked

    def reply(self, get: HttpGet, body: object, status: int = 200) -> list[Message]:
        text = body if isinstance(body, str) else encode(body)
        return list(self.parser.receive(Frame("bybit-linear", text, T0, get.tag, status)))


def klines(*minutes: int, answered: int) -> object:
    rows = [[str(T0 // 10**6 + minute * 60_000), "1", "2", "0.5", "1.5", "10", "15"] for minute in reversed(minutes)]
    return {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": T0 // 10**6 + answered * 60_000}


def candles_of(events: list[Message]) -> list[int]:
    return [(event.open_time - T0) // MINUTE for event in events if isinstance(event, Candle) and event.closed]


def test_candles_are_asked_for_with_one_behind_them() -> None:
    get = Asking().refill(Hole("candle_1m", "BTCUSDT", None, T0, T0 + 2 * MINUTE, 3))
    url = urlsplit(get.url)
    assert url.path == "/v5/market/kline"
    assert dict(parse_qsl(url.query)) == {
        "category": "linear", "symbol": "BTCUSDT", "interval": "1", "start": str(T0 // 10**6),
        "end": str(T0 // 10**6 + 180_000), "limit": "4",
    }  # fmt: skip


def test_a_candle_is_closed_when_the_answer_was_given_after_its_end() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTCUSDT", None, T0, T0 + 2 * MINUTE, 3))
    assert candles_of(asking.reply(get, klines(0, 1, 2, answered=2))) == [0, 1]
    (again,) = asking.taken()
    assert isinstance(again, HttpGet)
    assert again.after_s == 1.0
    assert candles_of(asking.reply(again, klines(2, 3, answered=3))) == [2]
    assert asking.taken() == []


def test_a_candle_that_is_not_listed_between_others_is_absent() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTCUSDT", None, T0, T0 + 2 * MINUTE, 3))
    assert candles_of(asking.reply(get, klines(0, 2, 3, answered=5))) == [0, 2]
    (absent,) = asking.taken()
    assert isinstance(absent, Absent)
    assert (absent.hole.first, absent.hole.last) == (T0 + MINUTE, T0 + MINUTE)


@pytest.mark.parametrize(
    ("status", "body", "later"),
    [
        (403, "access too frequent", True),
        (200, {"retCode": 10006, "retMsg": "Too many visits", "time": 1}, True),
        (200, {"retCode": 10001, "retMsg": "symbol invalid", "time": 1}, False),
        (404, "", False),
    ],
)
def test_a_refusal_for_now_is_asked_again_and_any_other_is_the_reason_of_the_gap(
    status: int, body: object, later: bool
) -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTCUSDT", None, T0, T0, 1))
    assert asking.reply(get, body, status) == []
    (asked,) = asking.taken()
    assert isinstance(asked, HttpGet if later else Absent)
    if isinstance(asked, Absent):
        assert asked.reason in ("HTTP 404", "10001: symbol invalid")


def test_settled_funding_is_read() -> None:
    asking, settled = Asking(), 1_672_041_600_000
    get = asking.refill(Hole("funding", "BTCUSDT", None, settled * 10**6, settled * 10**6, 1))
    rows = [{"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": str(settled)}]
    (rate,) = asking.reply(get, {"retCode": 0, "result": {"list": rows}, "time": 1})
    assert isinstance(rate, FundingRate)
    assert (str(rate.rate), rate.next_funding_time, rate.predicted) == ("0.0001", settled * 10**6, False)


def test_what_is_no_answer_is_a_parse_error_and_asked_again() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTCUSDT", None, T0, T0, 1))
    with pytest.raises(ParseError):
        asking.reply(get, "<html>")
    assert [type(request) for request in asking.taken()] == [HttpGet]


def test_trades_have_no_past_and_spot_no_funding() -> None:
    assert not Asking().parser.refill(Hole("trade", "BTCUSDT", None, 1, 2, 2))
    spot = Spot(Spot.Settings()).parser([Subscription("bybit", "trade", "BTCUSDT")])
    assert not spot.refill(Hole("funding", "BTCUSDT", None, 1, 1, 1))


def test_the_simulators_past_is_the_truth() -> None:
    stage = Stage(LinearScript, Linear)
    (plan,) = stage.connector.sessions(WANTED)
    stage.open(plan)
    stage.run(0.5)
    start = stage.now_ns // MINUTE * MINUTE
    stage.now_ns += 3 * MINUTE
    stage.run(0.1)
    parser = Linear(Linear.Settings(rest_url="http://sim")).parser(WANTED)
    assert parser.refill(Hole("candle_1m", "BTCUSDT", None, start, start + MINUTE, 2))
    (get,) = parser.requests
    assert isinstance(get, HttpGet)
    found = [event for event in parser.receive(stage.get(get)) if isinstance(event, Candle) and event.closed]
    assert [event.open_time for event in found] == [start, start + MINUTE]
    assert stage.truth.compare(found, ()) == []
