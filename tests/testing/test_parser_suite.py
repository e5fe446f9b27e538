"""The parser suite passes a parser that keeps its promises and fails each way of breaking them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from jrr_core import wire
from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message, Trade
from jrr_core.exact import decimal
from jrr_core.frame import Frame, HttpGet, Request
from jrr_core.levels import Levels
from jrr_core.sequence import LinkedIds
from jrr_core.testing import parser_suite
from jrr_core.testing.parser_suite import ParserSuite
from jrr_core.testing.recording import load


class _Shape(wire.Struct):
    c: str = ""
    s: str = ""
    t: int = 0
    n: int = 0
    p: int = 0
    rows: list[tuple[str, str, str, str]] = []  # noqa: RUF012 - msgspec copies it
    bids: list[list[str]] = []  # noqa: RUF012 - msgspec copies it
    asks: list[list[str]] = []  # noqa: RUF012 - msgspec copies it


_decode = wire.decoder(_Shape)
_Base = tuple[str, str, int, int]


class ExampleParser:
    """Trades, and a book whose snapshot comes as a reply."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.books: dict[str, LinkedIds] = {}

    def receive(self, frame: Frame) -> Sequence[Message]:
        shape = _decode(frame.payload)
        if frame.status != 200 or not shape.s:
            return ()
        base = (frame.exchange, shape.s, self.time(shape.t), frame.ts_recv)
        if shape.c == "trade":
            return [self.trade(base, row) for row in shape.rows]
        if shape.c in ("book", "delta"):
            return self.book(shape, base, Levels.from_rows(shape.bids), Levels.from_rows(shape.asks))
        return ()

    def time(self, ms: int) -> int:
        if not 10**12 < ms < 4 * 10**12:
            raise ParseError(f"not a time in milliseconds: {ms}")
        return ms * 1_000_000

    def trade(self, base: _Base, row: tuple[str, str, str, str]) -> Trade:
        sides: Any = {"b": "buy", "s": "sell"}
        return Trade(*base, self.number(row[1]), decimal(row[2]), sides.get(row[3]), row[0])

    def number(self, text: str) -> Any:
        return decimal(text)

    def book(self, shape: _Shape, base: _Base, bids: Levels, asks: Levels) -> Sequence[Message]:
        if shape.c == "book":
            self.books[shape.s] = LinkedIds(shape.n)
            return [BookSnapshot(*base, bids, asks, None, shape.n)]
        known = self.books.get(shape.s)
        if known is None:
            self.ask(shape.s)
            return ()
        if known.take(shape.p, shape.n) is not None:
            del self.books[shape.s]
            self.ask(shape.s)
            return [Gap(*base, "book", "", "sequence break")]
        return [BookDelta(*base, bids, asks, None, shape.n, shape.p)]

    def ask(self, symbol: str) -> None:
        self.requests.append(HttpGet(f"http://127.0.0.1/{symbol}", "book"))


def _delta(number: int, previous: int) -> str:
    return wire.encode({"c": "delta", "s": "ETH-USDT", "t": 1704067200000, "n": number, "p": previous})


class TestExampleParser(ParserSuite):
    parser: ClassVar[Any] = ExampleParser
    exchange = "example"
    frames: ClassVar[Sequence[Path]] = (Path(__file__).parent / "frames" / "example.jsonl",)
    kept_frames = 200

    def make_parser(self) -> ExampleParser:
        parser: ExampleParser = self.parser()
        return parser

    def delta_frame(self, number: int) -> str:
        return _delta(number + 1, number)

    def sequence_breaks(self) -> Mapping[str, Sequence[str]]:
        snapshot = wire.encode({"c": "book", "s": "ETH-USDT", "t": 1704067200000, "n": 5})
        return {"lost delta": [snapshot, _delta(6, 5), _delta(8, 7)]}


class GivesFloats(ExampleParser):
    def number(self, text: str) -> Any:
        return float(decimal(text))


class LeaksErrors(ExampleParser):
    def number(self, text: str) -> Any:
        return Decimal(text)


class SharesState(ExampleParser):
    shared: ClassVar[dict[str, LinkedIds]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.books = self.shared


class SendsSeconds(ExampleParser):
    def time(self, ms: int) -> int:
        return ms // 1000


class ForgetsTheRequest(ExampleParser):
    def ask(self, symbol: str) -> None:
        return


class EmitsEarly(ExampleParser):
    def book(self, shape: _Shape, base: _Base, bids: Levels, asks: Levels) -> Sequence[Message]:
        return super().book(shape, base, bids, asks) or [BookDelta(*base, bids, asks, None, shape.n, shape.p)]


class KeepsEverything(ExampleParser):
    def book(self, shape: _Shape, base: _Base, bids: Levels, asks: Levels) -> Sequence[Message]:
        self.kept = (getattr(self, "kept", ()), "x" * 10_000 + str(shape.n))
        return super().book(shape, base, bids, asks)


class NotesBeforeItChecks(ExampleParser):
    def receive(self, frame: Frame) -> Sequence[Message]:
        shape = _decode(frame.payload)
        if shape.c == "book":
            self.books[shape.s] = LinkedIds(shape.n)
        return super().receive(frame)


class DiffersEachTime(ExampleParser):
    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        self.nth = type(self).made

    def trade(self, base: _Base, row: tuple[str, str, str, str]) -> Trade:
        return attrs.evolve(super().trade(base, row), count=self.nth)


@pytest.mark.parametrize(
    ("parser", "test", "anchor"),
    [
        (GivesFloats, "test_numbers_never_pass_through_float", "no-float"),
        (GivesFloats, "test_recorded_frames_give_the_recorded_events", "recorded-events"),
        (LeaksErrors, "test_replaced_values_give_events_nothing_or_parse_error", "damaged-frames"),
        (NotesBeforeItChecks, "test_replaced_values_give_events_nothing_or_parse_error", "damaged-frames"),
        (SharesState, "test_parsers_share_no_state", "no-shared-state"),
        (SendsSeconds, "test_both_times_are_present", "both-times"),
        (ForgetsTheRequest, "test_sequence_break_gives_a_gap_and_a_request", "sequence-break"),
        (EmitsEarly, "test_snapshot_comes_before_deltas", "snapshot-first"),
        (KeepsEverything, "test_memory_is_bounded_while_no_snapshot_comes", "bounded-memory"),
        (DiffersEachTime, "test_same_frames_give_the_same_events", "deterministic"),
    ],
)
def test_a_broken_promise_fails_by_name(parser: Any, test: str, anchor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_suite, "FUZZ_EXAMPLES", 500)
    suite = type("Suite", (TestExampleParser,), {"parser": parser})()
    with pytest.raises(AssertionError, match=f"#{anchor}"):
        getattr(suite, test)()


def test_a_bad_line_of_a_frames_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"frame": "{}"}\n{"frames": "{}"}\n')
    with pytest.raises(ValueError, match=r"bad.jsonl:2"):
        load(file, "example")


def test_an_empty_frames_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text("\n")
    with pytest.raises(ValueError, match="no frames"):
        load(file, "example")
