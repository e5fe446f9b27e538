"""A replayed file ends in the sinks as if it had come live; nothing is dropped, everything is counted."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jrr_core.capture import Capture, CaptureSettings
from jrr_core.config import Config
from jrr_core.errors import ConfigError, ParseError, SinkRejected
from jrr_core.events import ALL_EVENTS, Connected, Disconnected, Gap, Message, StreamEvent, Trade
from jrr_core.frame import Frame, HttpGet, Request
from jrr_core.plugins import Plugins
from jrr_core.quarantine import Quarantine
from jrr_core.replay import Replay, parser_maker
from jrr_core.sink import BatchPolicy, WriteResult

TS = 1_723_161_255_000_000_000


class Shelf:
    """A sink that keeps what it is given, as slowly as it is told to."""

    name: ClassVar[str] = "shelf"
    Settings: ClassVar[type] = dict
    embedded: ClassVar[bool] = False
    accepts: tuple[type, ...] = ALL_EVENTS
    batch = BatchPolicy(max_rows=50, max_age_s=0.01)

    def __init__(self, settings: Any = None) -> None:
        self.kept: list[Message] = []
        self.closed = False
        self.pause_s = 0.0
        self.refuses: Callable[[Message], bool] = lambda event: False

    async def open(self) -> None: ...

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        await asyncio.sleep(self.pause_s)
        if any(self.refuses(event) for event in batch):
            raise SinkRejected("not this one")
        self.kept += batch
        return WriteResult(len(batch))

    async def close(self) -> None:
        self.closed = True

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.kept if type(event) is kind]


class Counting:
    """A parser of `{"ids": [...]}`: a trade per id, a Gap where its own session misses one."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.last: int | None = None

    def receive(self, frame: Frame) -> Sequence[Message]:
        try:
            ids = json.loads(frame.payload).get("ids", ())
        except ValueError:
            raise ParseError("not JSON") from None
        if ids == "crash":
            raise RuntimeError("a broken promise")
        self.requests.append(HttpGet("http://nowhere", "tag"))
        events: list[Message] = []
        for number in ids:
            if self.last is not None and number != self.last + 1:
                events.append(Gap(frame.exchange, "A", None, frame.ts_recv, "trade", "", "jump", number - self.last))
            self.last = number
            events.append(
                Trade(frame.exchange, "A", None, frame.ts_recv, Decimal(1), Decimal(2), "buy", str(number))
            )  # fmt: skip
        return events


def replayed(
    file: Path, shelf: Shelf, tmp_path: Path, exchange: str | None = "x", make: Callable[[str], Any] | None = None
) -> Replay:
    work = Replay([shelf], make or (lambda name: Counting()), Quarantine(tmp_path / "quarantine", 10**6))
    asyncio.run(work.run(file, exchange))
    counts = work.counts
    assert counts.frames == counts.parsed + counts.control + counts.rejected
    sink = work.drains[0].counters
    assert sink.published == sink.written + sink.duplicate + sink.dropped + sink.quarantined
    assert shelf.closed
    return work


def lines(tmp_path: Path, *payloads: str) -> Path:
    file = tmp_path / "lines"
    file.write_text("".join(f"{TS + n} {payload}\n" for n, payload in enumerate(payloads)))
    return file


def captured(tmp_path: Path, *frames: tuple[str, str, str]) -> Path:
    capture = Capture(CaptureSettings(path=str(tmp_path / "captures")))
    for number, (exchange, session, payload) in enumerate(frames):
        capture.frame(session, Frame(exchange, payload.encode(), TS + number))
    capture.close()
    return capture.file


def test_every_event_is_stored_and_counted(tmp_path: Path) -> None:
    shelf = Shelf()
    work = replayed(lines(tmp_path, '{"ids":[1,2]}', "{}", '{"ids":[3]}'), shelf, tmp_path)
    assert [trade.trade_id for trade in shelf.of(Trade)] == ["1", "2", "3"]
    assert (work.counts.frames, work.counts.parsed, work.counts.control) == (3, 2, 1)
    assert work.counts.events == {"x": {"trade": 3}}
    assert work.failings() == []


def test_streams_are_covered_from_their_first_to_their_last_frame(tmp_path: Path) -> None:
    shelf = Shelf()
    replayed(lines(tmp_path, "{}", '{"ids":[1]}', '{"ids":[2]}', "{}"), shelf, tmp_path)
    (begin,), (end,) = shelf.of(Connected), shelf.of(Disconnected)
    assert (begin.channel, begin.symbol, begin.ts_from, begin.session) == ("trade", "A", TS + 1, "lines")
    assert (end.channel, end.ts_to, end.reason) == ("trade", TS + 3, "end of the capture")
    assert shelf.kept.index(begin) < shelf.kept.index(shelf.of(Trade)[0])


def test_what_is_damaged_or_not_understood_is_counted_and_the_rest_is_stored(tmp_path: Path) -> None:
    shelf = Shelf()
    file = lines(tmp_path, '{"ids":[1]}', "garbage", '{"ids":"crash"}', '{"ids":[2]}')
    file.write_text(f"nonsense\n{file.read_text()}")
    work = replayed(file, shelf, tmp_path)
    assert (work.counts.damaged, work.counts.rejected, work.counts.parsed) == (1, 2, 2)
    assert [damage.line for damage in work.counts.damages] == [1]
    assert work.failings() == ["1 damaged lines", "2 frames not understood, kept in quarantine"]
    (kept,) = (tmp_path / "quarantine").iterdir()
    reasons = [json.loads(line)["reason"] for line in kept.read_text().splitlines()]
    assert reasons == ["not JSON", "parser failed: RuntimeError('a broken promise')"]


