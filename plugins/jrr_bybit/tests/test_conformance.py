"""The public conformance suites over Bybit's three products."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jrr_bybit.connector import Inverse, Linear, Spot
from jrr_bybit.parser import BybitParser
from jrr_bybit.products import ARGS_PER_REQUEST, IDLE_S
from jrr_bybit.simulator import InverseScript, LinearScript, SpotScript

from jrr_core.connector import Limits, Rate
from jrr_core.frame import Frame, Hole
from jrr_core.subscription import Subscription
from jrr_core.testing.connector_suite import ConnectorSuite
from jrr_core.testing.parser_suite import ParserSuite
from jrr_core.testing.simulator_suite import SimulatorSuite
from jrr_core.wire import encode

FRAMES = Path(__file__).parent / "frames"
LISTED = (
    '{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[{"symbol":"BTCUSDT","contractType":'
    '"LinearPerpetual","status":"Trading","baseCoin":"BTC","quoteCoin":"USDT","deliveryTime":"0","settleCoin":"USDT",'
    '"priceFilter":{"tickSize":"0.10"},"lotSizeFilter":{"qtyStep":"0.001"},"fundingInterval":480}],'
    '"nextPageCursor":"first%3DBTCUSDT"},"time":1672211918471}'
)
LAST = '{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[],"nextPageCursor":""},"time":1672211918471}'
SPOT_LISTED = (
    '{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":'
    '"USDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001"},"priceFilter":{"tickSize":"0.01"}}]},'
    '"time":1672211918471}'
)


def book_frame(kind: str, u: int, seq: int) -> str:
    data = {"s": "BTCUSDT", "b": [["100", "1"]], "a": [["101", "2"]], "u": u, "seq": seq}
    topic = {"topic": "orderbook.1000.BTCUSDT", "type": kind, "ts": 1733011200693 + u, "cts": 1733011200690 + u}
    return encode({**topic, "data": data})


class BybitParserRules(ParserSuite):
    """What is told of books to the suite, the same for every product."""

    def delta_frame(self, number: int) -> str | None:
        return book_frame("delta", number + 2, number + 2)

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        snapshot = book_frame("snapshot", 10, 100)
        return {
            "an update lost": [snapshot, book_frame("delta", 11, 105), book_frame("delta", 13, 110)],
            "first update lost": [snapshot, book_frame("delta", 12, 105)],
            "no snapshot": [book_frame("delta", 12, 105)],
            "an old update again": [snapshot, book_frame("delta", 11, 105), book_frame("delta", 9, 99)],
        }


class TestLinearParser(BybitParserRules):
    exchange = "bybit-linear"
    frames = (FRAMES / "linear.jsonl",)
    books: ClassVar = {"BTCUSDT": ([("1.9530", "11"), ("1.9529", "2")], [("1.9534", "5")])}
    holes: ClassVar[Sequence[Hole]] = (
        Hole("candle_1m", "BTCUSDT", None, 0, 120 * 10**9, 3),
        Hole("funding", "BTCUSDT", None, 0, 8 * 3600 * 10**9, 1),
    )

    def make_parser(self) -> BybitParser:
        return Linear(Linear.Settings()).parser(None)

    def make_asking_parser(self) -> BybitParser:
        return Linear(Linear.Settings()).parser([Subscription("bybit-linear", "candle_1m", "BTCUSDT")])


class TestSpotParser(BybitParserRules):
    exchange = "bybit"
    frames = (FRAMES / "spot.jsonl",)

    def make_parser(self) -> BybitParser:
        names = ("publicTrade.BTCUSDT", "kline.1.BTCUSDT", "orderbook.1000.BTCUSDT")
        return Spot(Spot.Settings()).parser([Subscription("bybit", native=name) for name in names])


class TestInverseParser(BybitParserRules):
    exchange = "bybit-inverse"
    frames = (FRAMES / "inverse.jsonl",)

    def make_parser(self) -> BybitParser:
        return Inverse(Inverse.Settings()).parser(None)


class BybitConnectorRules(ConnectorSuite):
    """What is told of every connector: docs, "Connect" and "Rate limit"."""

    idle_s = IDLE_S
    needs_text = True
    allowed = Limits(connects=Rate(500, 300.0), messages=Rate(10, 1.0), http={"bybit": Rate(600, 5.0)})
    max_streams_per_message = ARGS_PER_REQUEST
    acknowledges = True


class TestSpotConnector(BybitConnectorRules):
    connector = Spot
    wanted = (
        "bybit:trade:BTCUSDT", "bybit:quote:BTCUSDT", "bybit:book:BTCUSDT", "bybit:book_snapshot_5:BTCUSDT",
        "bybit:book_snapshot_10:BTCUSDT", "bybit:book_snapshot_20:BTCUSDT", "bybit:candle_1m:BTCUSDT",
        "bybit:candle_1M:BTCUSDT", "bybit:publicTrade.ETHUSDT", "bybit:orderbook.1.ETHUSDT", "bybit:kline.D.ETHUSDT",
    )  # fmt: skip
    instrument_replies = (SPOT_LISTED,)

    def many(self, count: int) -> Sequence[str]:
        return [f"bybit:{'book' if i % 3 else 'trade'}:A{i}USDT" for i in range(count)]


class TestLinearConnector(BybitConnectorRules):
    connector = Linear
    wanted = (
        "bybit-linear:trade:BTCUSDT", "bybit-linear:quote:BTCUSDT", "bybit-linear:book:BTCUSDT",
        "bybit-linear:book_snapshot_5:BTCUSDT", "bybit-linear:candle_1h:BTCUSDT", "bybit-linear:funding:BTCUSDT",
        "bybit-linear:mark_price:BTCUSDT", "bybit-linear:open_interest:BTCUSDT", "bybit-linear:liquidation:BTCUSDT",
        "bybit-linear:tickers.ETHPERP", "bybit-linear:allLiquidation.ETHPERP", "bybit-linear:orderbook.1000.ETHPERP",
    )  # fmt: skip
    instrument_replies = (LISTED, LAST)

    def many(self, count: int) -> Sequence[str]:
        return [f"bybit-linear:{'mark_price' if i % 3 else 'trade'}:A{i}USDT" for i in range(count)]


class TestSpotSimulator(SimulatorSuite):
    script = SpotScript
    connector = Spot
    wanted = ("bybit:trade:ETHUSDT", "bybit:book:BTCUSDT", "bybit:quote:BTCUSDT", "bybit:candle_1m:BTCUSDT")
    seldom = ("bybit:candle_1m:BTCUSDT",)
    unknown = "bybit:trade:NOSUCH"


class TestLinearSimulator(SimulatorSuite):
    script = LinearScript
    connector = Linear
    wanted = (
        "bybit-linear:book_snapshot_5:BTCUSDT", "bybit-linear:funding:BTCUSDT", "bybit-linear:mark_price:BTCUSDT",
        "bybit-linear:open_interest:ETHPERP", "bybit-linear:liquidation:BTCUSDT", "bybit-linear:mark_price:BTC-25DEC26",
    )  # fmt: skip
    unknown = "bybit-linear:trade:NOSUCH"


class TestInverseSimulator(SimulatorSuite):
    script = InverseScript
    connector = Inverse
    wanted = ("bybit-inverse:book:BTCUSD", "bybit-inverse:open_interest:BTCUSD", "bybit-inverse:trade:BTCUSD")
    unknown = "bybit-inverse:trade:NOSUCH"
