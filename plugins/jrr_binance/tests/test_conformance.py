"""The public conformance suites over the three Binance products."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jrr_binance.connector import CoinM, Spot, UsdM
from jrr_binance.parser import Parser
from jrr_binance.simulator import CoinmScript, SpotScript, UsdmScript

from jrr_core.events import BookSnapshot, Quote
from jrr_core.frame import Frame, Hole
from jrr_core.subscription import Subscription
from jrr_core.testing.connector_suite import ConnectorSuite
from jrr_core.testing.parser_suite import ParserSuite
from jrr_core.testing.simulator_suite import SimulatorSuite
from jrr_core.wire import encode

FRAMES = Path(__file__).parent / "frames"


def update(first: int, last: int, previous: int | None = None) -> str:
    row = {"e": "depthUpdate", "E": 1788376136014 + last, "s": "BTCUSDT", "U": first, "u": last}
    link = {} if previous is None else {"pu": previous}
    levels = {"b": [["100.1", "2"]], "a": [["100.2", "0"]]}
    return encode({"stream": "btcusdt@depth@100ms", "data": row | link | levels})


def snapshot(sequence: int, exchange: str) -> Frame:
    text = encode({"lastUpdateId": sequence, "bids": [["100.1", "1"]], "asks": [["100.2", "1"]]})
    return Frame(exchange, text, 1_788_376_136_000_000_000, "depth:BTCUSDT")


class TestSpotParser(ParserSuite):
    exchange = "binance"
    frames = (FRAMES / "spot.jsonl",)
    without_ts_event = (Quote, BookSnapshot)

    def make_parser(self) -> Parser:
        names = [
            "btcusdt@trade", "bnbbtc@aggTrade", "bnbbtc@blockTrade", "bnbbtc@kline_1m", "btcusdt@bookTicker",
            "btcusdt@depth5@100ms", "btcusdt@depth@100ms", "币安人生usdt@trade", "btcusdt@kline_1d@+08:00",
        ]  # fmt: skip
        return Spot(Spot.Settings()).parser([Subscription("binance", native=name) for name in names])

    def delta_frame(self, number: int) -> str | None:
        return update(number + 1, number + 1)

    holes: ClassVar[Sequence[Hole]] = (
        Hole("trade", "BTCUSDT", None, 5, 9, 5),
        Hole("candle_1m", "BTCUSDT", None, 0, 120 * 10**9, 3),
    )

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        synced: list[str | Frame] = [update(8, 10), snapshot(9, "binance")]
        return {
            "an update lost": [*synced, update(11, 12), update(14, 15)],
            "the first update behind the snapshot lost": [*synced, update(12, 12)],
        }


class TestSpotReplay(TestSpotParser):
    holes: ClassVar[Sequence[Hole]] = ()

    def make_parser(self) -> Parser:
        return Spot(Spot.Settings()).parser(None)

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        return {}


class TestUsdmParser(ParserSuite):
    exchange = "binance-usdm"
    frames = (FRAMES / "usdm-public.jsonl", FRAMES / "usdm-market.jsonl")

    def make_parser(self) -> Parser:
        names = ["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth20@100ms", "btcusdt@depth@100ms",
                 "btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@markPrice@1s", "stgusdt@forceOrder",
                 "!markPrice@arr@1s"]  # fmt: skip
        return UsdM(UsdM.Settings()).parser([Subscription("binance-usdm", native=name) for name in names])

    def delta_frame(self, number: int) -> str | None:
        return update(10 * number + 5, 10 * number + 10, 10 * number)

    holes: ClassVar[Sequence[Hole]] = (
        Hole("trade", "BTCUSDT", "agg", 5, 9, 5),
        Hole("funding", "BTCUSDT", None, 0, 8 * 3600 * 10**9, 1),
    )

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        synced: list[str | Frame] = [update(8, 10, 5), snapshot(9, "binance-usdm")]
        return {
            "an update lost": [*synced, update(15, 18, 10), update(25, 28, 20)],
            "the first update behind the snapshot lost": [*synced, update(25, 28, 20)],
        }


class TestCoinmParser(ParserSuite):
    exchange = "binance-coinm"
    frames = (FRAMES / "coinm.jsonl",)

    def make_parser(self) -> Parser:
        return CoinM(CoinM.Settings()).parser(None)


class _Connectors(ConnectorSuite):
    max_message_bytes = 8192
    max_streams = 1024
    max_streams_per_message = 200
    # Websocket Streams: a connection is valid for 24 hours.
    lifetime_s = 86_400.0

    def many(self, count: int) -> Sequence[str]:
        return [f"{self.connector.exchange}:trade:A{number}USDT" for number in range(count)]

    def stream_text(self, subscription: Subscription) -> str:
        return subscription.native or subscription.symbol


class TestSpot(_Connectors):
    connector = Spot
    wanted = (
        "binance:trade:BTCUSDT", "binance:quote:BTCUSDT", "binance:book:BTCUSDT", "binance:book_snapshot_5:BTCUSDT",
        "binance:book_snapshot_20:ETHUSDT", "binance:candle_1s:BTCUSDT", "binance:candle_1M:BTCUSDT",
        "binance:btcusdt@kline_1d@+08:00", "binance:ethusdt@blockTrade", "binance:ethusdt@aggTrade",
    )  # fmt: skip
    instrument_replies = (
        '{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":'
        '[{"filterType":"PRICE_FILTER","tickSize":"0.01"},{"filterType":"LOT_SIZE","stepSize":"0.00001"}]}]}',
    )


class TestUsdm(_Connectors):
    connector = UsdM
    wanted = (
        "binance-usdm:trade:BTCUSDT", "binance-usdm:quote:BTCUSDT", "binance-usdm:book:BTCUSDT",
        "binance-usdm:book_snapshot_10:BTCUSDT", "binance-usdm:candle_1m:BTCUSDT", "binance-usdm:funding:BTCUSDT",
        "binance-usdm:mark_price:BTCUSDT", "binance-usdm:open_interest:BTCUSDT", "binance-usdm:liquidation:BTCUSDT",
        "binance-usdm:ethusdt@trade", "binance-usdm:!bookTicker", "binance-usdm:!forceOrder@arr",
    )  # fmt: skip


class TestCoinm(_Connectors):
    connector = CoinM
    wanted = (
        "binance-coinm:trade:BTCUSD_PERP", "binance-coinm:quote:BTCUSD_PERP", "binance-coinm:book:BTCUSD_261225",
        "binance-coinm:candle_1m:BTCUSD_PERP", "binance-coinm:funding:BTCUSD_PERP",
        "binance-coinm:mark_price:BTCUSD_261225", "binance-coinm:!markPrice@arr@1s",
    )  # fmt: skip


class TestSpotSimulator(SimulatorSuite):
    script = SpotScript
    connector = Spot
    worded_faults = ("silent_stream",)


class TestUsdmSimulator(SimulatorSuite):
    script = UsdmScript
    connector = UsdM
    worded_faults = ("silent_stream",)
    wanted = ("binance-usdm:open_interest:BTCUSDT", "binance-usdm:book_snapshot_10:BTCUSDT")


class TestCoinmSimulator(SimulatorSuite):
    script = CoinmScript
    connector = CoinM
    worded_faults = ("silent_stream",)
    wanted = (
        "binance-coinm:trade:BTCUSD_PERP", "binance-coinm:quote:BTCUSD_PERP", "binance-coinm:book:BTCUSD_261225",
        "binance-coinm:candle_1m:BTCUSD_PERP", "binance-coinm:mark_price:BTCUSD_261225",
    )  # fmt: skip
