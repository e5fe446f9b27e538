"""The public conformance suites over OKX's parser and simulator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jrr_okx.connector import OkxConnector, OkxSettings
from jrr_okx.parser import OkxParser
from jrr_okx.simulator import OkxScript

from jrr_core.events import Candle
from jrr_core.frame import Frame, Hole
from jrr_core.subscription import Subscription
from jrr_core.testing.parser_suite import ParserSuite
from jrr_core.testing.simulator_suite import SimulatorSuite
from jrr_core.wire import encode

FRAMES = Path(__file__).parent / "frames"


def book_frame(action: str, sequence: int, previous: int) -> str:
    row = {
        "asks": [["101", "2", "0", "1"]], "bids": [["100", "1", "0", "1"]], "ts": str(1786541241006 + sequence),
        "checksum": 0, "seqId": sequence, "prevSeqId": previous,
    }  # fmt: skip
    return encode({"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": action, "data": [row]})


class TestOkxParser(ParserSuite):
    exchange = "okx"
    frames = (FRAMES / "public.jsonl", FRAMES / "business.jsonl")
    without_ts_event = (Candle,)

    def make_parser(self) -> OkxParser:
        return OkxParser(None)

    def delta_frame(self, number: int) -> str | None:
        return book_frame("update", number + 1, number)

    holes: ClassVar[Sequence[Hole]] = (
        Hole("trade", "BTC-USDT", None, 5, 9, 5),
        Hole("candle_1m", "BTC-USDT", None, 0, 120 * 10**9, 3),
        Hole("funding", "BTC-USDT-SWAP", None, 0, 8 * 3600 * 10**9, 1),
    )

    def make_asking_parser(self) -> OkxParser:
        return OkxConnector(OkxSettings()).parser([Subscription("okx", "trade", "BTC-USDT")])

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        snapshot = book_frame("snapshot", 10, -1)
        return {
            "an update lost": [snapshot, book_frame("update", 15, 10), book_frame("update", 30, 20)],
            "first update lost": [snapshot, book_frame("update", 30, 20)],
            "no snapshot": [book_frame("update", 30, 20)],
        }


class TestOkxSimulator(SimulatorSuite):
    script = OkxScript
    connector = OkxConnector
    wanted = (
        "okx:open_interest:BTC-USDT-SWAP", "okx:liquidation:BTC-USDT-SWAP", "okx:trade:BTC-USDT-261225",
        "okx:book:BTC-USD-SWAP",
    )  # fmt: skip
    unknown = "okx:trade:NO-SUCH"
    seldom = ("okx:liquidation:BTC-USDT-SWAP",)
