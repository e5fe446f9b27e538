"""Which connections are opened for which streams, what is said on them, and what is refused."""

import pytest
from jrr_bybit.connector import BybitSettings, Inverse, Linear, Spot
from jrr_bybit.products import ARGS_CHARS

from jrr_core.errors import ConfigError, ParseError
from jrr_core.frame import Frame
from jrr_core.subscription import Subscription
from jrr_core.wire import decode, encode


def streams(exchange: str, *names: str) -> list[Subscription]:
    return [Subscription.of(exchange, name) for name in names]


def test_channels_that_share_a_topic_ask_for_it_once() -> None:
    wanted = streams("bybit-linear", "mark_price:X", "funding:X", "open_interest:X", "book:X", "book_snapshot_5:X")
    (plan,) = Linear(BybitSettings()).sessions(wanted)
    (send,) = plan.subscribe(plan.subscriptions)
    assert decode(send.text)["args"] == ["tickers.X", "orderbook.1000.X"]
    assert plan.unsubscribe(plan.subscriptions[:2]) == []
    (leave,) = plan.unsubscribe(plan.subscriptions[2:])
    assert decode(leave.text)["args"] == ["tickers.X", "orderbook.1000.X"]


def test_names_of_a_connection_stay_within_the_limit_of_characters() -> None:
    long = [f"trade:{'A' * 50}{number}" for number in range(1000)]
    plans = Spot(BybitSettings(streams_per_connection=1000)).sessions(streams("bybit", *long))
    assert len(plans) > 1
    for plan in plans:
        sends = plan.subscribe(plan.subscriptions)
        names = [name for send in sends for name in decode(send.text)["args"]]
        assert len(encode(names)) <= ARGS_CHARS


def test_the_book_is_of_the_depth_in_the_settings_and_of_no_other() -> None:
    (plan,) = Spot(BybitSettings(book_depth=200)).sessions(streams("bybit", "book:X", "orderbook.200.X"))
    (send,) = plan.subscribe(plan.subscriptions)
    assert decode(send.text)["args"] == ["orderbook.200.X"]
    with pytest.raises(ConfigError, match=r"exchanges\.bybit\.book_depth = 50"):
        Spot(BybitSettings(book_depth=200)).sessions(streams("bybit", "orderbook.50.X"))


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("funding:X", "bybit has no funding"),
        ("liquidation:X", "bybit has no liquidation"),
        ("candle_3d:X", "bybit has no candle_3d"),
        ("tickers.X", "no event is made of such a topic"),
        ("orderbook.25.X", "no event is made of such a topic"),
        ("trade:B T", "not a symbol of Bybit's"),
    ],
)
def test_what_spot_does_not_have_is_refused_by_name(stream: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Spot(BybitSettings()).sessions(streams("bybit", stream))


def test_pages_and_states_of_the_instrument_list() -> None:
    connector = Linear(BybitSettings(rest_url="https://api.example"))
    urls = [request.url for request in connector.instrument_requests()]
    base = "https://api.example/v5/market/instruments-info?category=linear&limit=1000"
    assert urls == [base, f"{base}&status=PreLaunch"]
    reply = encode({"retCode": 0, "result": {"list": [], "nextPageCursor": "a=b&c"}})
    page = connector.next_instruments(Frame("bybit-linear", reply, 0, "instruments:PreLaunch"))
    assert page is not None
    assert (page.url, page.tag) == (f"{base}&status=PreLaunch&cursor=a%3Db%26c", "instruments:PreLaunch")
    assert [request.url for request in Spot(BybitSettings()).instrument_requests()] == [
        "https://api.bybit.com/v5/market/instruments-info?category=spot"
    ]


def test_instruments_have_their_canonical_names_and_sizes() -> None:
    row = {
        "symbol": "BTCUSDZ26", "contractType": "InverseFutures", "status": "Trading", "baseCoin": "BTC",
        "quoteCoin": "USD", "deliveryTime": "1798185600000", "settleCoin": "BTC",
        "priceFilter": {"tickSize": "0.5"}, "lotSizeFilter": {"qtyStep": "1"},
    }  # fmt: skip
    rows = [row, {**row, "symbol": "BTCUSD", "deliveryTime": "0", "status": "PreLaunch"}]
    dated, perpetual = Inverse(BybitSettings()).instruments(
        Frame("bybit-inverse", encode({"retCode": 0, "result": {"list": rows}}), 0)
    )
    assert (dated.canonical, dated.kind, dated.expiry) == ("BTC-USD-261225", "future", 1798185600000 * 10**6)
    assert (str(dated.contract_size), dated.contract_currency, dated.settle) == ("1", "USD", "BTC")
    assert (perpetual.canonical, perpetual.kind, perpetual.active) == ("BTC-USD-PERP", "perpetual", False)


def test_a_refusal_is_no_list() -> None:
    with pytest.raises(ParseError, match="10006 Too many visits"):
        Spot(BybitSettings()).instruments(Frame("bybit", '{"retCode":10006,"retMsg":"Too many visits"}', 0))
