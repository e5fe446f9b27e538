"""Session plans: addresses, paths, shards, messages and refusals of the three products."""

import json

import pytest
from jrr_binance import jrr_connectors
from jrr_binance.connector import CoinM, CoinmSettings, Spot, SpotSettings, UsdM, UsdmSettings

from jrr_core.connector import Rate, SessionPlan
from jrr_core.errors import ConfigError
from jrr_core.frame import Frame, Send
from jrr_core.subscription import Subscription


def wanted(*texts: str) -> list[Subscription]:
    return [Subscription.parse(text) for text in texts]


def names(sends: list[Send] | tuple[Send, ...]) -> list[str]:
    return [name for send in sends for name in json.loads(send.text)["params"]]


def asked(plan: SessionPlan) -> list[str]:
    return names(list(plan.subscribe(plan.subscriptions)))


def test_spot_carries_everything_on_one_combined_connection() -> None:
    (plan,) = Spot(SpotSettings()).sessions(wanted("binance:trade:BTCUSDT", "binance:book:BTCUSDT"))
    assert plan.url == "wss://stream.binance.com:9443/stream"
    assert asked(plan) == ["btcusdt@trade", "btcusdt@depth@100ms"]
    assert (plan.ping_interval_s, plan.max_streams) == (60.0, 1024)


def test_usdm_splits_by_path() -> None:
    market, public = UsdM(UsdmSettings(ws_url="ws://127.0.0.1:9/")).sessions(
        wanted("binance-usdm:trade:BTCUSDT", "binance-usdm:book:BTCUSDT", "binance-usdm:btcusdt@trade",
               "binance-usdm:candle_1m:BTCUSDT", "binance-usdm:quote:BTCUSDT", "binance-usdm:funding:BTCUSDT",
               "binance-usdm:book_snapshot_5:BTCUSDT", "binance-usdm:liquidation:BTCUSDT")
    )  # fmt: skip
    assert (market.url, public.url) == ("ws://127.0.0.1:9/market/stream", "ws://127.0.0.1:9/public/stream")
    assert asked(market) == ["btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@forceOrder"]
    assert asked(public) == ["btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth5@100ms"]


def test_a_plan_is_told_what_the_exchange_and_the_settings_fix() -> None:
    rates = UsdM(UsdmSettings(open_interest_s=10.0)).fixed_rates
    assert rates == {"mark_price": 1.0, "funding": 1.0, "open_interest": 0.1}


def test_coinm_has_one_path() -> None:
    (plan,) = CoinM(CoinmSettings()).sessions(
        wanted("binance-coinm:trade:BTCUSD_PERP", "binance-coinm:quote:BTCUSD_PERP")
    )
    assert plan.url == "wss://dstream.binance.com/stream"
    assert asked(plan) == ["btcusd_perp@aggTrade", "btcusd_perp@bookTicker"]


def test_plans_fill_in_what_a_native_name_means() -> None:
    (plan,) = Spot(SpotSettings()).sessions(wanted("binance:BTCUSDT@kline_1d@+08:00", "binance:quote:ETHUSDT"))
    assert plan.subscriptions == (
        Subscription("binance", "candle_1d@+08:00", "BTCUSDT", "BTCUSDT@kline_1d@+08:00"),
        Subscription("binance", "quote", "ETHUSDT"),
    )
    assert asked(plan) == ["btcusdt@kline_1d@+08:00", "ethusdt@bookTicker"]


def test_all_market_stream_is_of_every_symbol() -> None:
    (plan,) = UsdM(UsdmSettings()).sessions(wanted("binance-usdm:!markPrice@arr@1s"))
    assert plan.subscriptions == (Subscription("binance-usdm", "mark_price", "*", "!markPrice@arr@1s"),)


def test_shared_stream_is_subscribed_once_and_given_up_with_its_last_user() -> None:
    both = wanted("binance-usdm:funding:BTCUSDT", "binance-usdm:mark_price:BTCUSDT")
    (plan,) = UsdM(UsdmSettings()).sessions(both)
    assert plan.subscriptions == tuple(both)
    assert asked(plan) == ["btcusdt@markPrice@1s"]
    assert plan.unsubscribe(both[:1]) == []
    (send,) = plan.unsubscribe(both[1:])
    assert json.loads(send.text)["method"] == "UNSUBSCRIBE"
    assert json.loads(send.text)["params"] == ["btcusdt@markPrice@1s"]


