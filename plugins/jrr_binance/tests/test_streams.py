"""Stream names: what they carry, which product has them, and what a refusal says."""

import pytest
from jrr_binance import streams
from jrr_binance.products import COINM, SPOT, USDM, Product

from jrr_core.errors import ConfigError
from jrr_core.subscription import INTERVALS, Subscription


@pytest.mark.parametrize(
    ("name", "payload", "symbol", "channels"),
    [
        ("btcusdt@trade", "trade", "BTCUSDT", ("trade",)),
        ("BTCUSDT@aggTrade", "aggTrade", "BTCUSDT", ("trade",)),
        ("btcusdt@blockTrade", "blockTrade", "BTCUSDT", ("trade",)),
        ("btcusdt@bookTicker", "bookTicker", "BTCUSDT", ("quote",)),
        ("btcusdt@depth", "depth", "BTCUSDT", ("book",)),
        ("btcusdt@depth@0ms", "depth", "BTCUSDT", ("book",)),
        ("btcusdt@depth5", "partial", "BTCUSDT", ("book_snapshot_5",)),
        ("btcusdt@depth20@100ms", "partial", "BTCUSDT", ("book_snapshot_20",)),
        ("btcusdt@kline_1m", "kline", "BTCUSDT", ("candle_1m",)),
        ("btcusdt@kline_1M", "kline", "BTCUSDT", ("candle_1M",)),
        ("btcusdt@kline_1d@+08:00", "kline", "BTCUSDT", ("candle_1d@+08:00",)),
        ("btcusd_perp@markPrice@1s", "markPrice", "BTCUSD_PERP", ("mark_price", "funding")),
        ("btcusdt@forceOrder", "forceOrder", "BTCUSDT", ("liquidation",)),
        ("币安人生USDT@trade", "trade", "币安人生USDT", ("trade",)),
        ("!bookTicker", "bookTicker", "*", ("quote",)),
        ("!forceOrder@arr", "forceOrder", "*", ("liquidation",)),
    ],
)
def test_name_says_what_the_stream_carries(name: str, payload: str, symbol: str, channels: tuple[str, ...]) -> None:
    stream = streams.read(name)
    assert stream is not None
    assert (stream.payload, stream.symbol, stream.channels) == (payload, symbol, channels)
    head, at, rest = name.partition("@")
    assert stream.name == streams.lower(head) + at + rest or name.startswith("!")


@pytest.mark.parametrize(
    "name",
    ["", "btcusdt", "@trade", "btcusdt@", "btcusdt@ticker", "btcusdt@rpiDepth@500ms", "btcusdt@depth7", "!ticker@arr",
     "btcusdt@avgPrice", "btcusdt_perpetual@continuousKline_1m", "btcusdt@trade@100ms", "!contractInfo"],
)  # fmt: skip
def test_name_without_event_is_none(name: str) -> None:
    assert streams.read(name) is None


@pytest.mark.parametrize(
    ("product", "name"),
    [
        (SPOT, "btcusdt@markPrice"),
        (SPOT, "btcusdt@forceOrder"),
        (SPOT, "!bookTicker"),
        (SPOT, "btcusdt@depth@500ms"),
        (SPOT, "btcusdt@kline_2m"),
        (SPOT, "btcusdt@miniTicker"),
        (USDM, "btcusdt@kline_1s"),
        (USDM, "btcusdt@kline_1d@+08:00"),
        (USDM, "btcusdt@depth20@250ms"),
        (USDM, "btcusdt@blockTrade"),
        (USDM, "!miniTicker@arr"),
        (COINM, "btcusd@markPrice"),
    ],
)
def test_stream_the_product_lacks_is_refused_with_those_it_has(product: Product, name: str) -> None:
    with pytest.raises(ConfigError, match=r"<symbol>@depth5?") as refusal:
        streams.native(product, name)
    assert name in str(refusal.value)
    assert product.exchange in str(refusal.value)


CHANNELS = {
    "trade": {"trade"},
    "quote": {"bookTicker"},
    "book": {"depth@100ms"},
    "book_snapshot_10": {"depth10@100ms"},
    "candle_3d": {"kline_3d"},
    "funding": {"markPrice@1s"},
    "mark_price": {"markPrice@1s"},
    "open_interest": {"markPrice"},
    "liquidation": {"forceOrder"},
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("product", [SPOT, USDM, COINM])
def test_channel_is_carried_by_its_stream(product: Product, channel: str) -> None:
    wanted = Subscription(product.exchange, channel, "BTCUSD_PERP")
    if product is SPOT and channel in ("funding", "mark_price", "open_interest", "liquidation"):
        with pytest.raises(ConfigError, match="binance-usdm or binance-coinm"):
            streams.for_channel(product, wanted, "trade", "100ms")
        return
    name = streams.for_channel(product, wanted, "trade", "100ms").name
    assert {name.removeprefix("btcusd_perp@")} == CHANNELS[channel]


def test_settings_choose_the_trade_stream_and_the_book_speed() -> None:
    trades = streams.for_channel(SPOT, Subscription("binance", "trade", "BTCUSDT"), "aggTrade", "1000ms")
    book = streams.for_channel(SPOT, Subscription("binance", "book", "BTCUSDT"), "aggTrade", "1000ms")
    assert (trades.name, book.name) == ("btcusdt@aggTrade", "btcusdt@depth")


@pytest.mark.parametrize("product", [SPOT, USDM])
def test_only_existing_intervals_are_served_and_the_refusal_names_them(product: Product) -> None:
    for interval in INTERVALS:
        wanted = Subscription(product.exchange, f"candle_{interval}", "BTCUSDT")
        if interval in product.intervals:
            assert streams.for_channel(product, wanted, "trade", "100ms").interval == interval
        else:
            with pytest.raises(ConfigError, match=", ".join(product.intervals)):
                streams.for_channel(product, wanted, "trade", "100ms")


def test_unresolved_pattern_is_refused() -> None:
    with pytest.raises(ConfigError, match="pattern"):
        streams.for_channel(SPOT, Subscription("binance", "trade", "*USDT"), "trade", "100ms")


def test_a_mistyped_channel_is_told_the_channels_beside_the_stream_names() -> None:
    with pytest.raises(ConfigError, match=r"trad:BTCUSDT.*<symbol>@trade.*CHANNEL:SYMBOL with .* trade, quote"):
        streams.native(SPOT, "trad:BTCUSDT")
