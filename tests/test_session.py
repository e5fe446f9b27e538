"""One connection's life: what is counted, what is said of its streams, when it is judged dead."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st

from jrr_core import session as session_module
from jrr_core import vigil as vigil_module
from jrr_core.connector import Keepalive
from jrr_core.counters import ExchangeCounters
from jrr_core.errors import ConfigError
from jrr_core.events import Backfilled, Connected, Disconnected, Gap, Message, Trade
from jrr_core.frame import NOW_S, Frame, HttpGet
from jrr_core.parser import Parser
from jrr_core.session import Session, Surroundings
from jrr_core.stream import StreamBoard
from jrr_core.subscription import Subscription
from jrr_core.tape import Act, Begun, Ended, Sent, Unwanted, Wanted
from jrr_core.transport import ConnectionLost
from tests.toy import FAST, ToyParser, ToySettings, toy_desk, toy_plan, until

X, Y = Subscription("toy", "trade", "X"), Subscription("toy", "trade", "Y")
ALL = Subscription("toy", "trade", "*")


class Pipe:
    """The session's end of a socket whose other end is the test."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[str | Exception] = asyncio.Queue()
        self.sent: list[str] = []
        self.pings = 0
        self.pongs = True

    async def deliver(self, take: Callable[[bytes, int], object]) -> None:
        while True:
            payload = await self.incoming.get()
            if isinstance(payload, Exception):
                raise payload
            take(payload.encode(), time.time_ns())

    async def send(self, text: str) -> None:
        self.sent.append(text)

    async def ping(self) -> None:
        self.pings += 1
        if not self.pongs:
            await asyncio.Event().wait()

    def say(self, *payloads: str | Exception) -> None:
        for payload in payloads:
            self.incoming.put_nowait(payload)


@define(eq=False)
class Stage:
    """A session and all it is wired to."""

    settings: ToySettings
    subscriptions: tuple[Subscription, ...] = (X,)
    parser: Any = field(factory=ToyParser)
    events: list[Message] = field(factory=list)
    kept: list[tuple[str, str, str | bytes]] = field(factory=list)
    captured: list[Frame] = field(factory=list)
    acts: list[Act] = field(factory=list)
    fetched: list[HttpGet] = field(factory=list)
    counters: ExchangeCounters = field(factory=ExchangeCounters)
    board: StreamBoard = field(factory=StreamBoard)
    answer: Frame | Exception = field(factory=lambda: Frame("toy", b"7", 5, "reply"))

    def session(self, name: str = "s1") -> Session:
        around = Surroundings(
            settings=self.settings, messages=FAST,
            desk=evolve(
                toy_desk(self.events.extend, self.counters, self.board, lambda *entry: self.kept.append(entry)),
                tape=self,
            ),
            fetch=self.fetch,
        )  # fmt: skip
        parser: Parser = self.parser
        return Session(name, toy_plan(self.settings, self.subscriptions), parser, around)

    def frame(self, session: str, frame: Frame) -> None:
        self.captured.append(frame)

    def act(self, act: Act) -> None:
        self.acts.append(act)

    async def fetch(self, request: HttpGet) -> Frame:
        self.fetched.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def kinds(self) -> list[str]:
        return [event.type for event in self.events]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def balanced(self) -> bool:
        counters = self.counters
        return counters.frames == counters.parsed + counters.control + counters.rejected


def stage(*subscriptions: Subscription, **settings: Any) -> Stage:
    return Stage(ToySettings(**settings), subscriptions or (X,))


