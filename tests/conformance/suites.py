"""The kit's suites as the author of the reference plugins would write them; mutants take the reference's place."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from jrr_core.frame import Frame, Hole
from jrr_core.parser import Parser
from jrr_core.sink import Sink
from jrr_core.subscriber import Subscriber
from jrr_core.subscription import Subscription
from jrr_core.testing import samples
from jrr_core.testing.connector_suite import ConnectorSuite
from jrr_core.testing.parser_suite import ParserSuite
from jrr_core.testing.recording import START
from jrr_core.testing.simulator_suite import SimulatorSuite
from jrr_core.testing.sink_suite import SinkSuite
from jrr_core.testing.subscriber_suite import SubscriberSuite
from tests.conformance.reference.connector import (
    IDLE_S,
    LIFETIME_S,
    LIMITS,
    STREAMS_PER_CONNECTION,
    STREAMS_PER_MESSAGE,
    HarbourConnector,
    stream_name,
)
from tests.conformance.reference.parser import KEPT, HarbourParser
from tests.conformance.reference.simulator import HarbourScript
from tests.conformance.reference.sink import ChestSettings, ChestSink
from tests.conformance.reference.subscriber import TickerSettings, TickerSubscriber

FRAMES = Path(__file__).parent / "reference" / "frames"
_MS = 1_704_067_200_000


def update(sequence: int, previous: int, symbol: str = "BTC-USD") -> str:
    row = {"ch": "book", "sym": symbol, "t": _MS + sequence, "seq": sequence, "prev": previous, "asks": []}
    return json.dumps(row | {"bids": [["1", "1"]]})


def whole(sequence: int) -> Frame:
    row = {"ch": "book", "sym": "BTC-USD", "t": _MS + sequence, "seq": sequence, "bids": [["1", "2"]], "asks": []}
    return Frame("harbour", json.dumps(row), START, "book:BTC-USD")


class ReferenceParser(ParserSuite):
    parser: ClassVar[type[HarbourParser]] = HarbourParser
    exchange = "harbour"
    frames = (FRAMES / "harbour.jsonl",)
    kept_frames = 2 * KEPT
    holes: ClassVar[Sequence[Hole]] = (Hole("trade", "BTC-USD", None, 5, 9, 5),)
    books: ClassVar[Mapping[str, Any]] = {
        "BTC-USD": ([("61837.5", "2"), ("61837.4", "0.5")], [("61837.7", "1"), ("61837.8", "1")])
    }

    def make_parser(self) -> Parser:
        streams = {f"{channel}.BTC-USD": Subscription("harbour", channel, "BTC-USD") for channel in ("trade", "book")}
        return self.parser("https://api.harbour.example", streams)

    def delta_frame(self, number: int) -> str:
        return update(number + 1, number)

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        synced: list[str | Frame] = [update(10, 9), whole(10), update(11, 10)]
        return {
            "an update lost": [*synced, update(13, 12), update(14, 13)],
            "the first update behind the whole book lost": [update(10, 9), whole(10), update(13, 12)],
            "the exchange counts anew": [*synced, update(2, 1), update(3, 2)],
            "and a new book": [*synced, update(13, 12), whole(13), update(14, 13), update(16, 15)],
        }


class ReferenceConnector(ConnectorSuite):
    connector = HarbourConnector
    wanted = (
        "harbour:trade:BTC-USD", "harbour:quote:BTC-USD", "harbour:book:BTC-USD", "harbour:candle_1s:BTC-USD",
        "harbour:candle_1m:ETH-USD", "harbour:book.ETH-USD",
    )  # fmt: skip
    max_message_bytes = 2_000
    max_streams = STREAMS_PER_CONNECTION
    max_streams_per_message = STREAMS_PER_MESSAGE
    allowed = LIMITS
    idle_s = IDLE_S
    lifetime_s = LIFETIME_S
    needs_text = True
    acknowledges = True
    instrument_replies = ('[{"sym":"BTC-USD","base":"BTC","quote":"USD","tick":"0.1","lot":"0.0001"}]',)

    def many(self, count: int) -> Sequence[str]:
        return [f"harbour:trade:A{number}-USD" for number in range(count)]

    def stream_text(self, subscription: Subscription) -> str:
        return stream_name(subscription)


class ReferenceSimulator(SimulatorSuite):
    script = HarbourScript
    connector = HarbourConnector
    unknown = "harbour:trade:NO-SUCH"


class ReferenceSink(SinkSuite):
    sink: ClassVar[Any] = ChestSink
    secrets = ("hush-hush",)

    def make_sink(self, folder: Path) -> Sink:
        made: Sink = self.sink(ChestSettings(path=str(folder / "chest.db")))
        return made

    def make_broken_sink(self, folder: Path) -> Sink:
        made: Sink = self.sink(ChestSettings(path=str(folder / "none" / "chest.db"), token="hush-hush"))
        return made

    def read_back(self, sink: Any, kind: type) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = sink.rows(kind)
        return rows

    def refused(self) -> Sequence[Any]:
        return ["not an event", samples.trade(99, price=object())]

    @contextmanager
    def away(self, sink: Any) -> Iterator[None]:
        with closing(sqlite3.connect(sink.settings.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


class ReferenceSubscriber(SubscriberSuite):
    subscriber: ClassVar[Any] = TickerSubscriber

    def make_subscriber(self) -> Subscriber:
        made: Subscriber = self.subscriber(TickerSettings())
        return made
