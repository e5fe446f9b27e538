"""What is missing is asked for over REST: trades from the time of the hole on, candles of the last 720."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from jrr_kraken.connector import KrakenConnector, KrakenSettings
from jrr_kraken.simulator import KrakenScript

from jrr_core.errors import ParseError
from jrr_core.events import Candle, Message, Trade
from jrr_core.frame import Absent, Frame, Hole, HttpGet, Request
from jrr_core.subscription import Subscription
from jrr_core.testing.stage import Stage
from jrr_core.wire import encode

MINUTE = 60 * 10**9
T0 = 1_696_436_700 * 10**9
WANTED = [Subscription("kraken", "trade", "BTC/USD"), Subscription("kraken", "candle_1m", "BTC/USD")]


class Asking:
    """A parser that is asked for a hole, and the requests it leaves."""

    def __init__(self) -> None:
        self.parser = KrakenConnector(KrakenSettings(rest_url="http://sim")).parser(WANTED)

    def refill(self, hole: Hole) -> HttpGet:
        assert self.parser.refill(hole)
        (get,) = self.taken()
        assert isinstance(get, HttpGet)
        return get

    def taken(self) -> list[Request]:
        asked, self.parser.requests = self.parser.requests, []
        return asked

    def reply(self, get: HttpGet, rows: list[list[object]], pair: str = "XXBTZUSD") -> list[Message]:
        body = encode({"error": [], "result": {pair: rows, "last": "1"}})
        return list(self.parser.receive(Frame("kraken", body, T0, get.tag)))


def candle_row(minute: int) -> list[object]:
    return [T0 // 10**9 + minute * 60, "1", "2", "0.5", "1.5", "1.2", "3.50", 4]


def minutes_of(events: list[Message]) -> list[int]:
    return [(event.open_time - T0) // MINUTE for event in events if isinstance(event, Candle) and event.closed]


def test_trades_are_asked_for_from_the_time_before_the_hole() -> None:
    asking = Asking()
    get = asking.refill(Hole("trade", "BTC/USD", None, 11, 12, 2, T0))
    url = urlsplit(get.url)
    assert (url.path, dict(parse_qsl(url.query))) == (
        "/0/public/Trades", {"pair": "XBTUSD", "since": str(T0 - 1), "count": "1000"},
    )  # fmt: skip
    rows: list[list[object]] = [
        ["30243.40000", "0.34507674", 1696436700.0, "b", "m", "", 10],
        ["30243.40000", "0.50000000", 1696436700.1234567, "s", "l", "", 11],
        ["30243.50000", "0.10000000", 1696436701.5, "b", "l", "", 12],
        ["30243.50000", "0.10000000", 1696436702.5, "b", "l", "", 13],
    ]
    first, second = asking.reply(get, rows)
    assert isinstance(first, Trade)
    assert (first.trade_id, first.side, str(first.price), first.ts_event) == (
        "11", "sell", "30243.40000", 1696436700123456000,
    )  # fmt: skip
    assert isinstance(second, Trade)
    assert second.trade_id == "12"
    assert asking.taken() == []


def test_trades_of_an_unknown_time_cannot_be_asked_for() -> None:
    assert not Asking().parser.refill(Hole("trade", "BTC/USD", None, 11, 12, 2))


def test_intervals_that_are_not_listed_had_no_trades_and_the_newest_is_open() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC/USD", None, T0, T0 + 3 * MINUTE, 4))
    assert f"since={T0 // 10**9 - 1}" in get.url
    assert minutes_of(asking.reply(get, [candle_row(minute) for minute in (0, 2, 5)])) == [0, 2]
    assert asking.taken() == [
        Absent(Hole("candle_1m", "BTC/USD", None, T0 + minute * MINUTE, T0 + minute * MINUTE, 1)) for minute in (1, 3)
    ]


def test_candles_older_than_kraken_keeps_stay_missing_with_the_reason() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC/USD", None, T0, T0 + 2 * MINUTE, 3))
    events = asking.reply(get, [candle_row(minute) for minute in range(2, 722)])
    assert minutes_of(events) == [2]
    (absent,) = asking.taken()
    assert isinstance(absent, Absent)
    assert (absent.hole.first, absent.hole.last, absent.reason) == (
        T0, T0 + MINUTE, "the exchange does not list them",
    )  # fmt: skip


def test_what_is_older_than_720_intervals_is_not_taken_for_empty_however_short_the_answer() -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC/USD", None, T0, T0 + 2 * MINUTE, 3))
    assert asking.reply(get, [candle_row(1500), candle_row(1501)]) == []
    (absent,) = asking.taken()
    assert isinstance(absent, Absent)
    assert (absent.hole.count, absent.reason) == (3, "the exchange does not list them")


@pytest.mark.parametrize(
    ("error", "later"), [("EAPI:Rate limit exceeded", True), ("EService:Unavailable", True), ("EQuery:Unknown", False)]
)
def test_errors_come_with_status_200_and_some_pass(error: str, later: bool) -> None:
    asking = Asking()
    get = asking.refill(Hole("candle_1m", "BTC/USD", None, T0, T0, 1))
    asking.parser.receive(Frame("kraken", encode({"error": [error], "result": {}}), T0, get.tag))
    (asked,) = asking.taken()
    assert isinstance(asked, HttpGet if later else Absent)


def test_what_is_no_answer_is_a_parse_error_and_asked_again() -> None:
    asking = Asking()
    get = asking.refill(Hole("trade", "BTC/USD", None, 11, 12, 2, T0))
    with pytest.raises(ParseError):
        asking.reply(get, [["1", "1", 1, "x", "l", "", 11]])
    assert [type(request) for request in asking.taken()] == [HttpGet]


def test_the_simulators_past_is_the_truth() -> None:
    stage = Stage(KrakenScript, KrakenConnector)
    (plan,) = stage.connector.sessions(WANTED)
    stage.open(plan)
    stage.run(0.5)
    trades = stage.market.trades("BTC/USD")
    asking = Asking()
    first, last = trades[10], trades[20]
    hole = Hole("trade", "BTC/USD", None, first.trade_id, last.trade_id, 11, trades[9].ts)
    get = asking.refill(hole)
    found = list(asking.parser.receive(stage.get(get)))
    assert [event.trade_id for event in found if isinstance(event, Trade)] == [
        str(number) for number in range(first.trade_id, last.trade_id + 1)
    ]
    assert stage.truth.compare(found, ()) == []
