"""The public conformance suites over Gate's two products, and both ways to a book."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jrr_gateio.connector import Futures, GateSettings, Spot
from jrr_gateio.parser import GateParser
from jrr_gateio.products import IDLE_S
from jrr_gateio.simulator import FuturesScript, SpotScript

from jrr_core.connector import Limits, Rate
from jrr_core.events import BookSnapshot
from jrr_core.frame import Frame, Hole
from jrr_core.subscription import Subscription
from jrr_core.testing.connector_suite import ConnectorSuite
from jrr_core.testing.parser_suite import ParserSuite
from jrr_core.testing.simulator_suite import SimulatorSuite
from jrr_core.wire import encode

FRAMES = Path(__file__).parent / "frames"
PAIRS = (
    '[{"id":"ETH_USDT","base":"ETH","quote":"USDT","fee":"0.2","precision":2,"amount_precision":4,"trade_status":'
    '"tradable"},{"id":"OLD_USDT","base":"OLD","quote":"USDT","precision":0,"trade_status":"untradable"}]'
)
CONTRACTS = (
    '[{"name":"BTC_USDT","order_price_round":"0.1","quanto_multiplier":"0.0001","order_size_min":1,'
    '"in_delisting":false}]'
)


def push(channel: str, row: Mapping[str, object]) -> str:
    head = {"time": 1754006400, "time_ms": 1754006400264, "channel": channel, "event": "update"}
    return encode({**head, "result": row})


def whole(number: int, prefix: str = "spot") -> str:
    levels = {"b": [["100", "1"]], "a": [["101", "2"]]}
    return push(
        f"{prefix}.obu", {"t": 1754006400000 + number, "full": True, "s": "ob.X_USDT.400", "u": number, **levels}
    )


def obu(first: int, last: int, prefix: str = "spot", later_ms: int = 0) -> str:
    levels = {"b": [["100", str(last)]], "a": []}
    time = 1754006400000 + last + later_ms
    return push(f"{prefix}.obu", {"t": time, "s": "ob.X_USDT.400", "U": first, "u": last, **levels})


def diff(first: int, last: int, later_ms: int = 0) -> str:
    time = 1754006400000 + last + later_ms
    row = {"t": time, "e": "depthUpdate", "E": 1754006400, "s": "X_USDT", "U": first, "u": last}
    return push("spot.order_book_update", {**row, "b": [["100", str(last)]], "a": []})


class TestSpotParser(ParserSuite):
    exchange = "gateio"
    frames = (FRAMES / "spot.jsonl",)
    books: ClassVar = {"BTC_USDT": ([("115765.0", "1"), ("115764.9", "3")], [("115765.2", "0.5"), ("115765.3", "2")])}
    holes: ClassVar[Sequence[Hole]] = (Hole("candle_1m", "BTC_USDT", None, 0, 120 * 10**9, 3),)

    def make_parser(self) -> GateParser:
        return Spot(GateSettings()).parser(None)

    def make_asking_parser(self) -> GateParser:
        return Spot(GateSettings()).parser([Subscription("gateio", "candle_1m", "BTC_USDT")])

    def delta_frame(self, number: int) -> str | None:
        return obu(number + 2, number + 2)

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        return {
            "an update lost": [whole(10), obu(11, 12), obu(15, 16)],
            "first update lost": [whole(10), obu(12, 13)],
            "no snapshot": [obu(12, 13)],
            "counted anew": [whole(10), obu(11, 12), obu(1, 2, later_ms=200)],
        }


class TestSpotDiffs(ParserSuite):
    exchange = "gateio"
    frames = (FRAMES / "diffs.jsonl",)
    without_ts_event = (BookSnapshot,)
    books: ClassVar = {"BTC_USDT": ([("29291.0", "2")], [("29292.0", "3")])}

    def make_parser(self) -> GateParser:
        connector = Spot(GateSettings(book_stream="order_book_update"))
        return connector.parser([Subscription("gateio", "book", symbol) for symbol in ("BTC_USDT", "X_USDT")])

    def delta_frame(self, number: int) -> str | None:
        return diff(number + 2, number + 2)

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        seed = encode({"id": 11, "asks": [["101", "1"]], "bids": [["100", "1"]]})
        reply = Frame("gateio", seed, 1_754_006_400_000_000_000, "seed:X_USDT")
        return {
            "an update lost": [diff(10, 12), reply, diff(13, 14), diff(17, 18)],
            "counted anew": [diff(10, 12), reply, diff(13, 14), diff(1, 2, later_ms=200)],
        }


class TestFuturesParser(ParserSuite):
    exchange = "gateio-futures"
    frames = (FRAMES / "futures.jsonl",)
    holes: ClassVar[Sequence[Hole]] = (
        Hole("candle_1m", "BTC_USDT", None, 0, 120 * 10**9, 3),
        Hole("funding", "BTC_USDT", None, 0, 8 * 3600 * 10**9, 1),
    )

    def make_parser(self) -> GateParser:
        return Futures(Futures.Settings()).parser(None)

    def make_asking_parser(self) -> GateParser:
        return Futures(Futures.Settings()).parser([Subscription("gateio-futures", "candle_1m", "BTC_USDT")])

    def delta_frame(self, number: int) -> str | None:
        return obu(number + 2, number + 2, "futures")


class GateConnectorRules(ConnectorSuite):
    idle_s = IDLE_S
    needs_text = True
    allowed = Limits(
        connects=Rate(1, 1.0),
        messages=Rate(20, 1.0),
        http={"gateio": Rate(200, 10.0), "gateio-futures": Rate(200, 10.0)},
    )
    acknowledges = True


class TestSpotConnector(GateConnectorRules):
    connector = Spot
    wanted = (
        "gateio:trade:BTC_USDT", "gateio:quote:BTC_USDT", "gateio:book:BTC_USDT", "gateio:book_snapshot_5:BTC_USDT",
        "gateio:book_snapshot_10:BTC_USDT", "gateio:book_snapshot_20:BTC_USDT", "gateio:candle_1m:BTC_USDT",
        "gateio:candle_1d:BTC_USDT", "gateio:trades:ETH_USDT", "gateio:spot.book_ticker:ETH_USDT",
        "gateio:obu:400:ETH_USDT", "gateio:candlesticks:1h:ETH_USDT",
    )  # fmt: skip
    instrument_replies = (PAIRS,)

    def many(self, count: int) -> Sequence[str]:
        return [f"gateio:{'book' if i % 3 else 'trade'}:A{i}_USDT" for i in range(count)]


class TestFuturesConnector(GateConnectorRules):
    connector = Futures
    wanted = (
        "gateio-futures:trade:BTC_USDT", "gateio-futures:quote:BTC_USDT", "gateio-futures:book:BTC_USDT",
        "gateio-futures:book_snapshot_5:BTC_USDT", "gateio-futures:candle_1h:BTC_USDT",
        "gateio-futures:funding:BTC_USDT", "gateio-futures:mark_price:BTC_USDT",
        "gateio-futures:open_interest:BTC_USDT", "gateio-futures:tickers:ETH_USDT",
    )  # fmt: skip
    instrument_replies = (CONTRACTS,)

    def many(self, count: int) -> Sequence[str]:
        return [f"gateio-futures:{'mark_price' if i % 3 else 'trade'}:A{i}_USDT" for i in range(count)]


class TestSpotSimulator(SimulatorSuite):
    script = SpotScript
    connector = Spot
    wanted = ("gateio:trade:ETH_USDT", "gateio:book_snapshot_5:ETH_USDT", "gateio:candle_1m:BTC_USDT")
    unknown = "gateio:trade:NO_SUCH"


class TestFuturesSimulator(SimulatorSuite):
    script = FuturesScript
    connector = Futures
    wanted = (
        "gateio-futures:trade:BTC_USDT", "gateio-futures:book:BTC_USDT", "gateio-futures:quote:ETH_USDT",
        "gateio-futures:funding:BTC_USDT", "gateio-futures:mark_price:BTC_USDT",
        "gateio-futures:open_interest:ETH_USDT", "gateio-futures:candle_1m:ETH_USDT",
    )  # fmt: skip
    unknown = "gateio-futures:trade:NO_SUCH"
