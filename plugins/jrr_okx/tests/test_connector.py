"""Which connections are opened for which streams, and what is said on them."""

from collections import Counter
from collections.abc import Sequence

import pytest
from jrr_okx.connector import OkxConnector, OkxSettings
from jrr_okx.products import BARS

from jrr_core.connector import Keepalive, Limits, Rate
from jrr_core.errors import ConfigError
from jrr_core.subscription import Subscription
from jrr_core.testing.connector_suite import ConnectorSuite
from jrr_core.wire import decode

INSTRUMENTS = (
    '{"code":"0","msg":"","data":[{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","uly":"",'
    '"instFamily":"","settleCcy":"","ctVal":"","ctMult":"","ctValCcy":"","tickSz":"0.1","lotSz":"0.00000001",'
    '"expTime":"","state":"live"}]}',
    '{"code":"0","msg":"","data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","baseCcy":"","quoteCcy":"",'
    '"uly":"BTC-USDT","instFamily":"BTC-USDT","settleCcy":"USDT","ctVal":"0.01","ctMult":"1","ctValCcy":"BTC",'
    '"tickSz":"0.1","lotSz":"0.01","expTime":"","state":"live"}]}',
    '{"code":"0","msg":"","data":[]}',
)


def plans_of(*texts: str, **settings: object) -> Sequence:  # type: ignore[type-arg]  # plans, compared field by field
    connector = OkxConnector(OkxSettings(**settings))  # type: ignore[arg-type]  # settings under test
    return connector.sessions([Subscription.parse(f"okx:{text}") for text in texts])


def arguments(plan: object) -> list[dict[str, str]]:
    subscribe, subscriptions = plan.subscribe, plan.subscriptions  # type: ignore[attr-defined]  # a SessionPlan
    return [argument for send in subscribe(subscriptions) for argument in decode(send.text)["args"]]


class TestOkxConnector(ConnectorSuite):
    connector = OkxConnector
    wanted = (
        "okx:trade:BTC-USDT", "okx:quote:BTC-USDT", "okx:book:BTC-USDT-SWAP", "okx:book_snapshot_5:BTC-USDT",
        "okx:book_snapshot_10:BTC-USDT", "okx:book_snapshot_20:BTC-USDT", "okx:candle_1s:BTC-USDT",
        "okx:candle_1d:BTC-USDT", "okx:funding:BTC-USDT-SWAP", "okx:mark_price:BTC-USDT-SWAP",
        "okx:open_interest:BTC-USDT-SWAP", "okx:liquidation:BTC-USDT-SWAP", "okx:liquidation:BTC-USDT-261225",
        "okx:books5:ETH-USDT", "okx:candle1M:ETH-USDT", "okx:trades-all:ETH-USDT",
    )  # fmt: skip
    max_message_bytes = 32 * 1024 + 100
    # Docs, "Connect": closed when 30 s pass without a push, unless "ping" is sent; 3 connections a second.
    idle_s = 30.0
    needs_text = True
    allowed = Limits(connects=Rate(3, 1.0), messages=Rate(480, 1.0))
    acknowledges = True
    instrument_replies = INSTRUMENTS

    def many(self, count: int) -> Sequence[str]:
        return [f"okx:{'book' if i % 3 else 'trade'}:A{i}-USDT" for i in range(count)]

    def stream_text(self, subscription: Subscription) -> str:
        if subscription.channel == "liquidation":
            return "SWAP" if subscription.symbol.endswith("-SWAP") else "FUTURES"
        return subscription.symbol


def test_channels_are_split_over_the_two_paths() -> None:
    plans = plans_of("trade:BTC-USDT", "candle_1m:BTC-USDT", "trades-all:ETH-USDT", "funding:BTC-USDT-SWAP")
    assert {plan.url: len(plan.subscriptions) for plan in plans} == {
        "wss://ws.okx.com/ws/v5/public": 2,
        "wss://ws.okx.com/ws/v5/business": 2,
    }
    assert {plan.keepalive for plan in plans} == {Keepalive("ping", 20.0)}


def test_trades_may_be_taken_fill_by_fill() -> None:
    (plan,) = plans_of("trade:BTC-USDT", trade_stream="trades-all")
    assert plan.url.endswith("/business")
    assert arguments(plan) == [{"channel": "trades-all", "instId": "BTC-USDT"}]


def test_unknown_trade_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="trade_stream"):
        OkxSettings(trade_stream="ticks")


