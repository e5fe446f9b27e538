"""The public conformance suites over Kraken's plugin."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jrr_kraken.books import checksum
from jrr_kraken.connector import KrakenConnector, KrakenSettings
from jrr_kraken.parser import KrakenParser
from jrr_kraken.products import IDLE_S
from jrr_kraken.simulator import KrakenScript

from jrr_core.connector import Limits, Rate
from jrr_core.events import Candle
from jrr_core.frame import Frame, Hole
from jrr_core.subscription import Subscription
from jrr_core.testing.connector_suite import ConnectorSuite
from jrr_core.testing.parser_suite import ParserSuite
from jrr_core.testing.simulator_suite import SimulatorSuite

FRAMES = Path(__file__).parent / "frames"
PAIRS = (
    '{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD",'
    '"pair_decimals":1,"lot_decimals":8,"tick_size":"0.1","ordermin":"0.0001","status":"online"},'
    '"XDGUSD":{"altname":"XDGUSD","wsname":"XDG/USD","lot_decimals":2,"tick_size":"0.0000001","status":"cancel_only"},'
    '"OLD":{"altname":"OLD","lot_decimals":2}}}'
)


def book_frame(kind: str, second: int, bids: Mapping[str, str], best: Mapping[str, str], asks: str = "[]") -> str:
    rows = ",".join([f'{{"price":{price},"qty":{amount}}}' for price, amount in bids.items()])
    right = checksum(list(best.items()), [("101.0", "2.00")])
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{rows}],"asks":{asks},'
        f'"checksum":{right},"timestamp":"2023-10-06T17:35:{second:02d}.440295Z"}}]}}'
    )


SNAPSHOT = book_frame(
    "snapshot", 10, {"100.0": "1.00", "99.0": "1.00"}, {"100.0": "1.00", "99.0": "1.00"}, '[{"price":101.0,"qty":2.00}]'
)  # fmt: skip


class TestKrakenParser(ParserSuite):
    exchange = "kraken"
    frames = (FRAMES / "spot.jsonl",)
    without_ts_event = (Candle,)
    books: ClassVar = {
        "BTC/USD": (
            [("105944.2", "0.25000000"), ("105942.0", "1.00000000")],
            [("105944.3", "0.13600000"), ("105945.0", "0.00000056")],
        )
    }
    holes: ClassVar[Sequence[Hole]] = (
        Hole("trade", "BTC/USD", None, 5, 9, 5, 1_696_613_755_440_295_000),
        Hole("candle_1m", "BTC/USD", None, 0, 120 * 10**9, 3),
    )

    def make_parser(self) -> KrakenParser:
        return KrakenConnector(KrakenSettings()).parser(None)

    def make_asking_parser(self) -> KrakenParser:
        return KrakenConnector(KrakenSettings()).parser([Subscription("kraken", "trade", "BTC/USD")])

    def delta_frame(self, number: int) -> str | None:
        return book_frame("update", number % 60, {"100.0": f"{number + 2}.0"}, {"100.0": f"{number + 2}.0"})

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        return {
            "an update lost": [SNAPSHOT, book_frame("update", 12, {"98.0": "1.00"}, {"99.0": "1.00", "98.0": "1.00"})],
            "no snapshot": [book_frame("update", 12, {"98.0": "1.00"}, {"98.0": "1.00"})],
        }


class TestKrakenConnector(ConnectorSuite):
    connector = KrakenConnector
    wanted = (
        "kraken:trade:BTC/USD", "kraken:quote:BTC/USD", "kraken:book:BTC/USD", "kraken:book_snapshot_5:BTC/USD",
        "kraken:book_snapshot_10:BTC/USD", "kraken:book_snapshot_20:BTC/USD", "kraken:candle_1m:BTC/USD",
        "kraken:candle_1d:BTC/USD", "kraken:trade:ETH/USD", "kraken:ticker:ETH/EUR", "kraken:book:ETH/USD",
        "kraken:ohlc-60:ETH/USD", "kraken:book-1000:ETH/EUR",
    )  # fmt: skip
    idle_s = IDLE_S
    allowed = Limits(connects=Rate(1, 5.0), messages=Rate(5, 1.0), http={"kraken": Rate(1, 1.0)})
    acknowledges = True
    instrument_replies = (PAIRS,)

    def many(self, count: int) -> Sequence[str]:
        return [f"kraken:{'book' if i % 3 else 'trade'}:A{i}/USD" for i in range(count)]


class TestKrakenSimulator(SimulatorSuite):
    script = KrakenScript
    connector = KrakenConnector
    wanted = (
        "kraken:book_snapshot_5:ETH/USD",
        "kraken:candle_1m:BTC/USD",
        "kraken:trade:ETH/USD",
        "kraken:book:ETH/USD",
    )
    unknown = "kraken:trade:NO/SUCH"