def test_a_pipe_is_refused_before_anything_of_it_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="write it to a file first"):
        replayed(pipe, Shelf(), tmp_path)


def test_gaps_of_the_recording_are_stored_under_its_session(tmp_path: Path) -> None:
    shelf = Shelf()
    work = replayed(lines(tmp_path, '{"ids":[1,4]}'), shelf, tmp_path)
    assert (work.counts.gaps, work.counts.missing) == (1, 3)
    assert [gap.session for gap in shelf.of(Gap)] == ["lines"]


def test_each_session_has_a_fresh_parser_and_ends_before_its_successor(tmp_path: Path) -> None:
    shelf = Shelf()
    file = captured(
        tmp_path, ("x", "s.1", '{"ids":[1]}'), ("x", "s.1", "{}"), ("x", "s.2", '{"ids":[9]}'),
        ("x", "s.3", '{"ids":[10]}'), ("x", "s.2", '{"ids":[10]}'),
    )  # fmt: skip
    work = replayed(file, shelf, tmp_path, exchange=None)
    assert work.counts.gaps == 0
    story = [(type(event).__name__, event.session) for event in shelf.kept if isinstance(event, StreamEvent)]
    assert story == [
        ("Connected", "s.1"), ("Disconnected", "s.1"), ("Connected", "s.2"), ("Connected", "s.3"),
        ("Disconnected", "s.3"), ("Disconnected", "s.2"),
    ]  # fmt: skip
    assert [end.ts_to - TS for end in shelf.of(Disconnected)] == [1, 3, 4]


def test_only_the_exchange_asked_for_is_replayed(tmp_path: Path) -> None:
    shelf = Shelf()
    file = captured(tmp_path, ("x", "s", '{"ids":[1]}'), ("y", "s", '{"ids":[5]}'), ("y", "s", '{"ids":[6]}'))
    work = replayed(file, shelf, tmp_path, exchange="y")
    assert (work.counts.frames, work.counts.skipped) == (2, 1)
    assert work.counts.events == {"y": {"trade": 2}}


def test_a_slow_sink_slows_the_replay_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.replay._BUFFER_EVENTS", 100)
    shelf = Shelf()
    shelf.pause_s = 0.002
    work = replayed(lines(tmp_path, *[json.dumps({"ids": [n]}) for n in range(2_000)]), shelf, tmp_path)
    assert len(shelf.of(Trade)) == 2_000
    assert work.drains[0].counters.dropped == 0


def test_rows_a_sink_refuses_are_kept_aside_and_fail_the_replay(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.refuses = lambda event: isinstance(event, Trade) and event.trade_id == "2"
    work = replayed(lines(tmp_path, '{"ids":[1,2,3]}'), shelf, tmp_path)
    assert [trade.trade_id for trade in shelf.of(Trade)] == ["1", "3"]
    assert work.failings() == ["shelf: 1 events not stored"]


def test_a_file_without_frames_fails(tmp_path: Path) -> None:
    assert replayed(lines(tmp_path), Shelf(), tmp_path).failings() == ["the file holds no frames to replay"]


def test_what_the_user_must_change_comes_as_config_error(tmp_path: Path) -> None:
    class Shut(Shelf):
        async def open(self) -> None:
            raise ConfigError("the path is wrong")

    def unknown(exchange: str) -> Any:
        raise ConfigError(f"no {exchange}")

    file = lines(tmp_path, '{"ids":[1]}')
    attempts: list[tuple[Callable[[], Replay], str]] = [
        (lambda: replayed(file, Shut(), tmp_path), "the path is wrong"),
        (lambda: replayed(file, Shelf(), tmp_path, make=unknown), "no x"),
        (lambda: replayed(file, Shelf(), tmp_path, exchange=None), "add --exchange NAME"),
        (lambda: replayed(tmp_path / "none", Shelf(), tmp_path), "cannot read the capture"),
    ]
    for attempt, said in attempts:
        with pytest.raises(ConfigError, match=said):
            attempt()


TOY = """
from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.hookspecs import hookimpl

class Toy(BaseWebSocketConnector):
    exchange = "toy"
    def parse_message(self, raw): return None

class Own:
    exchange = "toy"
    def __init__(self, subscriptions): self.requests = []
    def receive(self, frame): return ()

@hookimpl
def jrr_connectors(): return [Toy]
"""


def test_parsers_come_from_any_installed_plugin_a_parser_plugin_first(install: Callable[..., str]) -> None:
    install("toy", TOY)
    make = parser_maker(Plugins(), Config())
    assert make("toy") is not make("toy")
    assert type(make("toy")).__name__ == "_CallingParser"
    with pytest.raises(ConfigError, match="'nope'"):
        make("nope")
    with pytest.raises(ConfigError, match=r"exchanges\.toy: unknown key 'q'"):
        parser_maker(Plugins(), Config(exchanges={"toy": {"q": 1}}))("toy")


def test_a_parser_plugin_takes_the_place_of_the_connectors_own(install: Callable[..., str]) -> None:
    install("toy", TOY + "\n@hookimpl\ndef jrr_parsers(): return [Own]\n")
    assert type(parser_maker(Plugins.load(["toy"]), Config())("toy")).__name__ == "Own"
