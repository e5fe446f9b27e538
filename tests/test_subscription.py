"""Subscriptions read what users type, say what is wrong with it, and let exchanges' own names through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.errors import ConfigError
from jrr_core.subscription import CHANNELS, Subscription, short_channels

exchanges = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,11}", fullmatch=True)
symbols = st.from_regex(r"[A-Za-z0-9*?_.:/-]{1,16}", fullmatch=True)


@given(exchanges, st.sampled_from(CHANNELS), symbols)
def test_text_form_reads_back(exchange: str, channel: str, symbol: str) -> None:
    subscription = Subscription(exchange, channel, symbol)
    assert Subscription.parse(str(subscription)) == subscription
    assert Subscription.parse(f"  {subscription}\n") == subscription


@given(exchanges, st.text(max_size=24))
def test_whatever_is_read_reads_back_the_same(exchange: str, stream: str) -> None:
    try:
        subscription = Subscription.parse(f"{exchange}:{stream}")
    except ConfigError:
        return
    assert Subscription.parse(str(subscription)) == subscription
    assert (subscription.native is None) == bool(subscription.channel and subscription.symbol)


@given(st.text(max_size=24))
def test_any_text_gives_a_subscription_or_config_error(text: str) -> None:
    try:
        Subscription.parse(text)
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - raising is one of two right answers


@pytest.mark.parametrize(
    "native",
    [
        "btcusdt@trade", "btcusdt@kline_1m", "ethusdt@depth5@100ms", "!markPrice@arr",
        "trades:BTC-USDT", "books:BTC-USDT", "mark-price:BTC-USDT-SWAP", "candle1m:BTC-USDT", "open-interest:X",
    ],
)  # fmt: skip
def test_the_exchanges_own_stream_names_pass_through(native: str) -> None:
    assert Subscription.parse(f"example:{native}") == Subscription("example", native=native)


@pytest.mark.parametrize(
    "text", ["", ":", "trade", "example", "example:", "Example:trade:X", "ex ample:trade:X", ":x:y"]
)
def test_other_forms_are_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(ConfigError, match="exchange:channel:symbol"):
        Subscription.parse(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("example:Trade:BTC", "trade"),
        ("example:mark_prices:BTC", "mark_price"),
        ("example:open_intrest:BTC", "open_interest"),
        ("example:book_snapshot_50:BTC", "book_snapshot_5"),
        ("example:candle_7m:BTC", "candle_.*m"),
    ],
)
def test_misspelt_channels_name_the_nearest(text: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"did you mean {meant}\?"):
        Subscription.parse(text)


@pytest.mark.parametrize("text", ["example:trade", "example:trade:", "example:candle_1m: "])
def test_a_channel_without_symbol_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="lacks a symbol"):
        Subscription.parse(text)


@pytest.mark.parametrize("stream", ["", " ", ":BTCUSDT"])
def test_a_stream_without_name_is_refused(stream: str) -> None:
    with pytest.raises(ConfigError, match="names no stream"):
        Subscription.of("example", stream)


def test_minute_and_month_are_different_channels() -> None:
    assert Subscription.parse("example:candle_1M:X") != Subscription.parse("example:candle_1m:X")


def test_messages_fold_the_candles_into_one() -> None:
    assert [name for name in short_channels() if "candle" in name] == ["candle_<interval>"]