def test_books_are_at_most_thirty_a_connection() -> None:
    plans = plans_of(*(f"book:A{i}-USDT" for i in range(70)), *(f"trade:A{i}-USDT" for i in range(70)))
    books = [Counter(item.channel for item in plan.subscriptions)["book"] for plan in plans]
    assert books == [30, 30, 10]
    assert max(len(plan.subscriptions) for plan in plans) <= 100


def test_one_book_serves_all_its_depths_and_is_asked_for_once() -> None:
    (plan,) = plans_of("book:BTC-USDT", "book_snapshot_10:BTC-USDT", "book_snapshot_20:BTC-USDT")
    assert arguments(plan) == [{"channel": "books", "instId": "BTC-USDT"}]
    assert len(plan.subscriptions) == 3


def test_shared_topic_ends_with_its_last_stream() -> None:
    (plan,) = plans_of("book:BTC-USDT", "book_snapshot_10:BTC-USDT")
    plan.subscribe(plan.subscriptions)
    assert plan.unsubscribe(plan.subscriptions[:1]) == []
    (send,) = plan.unsubscribe(plan.subscriptions[1:])
    assert decode(send.text)["op"] == "unsubscribe"
    assert send.acks == ()


def test_liquidations_are_asked_for_by_instrument_type() -> None:
    (plan,) = plans_of(
        "liquidation:BTC-USDT-SWAP", "liquidation:ETH-USDT-SWAP", "liquidation:BTC-USDT-261225",
        "liquidation:BTC-USD_UM_XPERP-310404", "liquidation:BTC-USD-261225-50000-C", "liquidation:BTC-USDT",
    )  # fmt: skip
    assert [argument["instType"] for argument in arguments(plan)] == ["SWAP", "FUTURES", "OPTION", "MARGIN"]


def test_native_liquidations_are_of_every_symbol() -> None:
    (plan,) = plans_of("liquidation-orders:SWAP")
    (subscription,) = plan.subscriptions
    assert (subscription.channel, subscription.symbol, subscription.native) == (
        "liquidation", "*", "liquidation-orders:SWAP",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("interval", "native"),
    [("1s", "candle1s"), ("4h", "candle4H"), ("6h", "candle6Hutc"), ("1w", "candle1Wutc"), ("1M", "candle1Mutc")],
)
def test_candles_are_asked_for_with_boundaries_in_utc(interval: str, native: str) -> None:
    (plan,) = plans_of(f"candle_{interval}:BTC-USDT")
    assert arguments(plan) == [{"channel": native, "instId": "BTC-USDT"}]


def test_native_candles_of_local_days_say_so() -> None:
    channels = [
        item.channel for plan in plans_of("candle6H:BTC-USDT", "candle1D:BTC-USDT") for item in plan.subscriptions
    ]
    assert channels == ["candle_6h@+08:00", "candle_1d@+08:00"]
    assert len(BARS) == 27


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tickers:BTC-USDT", "trades"),
        ("index-tickers:BTC-USDT", "bbo-tbt"),
        ("books-l2-tbt:BTC-USDT", "books"),
        ("candle8H:BTC-USDT", "candle"),
        ("candle_8h:BTC-USDT", "6h"),
        ("trads:BTC-USDT", "did you mean trades"),
        ("trades:", "lacks an instrument"),
        ("trade:BTC/USDT", "not an OKX instrument"),
        ("liquidation-orders:BTC-USDT-SWAP", "SWAP, FUTURES"),
    ],
)
def test_streams_okx_does_not_have_are_refused_with_what_it_has(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint) as caught:
        plans_of(text)
    assert text.rstrip(":") in str(caught.value)


def test_requests_name_their_topics_and_stay_small() -> None:
    connector = OkxConnector(OkxSettings(streams_per_connection=2000))
    (plan,) = connector.sessions([Subscription("okx", "trade", f"AVERYLONGNAME{i}-USDT-SWAP") for i in range(1500)])
    sends = plan.subscribe(plan.subscriptions)
    assert len(sends) > 1
    for send in sends:
        request = decode(send.text)
        assert len(send.text) <= 32 * 1024
        assert request["id"].isalnum()
        assert len(request["id"]) <= 32
        assert list(send.acks) == [f"trades:{argument['instId']}" for argument in request["args"]]


def test_addresses_may_be_another_servers() -> None:
    (plan,) = plans_of("trade:BTC-USDT", ws_url="ws://127.0.0.1:9/", rest_url="http://127.0.0.1:9")
    assert plan.url == "ws://127.0.0.1:9/ws/v5/public"


def test_merged_trades_cover_as_many_ids_as_fills_and_single_ones_one() -> None:
    assert OkxConnector.trade_numbering == {None: "fills", "fill": "each"}