@pytest.fixture(autouse=True)
def _watch_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have sessions look after themselves every 10 ms."""
    monkeypatch.setattr(session_module, "_WATCH_S", 0.01)


def test_every_frame_is_parsed_control_or_rejected() -> None:
    at = stage()
    session = at.session()
    payloads: list[str | bytes] = ["trade X 1 2", "hello", "bad", "boom", "junk", "trade X 3", b"\xff"]
    for number, text in enumerate(payloads):
        session.feed(text, number)
    counters = at.counters
    assert (counters.frames, counters.parsed, counters.control, counters.rejected) == (7, 2, 1, 4)
    assert [event.trade_id for event in at.of(Trade)] == ["1", "2", "3"]
    assert len(at.captured) == 7


@given(st.lists(st.sampled_from(["trade X 1", "trade Y 1 2", "gap X 3", "bad", "boom", "junk", "nothing"])))
def test_counts_and_the_order_of_what_is_said_hold_for_any_frames(frames: list[str]) -> None:
    at = stage(X, Y)
    session = at.session()
    for number, text in enumerate(frames):
        session.feed(text, number)
    assert at.balanced()
    assert at.counters.gaps == frames.count("gap X 3")
    assert at.counters.missing == 3 * at.counters.gaps
    for symbol in ("X", "Y"):
        own = [event.type for event in at.events if event.symbol == symbol and not isinstance(event, Gap)]
        assert own[:1] in ([], ["connected"])
        assert own.count("connected") <= 1


def test_a_rejected_frame_is_kept_with_its_reason() -> None:
    at = stage()
    session = at.session()
    session.feed("bad", 1)
    session.feed("boom", 2)
    assert at.kept[0] == ("s1", "bad frame", "bad")
    assert at.kept[1][2] == "boom"
    assert "parser failed: ZeroDivisionError" in at.kept[1][1]


def test_a_gap_carries_the_session_s_name_and_is_counted_before_and_after_first_data() -> None:
    at = stage()
    session = at.session()
    for text in ("gap X 3", "trade X 1", "gap X 4"):
        session.feed(text, 1)
    assert at.kinds() == ["gap", "connected", "trade", "gap"]
    assert {gap.session for gap in at.of(Gap)} == {"s1"}
    assert (at.counters.gaps, at.counters.missing) == (2, 7)


def test_a_backfill_carries_the_session_s_name_and_is_no_market_event() -> None:
    class Backfilling(ToyParser):
        def receive(self, frame: Frame) -> Sequence[Message]:
            return [Backfilled("toy", "X", None, frame.ts_recv, "trade", "")]

    at = stage()
    at.parser = Backfilling()
    at.session().feed("x", 1)
    assert [event.session for event in at.of(Backfilled)] == ["s1"]
    assert at.board.counts() == {}


def test_an_all_market_stream_gives_each_symbol_its_own_record_and_counts_nothing_twice() -> None:
    at = stage(ALL)
    session = at.session()
    session.subscribe((ALL,))
    session.feed("trade X 1 2", time.time_ns())
    session.feed("trade Y 1", time.time_ns())
    assert [event.symbol for event in at.of(Connected)] == ["X", "Y"]
    assert at.board.counts() == {"trade": 3}
    assert at.board.streams["trade", "*"].look(time.time_ns() + 10**12, 60.0, 120.0) is None


def test_an_all_market_stream_alive_on_a_second_connection_is_not_reported_silent() -> None:
    at = stage(ALL)
    at.session().feed("trade X 1", time.time_ns())
    session = at.session("s2")
    session.subscribe((ALL,))
    session.feed("trade X 2", time.time_ns() + 1)
    assert at.board.streams["trade", "*"].look(time.time_ns() + 10**12, 60.0, 120.0) is None


def test_unsubscribing_ends_the_stream_once_and_late_events_do_not_revive_it() -> None:
    at = stage(X, Y)
    session = at.session()
    session.subscribe((X, Y))
    session.feed("trade X 1", 100)
    session.unsubscribe((X,))
    session.feed("trade X 2", 101)
    ended = at.of(Disconnected)
    assert [(event.symbol, event.reason, event.ts_to) for event in ended] == [("X", "unsubscribed", 100)]
    assert at.kinds() == ["connected", "trade", "disconnected", "trade"]
    session.subscribe((X,))
    session.feed("trade X 3", 102)
    assert at.kinds()[-2:] == ["connected", "trade"]


def test_unsubscribing_an_all_market_stream_ends_its_symbols_and_resubscribing_revives_them() -> None:
    at = stage(ALL)
    session = at.session()
    session.subscribe((ALL,))
    session.feed("trade X 1", 100)
    session.feed("trade Y 1", 100)
    session.unsubscribe((ALL,))
    session.feed("trade X 2", 101)
    assert sorted(event.symbol for event in at.of(Disconnected)) == ["X", "Y"]
    assert len(at.of(Connected)) == 2
    session.subscribe((ALL,))
    session.feed("trade X 3", 102)
    assert len(at.of(Connected)) == 3


def test_of_two_subscriptions_to_one_stream_the_second_keeps_it_alive() -> None:
    twin = Subscription("toy", "trade", "X", "x@aggregated")
    at = stage(X, twin)
    session = at.session()
    session.subscribe((X, twin))
    session.feed("trade X 1", 1)
    session.unsubscribe((twin,))
    session.feed("trade X 2", 2)
    assert at.kinds() == ["connected", "trade", "trade"]
    session.plan = evolve(session.plan, subscriptions=(X,))
    session.unsubscribe((X,))
    assert at.kinds()[-1] == "disconnected"


def test_a_native_stream_nobody_can_attribute_is_never_called_silent() -> None:
    native = Subscription("toy", "odd@stream", "*", "odd@stream")
    at = stage(native)
    session = at.session()
    session.subscribe((native,))
    session.feed("trade X 1", 1)
    assert ("odd@stream", "*") not in at.board.streams
    assert at.board.counts() == {"trade": 1}


def test_the_tape_is_told_all_that_events_depend_on_in_order() -> None:
    async def main() -> None:
        at, pipe = stage(X, Y), Pipe()
        session = at.session()
        running = asyncio.ensure_future(session.run(pipe))
        await until(lambda: len(pipe.sent) == 2)
        session.unsubscribe((Y,))
        await until(lambda: len(pipe.sent) == 3)
        pipe.say(ConnectionLost("connection cut"))
        await running
        assert [type(act) for act in at.acts] == [Begun, Wanted, Sent, Sent, Unwanted, Sent, Ended]
        begun, wanted, sent = at.acts[:3]
        assert isinstance(begun, Begun)
        assert isinstance(wanted, Wanted)
        assert isinstance(sent, Sent)
        assert begun.subscriptions == wanted.subscriptions == (X, Y)
        assert sent.text == "sub trade X"

    asyncio.run(main())


def test_subscribe_messages_are_sent_and_every_stream_ends_with_the_connection() -> None:
    async def main() -> None:
        at, pipe = stage(X, Y), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        await until(lambda: len(pipe.sent) == 2)
        assert pipe.sent == ["sub trade X", "sub trade Y"]
        pipe.say("trade X 1", "trade Y 1", ConnectionLost("connection cut"))
        assert await running == "connection cut"
        assert sorted(event.symbol for event in at.of(Disconnected)) == ["X", "Y"]
        assert {event.reason for event in at.of(Disconnected)} == {"connection cut"}
        assert at.of(Disconnected)[0].ts_to == at.captured[-1].ts_recv

    asyncio.run(main())


def test_a_cancelled_session_ends_its_streams_as_stopped_or_as_it_was_told() -> None:
    async def main() -> None:
        for told, reason in ((None, "stopped"), ("rotated", "rotated")):
            at, pipe = stage(), Pipe()
            session = at.session()
            session.end_reason = told or session.end_reason
            running = asyncio.ensure_future(session.run(pipe))
            pipe.say("trade X 1")
            await until(lambda: at.of(Trade))  # noqa: B023 - awaited within the loop
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert [event.reason for event in at.of(Disconnected)] == [reason]

    asyncio.run(main())


def test_a_connection_without_a_sign_of_life_is_dead() -> None:
    async def main() -> None:
        began = time.monotonic()
        assert await stage(stale_s=0.1).session().run(Pipe()) == "no frame for 0.1 s"
        assert 0.1 < time.monotonic() - began < 1.0

    asyncio.run(main())


def test_pongs_keep_a_silent_connection_alive_and_their_absence_ends_it() -> None:
    async def main() -> None:
        at, pipe = stage(stale_s=0.5, ping_s=0.02), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        await asyncio.sleep(0.8)
        await until(lambda: pipe.pings > 3)
        assert not running.done()
        pipe.pongs = False
        assert await asyncio.wait_for(running, 3) == "no frame for 0.5 s"

    asyncio.run(main())


def test_a_connection_that_answers_pings_but_stopped_its_data_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil_module, "_HABIT_FRAMES", 10)

    async def main() -> None:
        at, pipe = stage(stale_s=0.1, ping_s=0.02), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        pipe.say(*[f"trade X {number}" for number in range(20)])
        reason = await asyncio.wait_for(running, 2)
        assert "though the connection answers" in reason

    asyncio.run(main())


def test_an_unanswered_subscription_asks_for_a_successor_while_data_flows() -> None:
    async def main() -> None:
        at, pipe = stage(X, Y, acked=True, ack_timeout_s=0.15), Pipe()
        session = at.session()
        running = asyncio.ensure_future(session.run(pipe))
        await until(lambda: len(pipe.sent) == 2)
        pipe.say("ack trade:X")
        while not session.rotating.is_set():
            pipe.say("trade X 1")
            await asyncio.sleep(0.01)
        assert session.rotate_reason == "no answer to trade:Y within 0.15 s"
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_without_answer_and_without_data_the_session_is_over() -> None:
    async def main() -> None:
        at, pipe = stage(X, Y, acked=True, ack_timeout_s=0.15), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        await until(lambda: len(pipe.sent) == 2)
        pipe.say("ack trade:X")
        assert await asyncio.wait_for(running, 2) == "no answer to trade:Y within 0.15 s"

    asyncio.run(main())


def test_an_ack_proves_the_streams_it_names_before_any_data() -> None:
    at = stage()
    session = at.session()
    session.subscribe((X,))
    session.feed("ack trade:X X", 50)
    session.feed("trade X 1", 60)
    assert at.kinds() == ["connected", "trade"]
    assert at.of(Connected)[0].ts_from == 50


def test_a_refused_subscription_is_counted_and_the_session_goes_on() -> None:
    async def main() -> None:
        at, pipe = stage(X, Y, acked=True, ack_timeout_s=0.1), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        await until(lambda: len(pipe.sent) == 2)
        pipe.say("refuse trade:Y", "ack trade:X")
        await asyncio.sleep(0.2)
        assert not running.done()
        assert at.counters.refused == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_refusal_without_a_name_quotes_the_message_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        at, pipe = stage(X, Y, acked=True), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        await until(lambda: len(pipe.sent) == 2)
        pipe.say("refuse? trade:Y")
        await until(lambda: at.counters.refused == 1)
        assert "toy refused the request sub trade Y: no such stream" in caplog.text
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_refusal_that_names_nothing_means_what_stays_unanswered(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        at, pipe = stage(X, Y, acked=True, ack_timeout_s=0.1), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        await until(lambda: len(pipe.sent) == 2)
        pipe.say("refuse?", "ack trade:X")
        await until(lambda: "toy never answered for trade:Y" in caplog.text)
        await asyncio.sleep(0.05)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_the_keepalive_text_is_sent_when_idle_only() -> None:
    async def main() -> None:
        at, pipe = stage(keepalive_s=0.1), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        for _ in range(20):
            pipe.say("hello")
            await asyncio.sleep(0.01)
        assert "ping" not in pipe.sent
        await asyncio.sleep(0.28)
        assert 1 <= pipe.sent.count("ping") <= 3
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_keepalive_that_is_always_due_is_sent_while_frames_arrive_and_bears_the_time() -> None:
    async def main() -> None:
        at, pipe = stage(), Pipe()
        session = at.session()
        session.plan = evolve(session.plan, keepalive=Keepalive(f"ping {NOW_S}", 0.05, always=True))
        running = asyncio.ensure_future(session.run(pipe))
        for _ in range(20):
            pipe.say("hello")
            await asyncio.sleep(0.01)
        pings = [text for text in pipe.sent if text.startswith("ping ")]
        assert 1 <= len(pings) <= 4
        assert abs(int(pings[0].removeprefix("ping ")) - time.time()) < 5
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_reply_comes_back_as_a_frame() -> None:
    async def main() -> None:
        at, pipe = stage(), Pipe()
        running = asyncio.ensure_future(at.session().run(pipe))
        pipe.say("get http://x/y")
        await until(lambda: at.of(Trade))
        assert [request.url for request in at.fetched] == ["http://x/y"]
        assert at.of(Trade)[0].trade_id == "7"
        assert at.balanced()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_request_that_fails_for_good_is_told_and_harms_nothing() -> None:
    async def main() -> None:
        at, pipe = stage(), Pipe()
        at.answer = ConfigError("rest_url is none")
        running = asyncio.ensure_future(at.session().run(pipe))
        pipe.say("get http://x/y", "trade X 1")
        await until(lambda: at.of(Trade))
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_rotation_is_asked_for_by_the_parser_or_by_age() -> None:
    async def main() -> None:
        at = stage()
        session = at.session()
        session.feed("rotate", 1)
        assert session.rotating.is_set()
        assert session.rotate_reason == "the exchange said so"
        aged, pipe = stage(rotate_after_s=0.05).session(), Pipe()
        running = asyncio.ensure_future(aged.run(pipe))
        async with asyncio.timeout(1):
            await aged.rotating.wait()
        assert aged.rotate_reason == "planned renewal"
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_a_plugin_s_mistake_ends_the_session_with_its_reason_in_the_store() -> None:
    async def main() -> None:
        class Raising(Pipe):
            async def deliver(self, take: Callable[[bytes, int], object]) -> None:
                await asyncio.sleep(0.01)
                raise ZeroDivisionError("deep inside")

        at = stage()
        session = at.session()
        session.subscribe((X,))
        session.feed("trade X 1", 1)
        reason = await session.run(Raising())
        assert "ZeroDivisionError" in reason
        assert [event.reason for event in at.of(Disconnected)] == [reason]

    asyncio.run(main())


def test_messages_are_spaced_within_the_limit() -> None:
    async def main() -> None:
        many = tuple([Subscription("toy", "trade", f"S{n}") for n in range(5)])
        at, pipe = stage(*many), Pipe()
        session = at.session()
        session._around = session_module.Surroundings(
            settings=at.settings, messages=type(FAST)(100, 1.0),
            desk=toy_desk(at.events.extend, at.counters, at.board), fetch=at.fetch,
        )  # fmt: skip
        began = time.monotonic()
        running = asyncio.ensure_future(session.run(pipe))
        await until(lambda: len(pipe.sent) == 5)
        assert time.monotonic() - began >= 0.04
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_random_bytes_never_raise_out_of_feed() -> None:
    at, draw = stage(), random.Random(1)
    session = at.session()
    for number in range(300):
        session.feed(draw.randbytes(draw.randrange(20)), number)
    assert at.balanced()
    assert at.counters.frames == 300
