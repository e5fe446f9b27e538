"""What is missing is asked for over REST: candles of both products, settled funding."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from jrr_gateio.connector import Futures, GateSettings, Spot
from jrr_gateio.parser import GateParser
from jrr_gateio.simulator import FuturesScript

from jrr_core.errors import ParseError
from jrr_core.events import Candle, FundingRate, Message
from jrr_core.frame import Absent, Frame, Hole, HttpGet, Request
from jrr_core.subscription import Subscription
from jrr_core.testing.stage import Stage
from jrr_core.wire import encode

MINUTE = 60 * 10**9
T0 = 1_539_852_480 * 10**9


class Asking:
    """A parser that is asked for a hole, and the requests it leaves."""

    def __init__(self, futures: bool = False) -> None:
        self.exchange = "gateio-futures" if futures else "gateio"
        wanted = [Subscription(self.exchange, "candle_1m", "BTC_USDT")]
        self.parser: GateParser = (
            Futures(Futures.Settings(rest_url="http://sim")).parser(wanted)
            if futures
            else Spot(GateSettings(rest_url="http://sim")).parser(wanted)
        )

    def refill(self, hole: Hole) -> HttpGet:
        assert self.parser.refill(hole)
        (get,) = self.taken()
        assert isinstance(get, HttpGet)
        return get

    def taken(self) -> list[Request]:
        asked, self.parser.requests = self.parser.requests, []
        return asked

    def reply(self, get: HttpGet, body: object, status: int = 200) -> list[Message]:
        text = body if isinstance(body, str) else encode(body)
        return list(self.parser.receive(Frame(self.exchange, text, T0, get.tag, status)))


def minutes_of(events: list[Message]) -> list[int]:
    return [(event.open_time - T0) // MINUTE for event in events if isinstance(event, Candle) and event.closed]


def spot_row(minute: int, closed: str = "true") -> list[str]:
    return [str(T0 // 10**9 + minute * 60), "971519.677", "0.21724", "0.21922", "0.21700", "0.21737", "447.1", closed]


def test_spot_candles_are_read_by_their_columns() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC_USDT", None, T0, T0 + MINUTE, 2))
    url = urlsplit(get.url)
    assert (url.path, dict(parse_qsl(url.query))) == (
        "/api/v4/spot/candlesticks",
        {"currency_pair": "BTC_USDT", "interval": "1m", "from": str(T0 // 10**9), "to": str(T0 // 10**9 + 120)},
    )
    first, _ = asking.reply(get, [spot_row(0), spot_row(1), spot_row(2, "false")])
    assert isinstance(first, Candle)
    numbers = (first.open, first.high, first.low, first.close, first.volume, first.quote_volume)
    assert [str(number) for number in numbers] == ["0.21737", "0.21922", "0.21700", "0.21724", "447.1", "971519.677"]
    assert asking.taken() == []


def test_the_newest_row_counts_as_open_unless_it_says_that_it_is_closed() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC_USDT", None, T0, T0 + MINUTE, 2))
    assert minutes_of(asking.reply(get, [spot_row(0), spot_row(1, "false")])) == [0]
    (again,) = asking.taken()
    assert isinstance(again, HttpGet)
    assert minutes_of(asking.reply(again, [spot_row(1)])) == [1]


def test_futures_candles_are_objects_of_contracts() -> None:
    asking = Asking(futures=True)
    get = asking.refill(Hole("candle_1m", "BTC_USDT", None, T0, T0, 1))
    assert dict(get.headers) == {"X-Gate-Size-Decimal": "1"}
    row = {"t": T0 // 10**9, "v": 97151, "c": "1.032", "h": "1.032", "l": "1.032", "o": "1.032", "sum": "3580"}
    (candle,) = asking.reply(get, [row, {**row, "t": T0 // 10**9 + 60}])
    assert isinstance(candle, Candle)
    assert (str(candle.volume), candle.quote_volume) == ("97151", None)


def test_settled_funding_is_read() -> None:
    asking = Asking(futures=True)
    get = asking.refill(Hole("funding", "BTC_USDT", None, T0, T0, 1))
    (rate,) = asking.reply(get, [{"r": "0.000157", "t": T0 // 10**9}])
    assert isinstance(rate, FundingRate)
    assert (str(rate.rate), rate.next_funding_time, rate.predicted) == ("0.000157", T0, False)


def test_a_refusal_is_the_reason_of_the_gap() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC_USDT", None, T0, T0, 1))
    asking.reply(get, {"label": "INVALID_CURRENCY_PAIR", "message": "no"}, 400)
    (absent,) = asking.taken()
    assert isinstance(absent, Absent)
    assert absent.reason == "HTTP 400: INVALID_CURRENCY_PAIR no"


def test_what_is_no_answer_is_a_parse_error_and_asked_again() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC_USDT", None, T0, T0, 1))
    with pytest.raises(ParseError):
        asking.reply(get, [["1", "2"]])
    assert [type(request) for request in asking.taken()] == [HttpGet]


def test_trades_are_not_asked_for_and_spot_has_no_funding() -> None:
    assert not Asking().parser.refill(Hole("trade", "BTC_USDT", None, 1, 2, 2))
    assert not Asking().parser.refill(Hole("funding", "BTC_USDT", None, 1, 1, 1))


def test_the_simulators_past_is_the_truth() -> None:
    stage = Stage(FuturesScript, Futures)
    (plan,) = stage.connector.sessions([Subscription("gateio-futures", "candle_1m", "BTC_USDT")])
    stage.open(plan)
    stage.run(0.5)
    start = stage.now_ns // MINUTE * MINUTE
    stage.now_ns += 3 * MINUTE
    stage.run(0.1)
    asking = Asking(futures=True)
    get = asking.refill(Hole("candle_1m", "BTC_USDT", None, start, start + MINUTE, 2))
    found = list(asking.parser.receive(stage.get(get)))
    assert [event.open_time for event in found if isinstance(event, Candle)] == [start, start + MINUTE]
    assert stage.truth.compare(found, ()) == []