def test_connections_and_messages_are_filled_to_their_limits() -> None:
    many = wanted(*[f"binance:trade:A{number}USDT" for number in range(1000)])
    plans = Spot(SpotSettings()).sessions(many)
    assert [len(plan.subscriptions) for plan in plans] == [400, 400, 200]
    assert [plan.name for plan in plans] == ["stream-1", "stream-2", "stream-3"]
    sends = plans[0].subscribe(plans[0].subscriptions)
    assert [len(names([send])) for send in sends] == [200, 200]
    assert [send.acks for send in sends] == [("1",), ("2",)]
    assert [json.loads(send.text)["id"] for send in plans[0].unsubscribe(many[:1])] == [3]
    shards = Spot(SpotSettings(streams_per_connection=1)).sessions(many[:3])
    assert [asked(plan) for plan in shards] == [["a0usdt@trade"], ["a1usdt@trade"], ["a2usdt@trade"]]


def test_renewal_is_spread_before_the_24_hours_and_stable() -> None:
    def times() -> list[float | None]:
        settings = SpotSettings(streams_per_connection=1)
        plans = Spot(settings).sessions(wanted(*[f"binance:trade:A{n}USDT" for n in range(20)]))
        return [plan.rotate_after_s for plan in plans]

    first = times()
    assert first == times()
    assert len(set(first)) > 10
    assert all(time is not None and 22 * 3600 <= time < 23 * 3600 for time in first)


def test_two_speeds_of_one_book_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"btcusdt@depth beside btcusdt@depth@100ms"):
        Spot(SpotSettings()).sessions(wanted("binance:book:BTCUSDT", "binance:btcusdt@depth"))


def test_single_and_aggregate_trades_of_one_symbol_go_together() -> None:
    (plan,) = Spot(SpotSettings()).sessions(wanted("binance:btcusdt@trade", "binance:btcusdt@aggTrade"))
    assert asked(plan) == ["btcusdt@trade", "btcusdt@aggTrade"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"trade_stream": "trades"}, r"exchanges\.binance\.trade_stream = 'trades' .* trade or aggTrade"),
        ({"book_speed": "500ms"}, "100ms or 1000ms"),
        ({"depth_limit": 0}, "1 to 5000"),
        ({"depth_limit": 5001}, "1 to 5000"),
        ({"streams_per_connection": 0}, "1 to 1024"),
        ({"streams_per_connection": 1025}, "1 to 1024"),
    ],
)
def test_spot_settings_that_cannot_be_are_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Spot(SpotSettings(**changes))  # type: ignore[arg-type]  # a table of settings


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"depth_limit": 200}, "5, 10, 20, 50, 100, 500, 1000"),
        ({"open_interest_s": 0.5}, "1 or more"),
        ({"open_interest_s": float("nan")}, "1 or more"),
        ({"streams_per_connection": 201}, "1 to 200"),
    ],
)
def test_futures_settings_that_cannot_be_are_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        CoinM(CoinmSettings(**changes))  # type: ignore[arg-type]  # a table of settings


def test_both_futures_products_share_one_weight_budget() -> None:
    spot, usdm, coinm = Spot(SpotSettings()), UsdM(UsdmSettings()), CoinM(CoinmSettings())
    assert spot.limits.http == {"binance-spot": Rate(3000, 60.0)}
    assert coinm.limits.http == {"binance-futures": Rate(1200, 60.0)}
    assert usdm.limits.http == {**coinm.limits.http, "binance-funding": Rate(500, 300.0)}
    assert spot.limits.messages == Rate(1, 0.3)


@pytest.mark.parametrize(
    ("limit", "weight"), [(1, 5), (100, 5), (101, 25), (500, 25), (1000, 50), (1001, 250), (5000, 250)]
)
def test_snapshot_weight_follows_its_size(limit: int, weight: int) -> None:
    assert Spot.product.depth_weight(limit) == weight


def test_instruments_are_one_get() -> None:
    (request,) = CoinM(CoinmSettings(rest_url="http://127.0.0.1:8/")).instrument_requests()
    assert request.url == "http://127.0.0.1:8/dapi/v1/exchangeInfo"
    assert request.pool == "binance-futures"
    assert CoinM(CoinmSettings()).instruments(Frame("binance-coinm", b'{"symbols":[]}', 0)) == []


def test_plugin_hands_over_the_three_exchanges() -> None:
    found = {connector.exchange: connector.simulator for connector in jrr_connectors()}
    assert found == {
        "binance": "jrr_binance.simulator:SpotScript",
        "binance-usdm": "jrr_binance.simulator:UsdmScript",
        "binance-coinm": "jrr_binance.simulator:CoinmScript",
    }
