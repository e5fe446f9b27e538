"""Checks of the Parser contract, for the author of an exchange to inherit.

    class TestMyParser(ParserSuite):
        exchange = "myexchange"
        frames = (Path(__file__).parent / "frames" / "spot.jsonl",)

        def make_parser(self):
            return MyParser()

Each file holds the frames of one connection, from its first one on. Every rule
is explained in docs/plugins/conformance.md.
"""

import contextlib
import time
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import attrs
import msgspec
import pytest
from hypothesis import given, settings

from ..errors import ParseError
from ..events import ALL_EVENTS, Gap, Message, StreamEvent
from ..frame import Frame, Hole, HttpGet
from ..parser import Parser, Refilling
from . import FUZZ_EXAMPLES, calls, damage, event_rules, hostile, recording
from .book_suite import BookSuite
from .contract import broken
from .parser_case import read, taken

# Frames of each connection that are damaged: enough to begin every stream and cheap to read again.
_DAMAGED = 50
# Of these every fifth is given values too large, which take a hundred times as long to read as others.
_MONSTROUS = 5
# Two hundred thousand characters take a few ms; a second is for busy machines.
_SOON_S = 1.0


class ParserSuite(BookSuite):
    """Two dozen tests of one parser; `exchange`, `frames` and `make_parser` are all an author must give."""

    # Event classes for which the exchange sends no time of its own.
    without_ts_event: ClassVar[Sequence[type[Message]]] = ()
    # Holes the exchange can fill, as core asks for them.
    holes: ClassVar[Sequence[Hole]] = ()

    def make_asking_parser(self) -> Parser:
        """Return a fresh parser as a live connection has it, where `make_parser` gives one for recordings."""
        return self.make_parser()

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
                one = (read(first, frame), taken(first))
                two = (read(second, frame), taken(second))
                assert one == two, broken("deterministic", rule, f"{one} and {two}")

    def test_text_and_bytes_mean_the_same(self) -> None:
        for frames in self._connections():
            text, raw = self.make_parser(), self.make_parser()
            for frame in frames:
                rule = "A payload means the same as str and as bytes."
                other = msgspec.structs.replace(frame, payload=_swapped(frame.payload))
                one, two = read(text, frame), read(raw, other)
                assert one == two, broken("deterministic", rule, f"{one} and {two}")

    def test_refused_replies_give_no_events(self) -> None:
        replies = 0
        for frames in self._connections():
            for at, frame in enumerate(frames):
                if frame.tag is None:
                    continue
                replies += 1
                parser = self._after(frames[:at])
                found = [
                    event
                    for event in read(parser, msgspec.structs.replace(frame, status=404))
                    if event.type != Gap.type
                ]
                rule = "A reply whose status is not 200 gives no events, whatever its body says."
                assert not found, broken("refused-replies", rule, found)
        if not replies:
            pytest.skip("no HTTP replies in the recorded frames")

    def test_no_clock_is_read_and_nothing_drawn_or_awaited(self) -> None:
        connections = self._connections()

        def run() -> None:
            for frames in connections:
                self._after(frames)

        run()
        found = [*calls.clocks(run), *calls.chances(run)]
        rule = "A parser reads no clock and draws no random number: times come with the frames."
        assert not found, broken("deterministic", rule, found)
        rule = "A parser neither sleeps nor touches files, sockets or processes: it runs in the event loop."
        found = calls.waiting(run)
        assert not found, broken("waits-for-nothing", rule, found)

    def test_parsers_share_no_state(self) -> None:
        for frames in self._connections():
            alone = self.make_parser()
            expected = [read(alone, frame) for frame in frames]
            parser, other = self.make_parser(), self.make_parser()
            rule = "What one parser reads changes nothing in another."
            assert parser.requests is not other.requests, broken("no-shared-state", rule, "one list of requests")
            for frame, wanted, backwards in zip(frames, expected, reversed(frames), strict=True):
                read(other, backwards)
                found = read(parser, frame)
                assert found == wanted, broken("no-shared-state", rule, f"{found} instead of {wanted}")

    def test_events_are_given_away(self) -> None:
        for frames in self._connections():
            parser = self.make_parser()
            given = [event for frame in frames for event in self._received(parser, frame)]
            rule = "Each event is an object of its own: sinks keep it after the next frame."
            assert len({id(event) for event, _ in given}) == len(given), broken("events-given-away", rule, "one twice")
            for event, copy in given:
                rule = "An event that was given away is not changed afterwards."
                assert event == copy, broken("events-given-away", rule, f"{event} was {copy}")

    def test_events_are_of_the_exchange_and_of_known_classes(self) -> None:
        for event in self._all_events():
            rule = "An event is of a class of jrr_core.events, and names its exchange and symbol."
            fit = type(event) in ALL_EVENTS and event.exchange == self.exchange and bool(event.symbol)
            assert fit, broken("event-fields", rule, event)
            rule = "Every field has the type jrr_core.events declares; sides are 'buy', 'sell' or None."
            wrong = event_rules.wrong_types(event)
            assert wrong is None, broken("event-fields", rule, f"{event.type}: {wrong}")
            rule = "A candle's low is not above its high, and it ends after it began."
            wrong = event_rules.wrong_candle(event)
            assert wrong is None, broken("event-fields", rule, wrong)

    def test_both_times_are_present(self) -> None:
        for frames in self._connections():
            parser, received = self.make_parser(), set()
            for frame in frames:
                received.add(frame.ts_recv)
                for event in read(parser, frame):
                    rule = "ts_recv is the ts_recv of a frame that came."
                    assert event.ts_recv in received, broken("both-times", rule, event)
                    rule = "Times are int nanoseconds UTC."
                    wrong = event_rules.wrong_times(event)
                    assert wrong is None, broken("both-times", rule, f"{event.type}: {wrong}")
                    rule = "ts_event is the exchange's clock (classes without one: without_ts_event)."
                    silent = isinstance(event, (StreamEvent, *self.without_ts_event))
                    assert silent or event.ts_event is not None, broken("both-times", rule, event)

    def test_numbers_never_pass_through_float(self) -> None:
        for event in self._all_events():
            floats = event_rules.has_float(event)
            rule = "Prices and amounts are Decimal or Levels, times int; no field is a float or a non-finite number."
            assert not floats, broken("no-float", rule, f"{type(event).__name__} {floats}")

    def test_arbitrary_bytes_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.noise)

    def test_truncated_frames_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.cut)

    def test_bit_flipped_frames_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.flip)

    def test_replaced_values_give_events_nothing_or_parse_error(self) -> None:
        self._survives(damage.replace_value)

    def test_numbers_no_store_can_hold_are_refused(self) -> None:
        for connection in self._connections():
            frames = connection[:_DAMAGED]
            for at, frame in enumerate(frames):
                for bad in damage.outgrown(frame):
                    self._survives_one(frames[:at], at, bad)

    def test_monstrous_values_are_soon_done_with(self) -> None:
        for connection in self._connections():
            frames, random = connection[:_DAMAGED], Random(0)
            for at in range(0, len(frames), _MONSTROUS):
                for bad in damage.monstrous(frames[at], random):
                    parser = self._after(frames[:at])
                    began = time.process_time()
                    with contextlib.suppress(ParseError):
                        parser.receive(bad)
                    took_s = time.process_time() - began
                    rule = "JSON too deep, and numbers too long for any store, take no longer than others of that size."
                    assert took_s < _SOON_S, broken("damaged-frames", rule, f"{took_s:.1f} s: {bad.payload[:200]!r}")
                    self._survives_one(frames[:at], at, bad)

    def _survives(self, kind: damage.Damage) -> None:
        """Feed damaged frames amid good ones: a frame that raises ParseError must leave no trace in what follows."""
        connections = [frames[:_DAMAGED] for frames in self._connections()]

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
                found, wanted = read(parser, frame), read(untouched, frame)
                rule = "After a ParseError the next frames are read as if the bad one had not come."
                assert found == wanted, broken("damaged-frames", rule, f"{found} instead of {wanted}")
        except Exception as error:
            rule = "Any bytes give events, () or ParseError, and nothing else."
            raise AssertionError(broken("damaged-frames", rule, repr(error))) from error
        else:
            rule = "Events of any frame can be stored: no floats, whole numbers within 64 bits."
            fit = all(isinstance(event, Message) and event_rules.storable(event) for event in events)
            assert fit, broken("damaged-frames", rule, events)
            for frame in following:
                read(parser, frame)

    def test_what_is_missing_is_asked_for_patiently(self) -> None:
        if not self.holes:
            pytest.skip("holes is empty")
        parser = self.make_asking_parser()
        rule = "A parser with `holes` has the method refill."
        assert isinstance(parser, Refilling), broken("refill", rule, type(parser).__name__)
        for hole in (*self.holes, self.holes[0]):
            rule = "refill of a hole the exchange can fill is True and leaves patient GETs, also a second time."
            filled, asked = parser.refill(hole), taken(parser)
            fit = filled and asked and all(isinstance(request, HttpGet) and request.patient for request in asked)
            assert fit, broken("refill", rule, f"{filled} and {asked}")
        rule = "refill of a stream nobody knows is False, or asks in vain."
        try:
            asked = taken(parser) if parser.refill(Hole("nothing", "NOWHERE", None, 1, 2, 2)) else []
        except Exception as error:
            raise AssertionError(broken("refill", rule, repr(error))) from error
        assert all(isinstance(request, HttpGet) for request in asked), broken("refill", rule, asked)

    def test_what_is_missing_of_hostile_names_is_asked_for_nowhere_else(self) -> None:
        if not self.holes:
            pytest.skip("holes is empty")
        for hole in self.holes:
            for name in hostile.TEXTS:
                good, parser = self.make_asking_parser(), self.make_asking_parser()
                assert isinstance(good, Refilling)
                assert isinstance(parser, Refilling)
                good.refill(hole)
                like = [request.url for request in taken(good) if isinstance(request, HttpGet)][:1]
                parser.refill(attrs.evolve(hole, symbol=name))
                for request in taken(parser):
                    rule = "The symbol of a hole is percent-encoded in the address that is asked."
                    inside = isinstance(request, HttpGet) and not hostile.misleads(request.url, like[0])
                    assert inside, broken("hostile-streams", rule, f"{name[:60]!r}: {request}")

    def _all_events(self) -> list[Message]:
        return [event for events in self._events() for event in events]

    def _received(self, parser: Parser, frame: Frame) -> list[tuple[Message, Message]]:
        """Return the events of a frame with a copy of each as it is now."""
        events = parser.receive(frame)
        rule = "receive returns a sequence of events, such as a list or ()."
        assert isinstance(events, Sequence), broken("event-fields", rule, type(events).__name__)
        return [(event, attrs.evolve(event)) for event in events]


def _swapped(payload: str | bytes) -> str | bytes:
    return payload.encode() if isinstance(payload, str) else payload.decode()
