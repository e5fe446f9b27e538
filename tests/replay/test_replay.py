"""A replayed file ends in the sinks as if it had come live; nothing is dropped, everything is counted."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jrr_core.capture import Capture, CaptureSettings, capture_files, read_capture
from jrr_core.config import Config
from jrr_core.errors import ConfigError, ParseError, SinkRejected
from jrr_core.events import ALL_EVENTS, Connected, Disconnected, Gap, Message, StreamEvent, Trade
from jrr_core.frame import Frame, HttpGet, Request
from jrr_core.plugins import Plugins
from jrr_core.quarantine import Quarantine
from jrr_core.replay import Replay, Source, Sources, Window
from jrr_core.replay.window import EVERYTHING
from jrr_core.sink import BatchPolicy, WriteResult
from jrr_core.tape import Begun, Ended, Received

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
    """A parser of `{"ids": [...]}`: a trade per id, a Gap where its own session misses one; it asks for much."""

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
    file: Path,
    shelf: Shelf,
    tmp_path: Path,
    exchange: str | None = "x",
    make: Callable[[str], Any] | None = None,
    window: Window = EVERYTHING,
) -> Replay:
    def source(name: str, settings: Mapping[str, Any] | None = None) -> Source:
        return Source(lambda subscriptions: Counting() if make is None else make(name))

    work = Replay([shelf], source, Quarantine(tmp_path / "quarantine", 10**6), window)
    asyncio.run(work.run([file], exchange))
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


def captured(tmp_path: Path, *told: tuple[str, str, str]) -> Path:
    """Return a capture of (exchange, session, payload); of sessions that begin and end where the payload says so."""
    capture = Capture(CaptureSettings(path=str(tmp_path / "captures")))
    for number, (exchange, session, payload) in enumerate(told):
        if payload == "begin":
            capture.act(Begun(exchange, session, TS + number, "ws://x", None))
        elif payload == "end":
            capture.act(Ended(exchange, session, TS + number, "cut"))
        else:
            capture.frame(session, Frame(exchange, payload.encode(), TS + number))
    file = capture.file
    capture.close()
    assert file is not None
    return file


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
    assert work.counts.damages == ["lines line 1: neither a capture entry nor `<receive ns> <JSON>`"]
    assert work.failings() == ["1 damaged lines or missing parts", "2 frames not understood, kept in quarantine"]
    (kept,) = (tmp_path / "quarantine").iterdir()
    reasons = [json.loads(line)["reason"] for line in kept.read_text().splitlines()]
    assert reasons == ["not JSON", "parser failed: RuntimeError('a broken promise')"]


def test_a_recording_may_come_through_a_pipe(tmp_path: Path) -> None:
    pipe, shelf = tmp_path / "pipe", Shelf()
    os.mkfifo(pipe)
    content = lines(tmp_path, '{"ids":[1,2]}').read_bytes()
    threading.Thread(target=pipe.write_bytes, args=(content,)).start()
    replayed(pipe, shelf, tmp_path)
    assert len(shelf.of(Trade)) == 2


def test_gaps_of_the_recording_are_stored_under_its_session(tmp_path: Path) -> None:
    shelf = Shelf()
    work = replayed(lines(tmp_path, '{"ids":[1,4]}'), shelf, tmp_path)
    assert (work.counts.gaps, work.counts.missing) == (1, 3)
    assert [gap.session for gap in shelf.of(Gap)] == ["lines"]


def test_each_session_has_a_fresh_parser_and_ends_before_its_successor(tmp_path: Path) -> None:
    shelf = Shelf()
    file = captured(
        tmp_path, ("x", "s.1", "begin"), ("x", "s.1", '{"ids":[1]}'), ("x", "s.1", "{}"), ("x", "s.1", "end"),
        ("x", "s.2", "begin"), ("x", "s.2", '{"ids":[9]}'), ("x", "s.3", "begin"), ("x", "s.3", '{"ids":[10]}'),
        ("x", "s.3", "end"), ("x", "s.2", '{"ids":[10]}'),
    )  # fmt: skip
    work = replayed(file, shelf, tmp_path, exchange=None)
    assert work.counts.gaps == 0
    story = [(type(event).__name__, event.session) for event in shelf.kept if isinstance(event, StreamEvent)]
    assert story == [
        ("Connected", "s.1"), ("Disconnected", "s.1"), ("Connected", "s.2"), ("Connected", "s.3"),
        ("Disconnected", "s.3"), ("Disconnected", "s.2"),
    ]  # fmt: skip
    assert [(end.ts_to - TS, end.reason) for end in shelf.of(Disconnected)] == [
        (2, "cut"), (7, "cut"), (9, "end of the capture"),
    ]  # fmt: skip


def test_only_the_exchange_asked_for_is_replayed(tmp_path: Path) -> None:
    shelf = Shelf()
    file = captured(tmp_path, ("x", "s", '{"ids":[1]}'), ("y", "s", '{"ids":[5]}'), ("y", "s", '{"ids":[6]}'))
    work = replayed(file, shelf, tmp_path, exchange="y")
    assert (work.counts.frames, work.counts.skipped) == (2, 1)
    assert work.counts.events == {"y": {"trade": 2}}


def test_a_slow_sink_slows_the_replay_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.replay.replay._BUFFER_EVENTS", 100)
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
    assert replayed(lines(tmp_path), Shelf(), tmp_path).failings() == ["there are no frames to replay"]


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
    sources = Sources(Plugins(), Config())
    source = sources("toy")
    assert source.parser(None) is not source.parser(None)
    assert type(source.parser(None)).__name__ == "_CallingParser"
    with pytest.raises(ConfigError, match="'nope'"):
        sources("nope")
    with pytest.raises(ConfigError, match=r"exchanges\.toy: unknown key 'q'"):
        Sources(Plugins(), Config(exchanges={"toy": {"q": 1}}))("toy")


def test_settings_of_the_capture_hold_unless_the_user_says_otherwise(install: Callable[..., str]) -> None:
    install("toy", TOY)
    captured = {"backfill_events": 7, "of_another_version": 1}
    assert Sources(Plugins(), Config())("toy", captured).most == 7
    assert Sources(Plugins(), Config(exchanges={"toy": {"backfill_events": 3}}))("toy", captured).most == 3
    assert Sources(Plugins(), Config())("toy").most == 0


def test_a_parser_plugin_takes_the_place_of_the_connectors_own(install: Callable[..., str]) -> None:
    install("toy", TOY + "\n@hookimpl\ndef jrr_parsers(): return [Own]\n")
    assert type(Sources(Plugins.load(["toy"]), Config())("toy").parser(None)).__name__ == "Own"


def test_of_a_part_what_was_received_in_it_is_stored_and_covered(tmp_path: Path) -> None:
    shelf = Shelf()
    file = lines(tmp_path, *[json.dumps({"ids": [n]}) for n in range(10)])
    replayed(file, shelf, tmp_path, window=Window(TS + 3, TS + 6))
    assert [trade.trade_id for trade in shelf.of(Trade)] == ["3", "4", "5"]
    (begin,), (end,) = shelf.of(Connected), shelf.of(Disconnected)
    assert (begin.ts_from, end.ts_to) == (TS + 3, TS + 6)


def test_parts_side_by_side_are_the_whole(tmp_path: Path) -> None:
    file = lines(tmp_path, *[json.dumps({"ids": [n]}) for n in range(10)])
    whole, first, second = Shelf(), Shelf(), Shelf()
    replayed(file, whole, tmp_path)
    replayed(file, first, tmp_path, window=Window(None, TS + 4))
    replayed(file, second, tmp_path, window=Window(TS + 4, None))
    assert [*first.of(Trade), *second.of(Trade)] == whole.of(Trade)


def test_a_recording_takes_as_long_as_it_did_over_its_speed(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("".join(f'{TS + n * 10**9} {{"ids":[{n}]}}\n' for n in range(5)))
    work = Replay([Shelf()], lambda *names: Source(lambda wanted: Counting()), Quarantine(tmp_path / "q", 10**6))
    began = time.monotonic()
    asyncio.run(work.run([file], "x", speed=20))
    assert 0.2 <= time.monotonic() - began < 2


def test_a_missing_file_is_told_and_ends_what_it_would_have_gone_on_with(tmp_path: Path) -> None:
    capture = Capture(CaptureSettings(path=str(tmp_path / "c"), flush_s=0.01, rotate_s=0.01))
    capture.act(Begun("x", "s", TS, "ws://x", None))
    for number in range(4):
        capture.frame("s", Frame("x", b'{"ids":[%d]}' % number, TS + number))
        while capture.kept < number + 2:
            time.sleep(0.001)
        time.sleep(0.02)
    capture.close()
    files = capture_files([tmp_path / "c"])
    (gone,) = [f for f in files if any(isinstance(i, Received) and i.ts == TS + 1 for i in read_capture(f))]
    gone.unlink()
    shelf = Shelf()
    work = Replay([shelf], lambda *names: Source(lambda wanted: Counting()), Quarantine(tmp_path / "q", 10**6))
    asyncio.run(work.run(capture_files([tmp_path / "c"])))
    assert [trade.trade_id for trade in shelf.of(Trade)] == ["0", "2", "3"]
    assert work.counts.damaged == 1
    assert "the capture lacks files" in work.counts.damages[0]
    assert next((end.reason, end.ts_to) for end in shelf.of(Disconnected)) == ("not captured", TS)
