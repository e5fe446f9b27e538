"""What is said to Kraken, how its answers are matched, what is refused, and its list of pairs."""

import pytest
from jrr_kraken.connector import KrakenConnector, KrakenSettings

from jrr_core.errors import ConfigError, ParseError
from jrr_core.frame import Acked, Frame, Refused, Request, Send
from jrr_core.subscription import Subscription
from jrr_core.wire import decode, encode


def streams(*names: str) -> list[Subscription]:
    return [Subscription.of("kraken", name) for name in names]


class Client:
    """A connection: what it said first, and what its parser makes of an answer."""

    def __init__(self, *names: str) -> None:
        connector = KrakenConnector(KrakenSettings())
        (plan,) = connector.sessions(streams(*names))
        self.said = [decode(send.text) for send in plan.subscribe(plan.subscriptions)]
        self.parser = connector.parser(plan.subscriptions)

    def hear(self, **answer: object) -> list[Request]:
        text = encode({"method": "subscribe", "time_in": "", "time_out": "", **answer})
        assert list(self.parser.receive(Frame("kraken", text, 0))) == []
        asked, self.parser.requests = self.parser.requests, []
        return asked


def test_each_channel_is_asked_for_with_its_parameters() -> None:
    said = Client("trade:BTC/USD", "trade:ETH/USD", "quote:BTC/USD", "book:BTC/USD", "candle_1h:BTC/USD").said
    assert [message["params"] for message in said] == [
        {"channel": "book", "symbol": ["BTC/USD"], "depth": 1000, "snapshot": True},
        {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 60, "snapshot": False},
        {"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "bbo", "snapshot": True},
        {"channel": "trade", "symbol": ["BTC/USD", "ETH/USD"], "snapshot": True},
    ]


def test_a_symbols_answer_proves_its_stream_and_books_are_proved_by_their_snapshot() -> None:
    client = Client("trade:BTC/USD", "book:BTC/USD")
    book, trade = (message["req_id"] for message in client.said)
    (acked,) = client.hear(req_id=trade, success=True, result={"channel": "trade", "symbol": "BTC/USD"})
    assert acked == Acked("trade:BTC/USD", tuple(streams("trade:BTC/USD")))
    assert client.hear(req_id=book, success=True, result={"channel": "book", "symbol": "BTC/USD"}) == [
        Acked("book-1000:BTC/USD")
    ]


def test_a_refusal_names_the_stream_by_its_symbol_and_request() -> None:
    client = Client("trade:BTC/USD", "trade:FOO/USD")
    (request,) = client.said
    words = "Currency pair not supported FOO/USD"
    (refused,) = client.hear(req_id=request["req_id"], success=False, error=words, symbol="FOO/USD")
    assert refused == Refused("trade:FOO/USD", "trade:FOO/USD", words)
    assert client.hear(success=False, error="Exceeded msg rate") == [Refused("", "", "Exceeded msg rate")]
    assert client.hear(method=None, success=False, error="Malformed") == [Refused("", "", "Malformed")]


@pytest.mark.parametrize("answer", [{"method": "dance"}, {"success": None}])
def test_an_undocumented_answer_is_a_parse_error(answer: dict[str, object]) -> None:
    with pytest.raises(ParseError, match="does not document"):
        Client("trade:BTC/USD").hear(**answer)


def test_a_broken_book_is_asked_for_anew() -> None:
    client = Client("book:BTC/USD")
    row = {"symbol": "BTC/USD", "bids": [], "asks": [], "checksum": 7, "timestamp": "2023-10-06T17:35:55.440295Z"}
    client.parser.receive(Frame("kraken", encode({"channel": "book", "type": "update", "data": [row]}), 10**18))
    sent = [request for request in client.parser.requests if isinstance(request, Send)]
    assert [decode(send.text)["method"] for send in sent] == ["unsubscribe", "subscribe"]
    assert [send.acks for send in sent] == [(), ("book-1000:BTC/USD",)]


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("funding:BTC/USD", "Kraken has no funding"),
        ("candle_1w:BTC/USD", "Kraken has no candle_1w"),
        ("trade:BTCUSD", "not a symbol of Kraken's such as BTC/USD"),
        ("ohlc-7:BTC/USD", "no event is made of such a stream"),
        ("spread:BTC/USD", "no event is made of such a stream"),
        ("book-25:BTC/USD", "exchanges.kraken.book_depth = 25"),
    ],
)
def test_what_kraken_does_not_have_is_refused_by_name(stream: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        KrakenConnector(KrakenSettings()).sessions(streams(stream))


def test_pairs_are_listed_under_the_sockets_names() -> None:
    rows = {
        "XXBTZUSD": {"wsname": "XBT/USD", "lot_decimals": 8, "tick_size": "0.1", "status": "online"},
        "XDGUSD": {"wsname": "XDG/USD", "lot_decimals": 2, "tick_size": "0.0000001", "status": "cancel_only"},
        "DARK": {"lot_decimals": 2},
    }
    connector = KrakenConnector(KrakenSettings())
    bitcoin, doge = connector.instruments(Frame("kraken", encode({"error": [], "result": rows}), 0))
    assert (bitcoin.symbol, bitcoin.canonical, str(bitcoin.tick_size)) == ("BTC/USD", "BTC-USD", "0.1")
    assert (doge.symbol, format(doge.lot_size or 0, "f"), doge.active) == ("DOGE/USD", "0.01", False)
    with pytest.raises(ParseError, match="EService:Unavailable"):
        connector.instruments(Frame("kraken", '{"error":["EService:Unavailable"]}', 0))
