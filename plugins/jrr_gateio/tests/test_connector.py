"""What is said to Gate, how its answers are matched, what is refused, and its lists."""

import pytest
from jrr_gateio.connector import Futures, GateSettings, Spot

from jrr_core.errors import ConfigError, ParseError
from jrr_core.frame import Acked, Frame, Refused, Request, Rotate, dated
from jrr_core.subscription import Subscription
from jrr_core.wire import decode, encode


def streams(exchange: str, *names: str) -> list[Subscription]:
    return [Subscription.of(exchange, name) for name in names]


class Client:
    """A connection: what it said first, and what its parser makes of an answer."""

    def __init__(self, *names: str) -> None:
        connector = Spot(GateSettings())
        (self.plan,) = connector.sessions(streams("gateio", *names))
        self.said = [decode(dated(send.text, 7 * 10**9)) for send in self.plan.subscribe(self.plan.subscriptions)]
        self.parser = connector.parser(self.plan.subscriptions)

    def hear(self, **answer: object) -> list[Request]:
        text = encode({"time": 1, "event": "subscribe", "channel": "spot.trades", **answer})
        assert list(self.parser.receive(Frame("gateio", text, 0))) == []
        asked, self.parser.requests = self.parser.requests, []
        return asked


def test_each_topic_is_asked_for_by_itself_with_the_time() -> None:
    said = Client(
        "trade:BTC_USDT", "quote:BTC_USDT", "book:BTC_USDT", "candle_1h:BTC_USDT", "book_snapshot_5:BTC_USDT"
    ).said
    assert [(message["time"], message["channel"], message["payload"]) for message in said] == [
        (7, "spot.trades", ["BTC_USDT"]),
        (7, "spot.book_ticker", ["BTC_USDT"]),
        (7, "spot.obu", ["ob.BTC_USDT.400"]),
        (7, "spot.candlesticks", ["1h", "BTC_USDT"]),
    ]
    assert len({message["id"] for message in said}) == 4


def test_the_diff_stream_of_futures_names_speed_and_levels_and_the_header_is_sent() -> None:
    (plan,) = Futures(Futures.Settings(book_stream="order_book_update")).sessions(  # type: ignore[call-arg]
        streams("gateio-futures", "book:BTC_USDT")
    )
    (send,) = plan.subscribe(plan.subscriptions)
    assert decode(dated(send.text, 0))["payload"] == ["BTC_USDT", "100ms", "100"]
    assert dict(plan.headers) == {"X-Gate-Size-Decimal": "1"}
    assert plan.url == "wss://fx-ws.gateio.ws/v4/ws/usdt"
    assert plan.keepalive is not None
    assert decode(dated(plan.keepalive.text, 9 * 10**9)) == {"time": 9, "channel": "futures.ping"}


def test_answers_are_matched_by_their_id() -> None:
    client = Client("trade:BTC_USDT", "trade:FOO_USDT", "book:BTC_USDT")
    first, second, book = (message["id"] for message in client.said)
    assert client.hear(id=first, result={"status": "success"}) == [
        Acked("trades:BTC_USDT", tuple(streams("gateio", "trade:BTC_USDT")))
    ]
    assert client.hear(id=book, result={"status": "success"}) == [Acked("obu:400:BTC_USDT")]
    error = {"code": 2, "message": "unknown currency pair FOO_USDT"}
    assert client.hear(id=second, error=error, result={"status": "fail"}) == [
        Refused("trades:FOO_USDT", "trades:FOO_USDT", "2: unknown currency pair FOO_USDT")
    ]
    assert client.hear(result={"status": "success"}) == []


def test_an_announced_upgrade_opens_a_successor() -> None:
    client = Client("trade:BTC_USDT")
    asked = client.hear(event="update", channel="spot.system", result={"type": "upgrade", "msg": "soon"})
    assert [type(request) for request in asked] == [Rotate]
    assert client.hear(event="update", channel="spot.system", result={"type": "other"}) == []


@pytest.mark.parametrize("answer", [{"channel": "futures.trades"}, {"event": "dance"}])
def test_what_gate_does_not_document_is_a_parse_error(answer: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        Client("trade:BTC_USDT").hear(**answer)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("funding:BTC_USDT", "gateio has no funding"),
        ("candle_1w:BTC_USDT", "gateio has no candle_1w"),
        ("trade:BTCUSDT", "not a symbol of Gate's such as BTC_USDT"),
        ("tickers:BTC_USDT", "no event is made of such a stream"),
        ("candlesticks:7d:BTC_USDT", "no event is made of such a stream"),
        ("obu:50:BTC_USDT", r"exchanges\.gateio\.book_stream"),
    ],
)
def test_what_spot_does_not_have_is_refused_by_name(stream: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Spot(GateSettings()).sessions(streams("gateio", stream))


def test_instruments_have_their_canonical_names_and_sizes() -> None:
    pair = {"id": "ETH_USDT", "base": "ETH", "quote": "USDT", "precision": 2, "amount_precision": 4,
            "trade_status": "untradable"}  # fmt: skip
    (spot,) = Spot(GateSettings()).instruments(Frame("gateio", encode([pair]), 0))
    assert (spot.canonical, str(spot.tick_size), str(spot.lot_size), spot.active) == (
        "ETH-USDT",
        "0.01",
        "0.0001",
        False,
    )
    row = {"name": "BTC_USDT", "order_price_round": "0.1", "quanto_multiplier": "0.0001", "order_size_min": "1"}
    connector = Futures(Futures.Settings())
    (perpetual,) = connector.instruments(Frame("gateio-futures", encode([row]), 0))
    assert (perpetual.canonical, str(perpetual.contract_size), perpetual.contract_currency) == (
        "BTC-USDT-PERP", "0.0001", "BTC",
    )  # fmt: skip
    assert [dict(get.headers) for get in connector.instrument_requests()] == [{"X-Gate-Size-Decimal": "1"}]


def test_streams_that_join_are_answered_for_unless_their_topic_is_read_already() -> None:
    client = Client("trade:BTC_USDT")
    assert not client.parser.extend(streams("gateio", "trade:ETH_USDT", "trade:BTC_USDT"))
    assert client.parser.extend(streams("gateio", "trade:ETH_USDT"))
    (asked,) = client.plan.subscribe(streams("gateio", "trade:ETH_USDT"))
    assert client.hear(id=decode(dated(asked.text, 0))["id"], result={"status": "success"}) == [
        Acked("trades:ETH_USDT", tuple(streams("gateio", "trade:ETH_USDT")))
    ]
