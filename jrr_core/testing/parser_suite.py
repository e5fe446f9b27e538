"""Checks of the Parser contract, for the author of an exchange to inherit.

    class TestMyParser(ParserSuite):
        exchange = "myexchange"
        frames = (Path(__file__).parent / "frames" / "spot.jsonl",)

        def make_parser(self):
            return MyParser()

Each file holds the frames of one connection, from its first one on. Every rule
is explained in docs/plugins/conformance.md.
"""

import tracemalloc
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given, settings

from ..errors import ParseError
from ..events import ALL_EVENTS, BookDelta, BookSnapshot, Gap, Message, StreamEvent
from ..frame import Frame, Hole, HttpGet, Rotate, Send
from ..levels import Levels
from ..parser import Parser, Refilling
from . import FUZZ_EXAMPLES, damage, recording
from .contract import broken

# Between 2009 and 2100 in nanoseconds: a time in seconds, milliseconds or microseconds falls outside.
_PLAUSIBLE = range(1_230_000_000 * 10**9, 4_100_000_000 * 10**9)
_MOST_GROWTH = 1_000_000


class ParserSuite:
    """A dozen and more tests of one parser; `exchange`, `frames` and `make_parser` are all an author must give."""

    exchange: ClassVar[str]
    frames: ClassVar[Sequence[Path]]
    # Event classes for which the exchange sends no time of its own.
    without_ts_event: ClassVar[Sequence[type[Message]]] = ()
    # Holes the exchange can fill, as core asks for them.
    holes: ClassVar[Sequence[Hole]] = ()
    # How many frames the parser keeps at most while it waits for a snapshot.
    kept_frames: ClassVar[int] = 5_000

    def make_parser(self) -> Parser:
        """Return a fresh parser that takes every stream of the recorded frames."""
        raise NotImplementedError("ParserSuite: define make_parser(self) in your test class")

    def make_asking_parser(self) -> Parser:
        """Return a fresh parser as a live connection has it, where `make_parser` gives one for recordings."""
        return self.make_parser()

    def delta_frame(self, number: int) -> str | None:
        """Return the `number`-th delta of a book whose snapshot never comes; None where books need no snapshot."""
        return None

    def sequence_breaks(self) -> Mapping[str, Sequence[str | Frame]]:
        """Return, by name, the frames of connections in which updates are missing; empty where nothing is numbered."""
        return {}

    def test_recorded_frames_give_the_recorded_events(self) -> None:
        for recorded in self._recordings():
            parser = self.make_parser()
            for item in recorded:
                try:
                    events = parser.receive(item.frame)
                except ParseError as error:
                    rule = f"{item.place}: a frame the exchange sent is read."
                    raise AssertionError(broken("recorded-events", rule, repr(error))) from error
                wrong = None if item.events is None else recording.mismatch(item.events, events)
                rule = f"{item.place}: a recorded frame gives the events recorded with it."
                assert wrong is None, broken("recorded-events", rule, wrong)

    def test_same_frames_give_the_same_events(self) -> None:
        for frames in self._connections():
            first, second = self.make_parser(), self.make_parser()
            for frame in frames:
                rule = "The same frames in a fresh parser give the same events and requests."
                one = (_read(first, frame), _taken(first))
                two = (_read(second, frame), _taken(second))
                assert one == two, broken("deterministic", rule, f"{one} and {two}")

    def test_text_and_bytes_mean_the_same(self) -> None:
        for frames in self._connections():
            text, raw = self.make_parser(), self.make_parser()
            for frame in frames:
                rule = "A payload means the same as str and as bytes."
                other = attrs.evolve(frame, payload=_swapped(frame.payload))
                one, two = _read(text, frame), _read(raw, other)
                assert one == two, broken("deterministic", rule, f"{one} and {two}")

    def test_parsers_share_no_state(self) -> None:
        for frames in self._connections():
            alone = self.make_parser()
            expected = [_read(alone, frame) for frame in frames]
            parser, other = self.make_parser(), self.make_parser()
            rule = "What one parser reads changes nothing in another."
            assert parser.requests is not other.requests, broken("no-shared-state", rule, "one list of requests")
            for frame, wanted, backwards in zip(frames, expected, reversed(frames), strict=True):
                _read(other, backwards)
                found = _read(parser, frame)
                assert found == wanted, broken("no-shared-state", rule, f"{found} instead of {wanted}")

    def test_events_are_of_the_exchange_and_of_known_classes(self) -> None:
        for event in self._events():
            rule = "An event is of a class of jrr_core.events, and names its exchange and symbol."
            fit = type(event) in ALL_EVENTS and event.exchange == self.exchange and bool(event.symbol)
            assert fit, broken("event-fields", rule, event)
            hash(event.key())

    def test_both_times_are_present(self) -> None:
        for frames in self._connections():
            parser, received = self.make_parser(), set()
            for frame in frames:
                received.add(frame.ts_recv)
                for event in _read(parser, frame):
                    rule = "ts_recv is the ts_recv of a frame that came."
                    assert event.ts_recv in received, broken("both-times", rule, event)
                    if event.ts_event is None and isinstance(event, (StreamEvent, *self.without_ts_event)):
                        continue
                    rule = "ts_event is the exchange's clock in int ns (classes without one: without_ts_event)."
                    fit = type(event.ts_event) is int and event.ts_event in _PLAUSIBLE
                    assert fit, broken("both-times", rule, event)

    def test_numbers_never_pass_through_float(self) -> None:
        for event in self._events():
            values = attrs.asdict(event, recurse=False)
            floats = {name: value for name, value in values.items() if _has_float(value)}
            rule = "Prices and amounts are Decimal or Levels, times int; no field is a float or a non-finite number."
            assert not floats, broken("no-float", rule, f"{type(event).__name__} {floats}")

    def test_sides_are_buy_sell_or_none(self) -> None:
        for event in self._events():
            side = getattr(event, "side", None)
            rule = "side is 'buy', 'sell' or None."
            assert side in ("buy", "sell", None), broken("event-fields", rule, event)

    def test_snapshot_comes_before_deltas(self) -> None:
        deltas = 0
        for frames in self._connections():
            parser, known = self.make_parser(), set()
            for frame in frames:
                for event in _read(parser, frame):
                    if isinstance(event, BookSnapshot) and event.depth is None:
                        known.add(event.symbol)
                    if isinstance(event, BookDelta):
                        deltas += 1
                        rule = "The first event of a book is a full BookSnapshot; deltas before it are held back."
                        assert event.symbol in known, broken("snapshot-first", rule, event)
        if not deltas:
            pytest.skip("no book deltas in the recorded frames")

    def test_sequence_break_gives_a_gap_and_a_request(self) -> None:
        cases = self.sequence_breaks()
        if not cases:
            pytest.skip("sequence_breaks() gives none")
        for name, texts in cases.items():
            parser = self.make_parser()
            events: list[Message] = []
            asked: list[object] = []
            for number, text in enumerate(texts):
                frame = text if isinstance(text, Frame) else self._frame(text, number)
                events += parser.receive(frame)
                requests = _taken(parser)
                if any(isinstance(event, Gap) for event in events):
                    asked += [request for request in requests if isinstance(request, (Send, HttpGet, Rotate))]
            gaps = [event for event in events if isinstance(event, Gap)]
            rule = f"Missing updates ({name}) give a Gap that names its stream."
            assert gaps, broken("sequence-break", rule, f"only {[event.type for event in events]}")
            assert all(gap.what and gap.symbol for gap in gaps), broken("sequence-break", rule, gaps)
            rule = f"With the Gap ({name}) the parser asks for what closes it: Send, HttpGet or Rotate."
            assert asked, broken("sequence-break", rule, "no request")

    def test_memory_is_bounded_while_no_snapshot_comes(self) -> None:
        if self.delta_frame(0) is None:
            pytest.skip("delta_frame() gives none")
        parser = self.make_parser()

        def feed(numbers: range) -> int:
            for number in numbers:
                _read(parser, self._frame(self.delta_frame(number) or "", number))
                parser.requests.clear()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            full = feed(range(self.kept_frames))
            later = feed(range(self.kept_frames, 2 * self.kept_frames))
        finally:
            tracemalloc.stop()
        rule = f"A parser that waits for a snapshot keeps at most {self.kept_frames} frames (kept_frames)."
        assert later - full < _MOST_GROWTH, broken("bounded-memory", rule, f"{later - full} bytes more after them")

    def test_arbitrary_bytes_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.noise)

    def test_truncated_frames_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.cut)

    def test_bit_flipped_frames_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.flip)

    def test_replaced_values_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.replace_value)

    def _survives(self, kind: damage.Damage) -> None:
        """Feed damaged frames amid good ones: a frame that raises ParseError must leave no trace in what follows."""
        connections = [frames[:50] for frames in self._connections()]

        def case(random: Random) -> tuple[Sequence[Frame], int, Frame]:
            frames = random.choice(connections)
            return frames, random.randint(0, len(frames)), kind(random.choice(frames), random)

        @settings(max_examples=FUZZ_EXAMPLES, deadline=None, report_multiple_bugs=False)
        @given(damage.seeded(case))
        def check(case: tuple[Sequence[Frame], int, Frame]) -> None:
            self._survives_one(*case)

        check()

    def _survives_one(self, frames: Sequence[Frame], at: int, bad: Frame) -> None:
        parser, following = self._after(frames[:at]), frames[at : at + 3]
        try:
            events = parser.receive(bad)
        except ParseError:
            untouched = self._after(frames[:at])
            for frame in following:
                found, wanted = _read(parser, frame), _read(untouched, frame)
                rule = "After a ParseError the next frames are read as if the bad one had not come."
                assert found == wanted, broken("damaged-frames", rule, f"{found} instead of {wanted}")
        except Exception as error:
            rule = "Any bytes give events, () or ParseError, and nothing else."
            raise AssertionError(broken("damaged-frames", rule, repr(error))) from error
        else:
            rule = "Events of any frame can be stored: no floats, whole numbers within 64 bits."
            fit = all(isinstance(event, Message) and _storable(event) for event in events)
            assert fit, broken("damaged-frames", rule, events)
            for frame in following:
                _read(parser, frame)

    def test_what_is_missing_is_asked_for_patiently(self) -> None:
        if not self.holes:
            pytest.skip("holes is empty")
        parser = self.make_asking_parser()
        rule = "A parser with `holes` has the method refill."
        assert isinstance(parser, Refilling), broken("refill", rule, type(parser).__name__)
        for hole in (*self.holes, self.holes[0]):
            rule = "refill of a hole the exchange can fill is True and leaves patient GETs, also a second time."
            filled, asked = parser.refill(hole), _taken(parser)
            fit = filled and asked and all(isinstance(request, HttpGet) and request.patient for request in asked)
            assert fit, broken("refill", rule, f"{filled} and {asked}")
        rule = "refill of a stream nobody knows is False, or asks in vain."
        asked = _taken(parser) if parser.refill(Hole("nothing", "NOWHERE", None, 1, 2, 2)) else []
        assert all(isinstance(request, HttpGet) for request in asked), broken("refill", rule, asked)

    def _after(self, frames: Sequence[Frame]) -> Parser:
        parser = self.make_parser()
        for frame in frames:
            _read(parser, frame)
            parser.requests.clear()
        return parser

    def _recordings(self) -> list[Sequence[recording.Recorded]]:
        return [recording.load(Path(path), self.exchange) for path in self.frames]

    def _connections(self) -> list[list[Frame]]:
        return [[item.frame for item in recorded] for recorded in self._recordings()]

    def _events(self) -> list[Message]:
        events: list[Message] = []
        for frames in self._connections():
            parser = self.make_parser()
            for frame in frames:
                events += _read(parser, frame)
        return events

    def _frame(self, text: str, number: int) -> Frame:
        return Frame(self.exchange, text, recording.START + number * 1_000_000)


def _read(parser: Parser, frame: Frame) -> list[Message]:
    """Return the events of a frame, none where it is refused."""
    try:
        return list(parser.receive(frame))
    except ParseError:
        return []


def _taken(parser: Parser) -> list[Any]:
    """Return and clear the requests, as the session does."""
    requests = list(parser.requests)
    parser.requests.clear()
    return requests


def _swapped(payload: str | bytes) -> str | bytes:
    return payload.encode() if isinstance(payload, str) else payload.decode()


def _storable(event: Message) -> bool:
    values = attrs.asdict(event, recurse=False).values()
    return not any(_has_float(value) or (isinstance(value, int) and value.bit_length() > 63) for value in values)


def _has_float(value: object) -> bool:
    if isinstance(value, Decimal):
        return not value.is_finite()
    if isinstance(value, Levels):
        return any(not (isinstance(price, str) and isinstance(amount, str)) for price, amount in value)
    return isinstance(value, float) or (isinstance(value, tuple) and any(map(_has_float, value)))
