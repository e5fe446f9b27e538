"""One log for all workers: their lines are said again, with their number."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from jrr_core.journal import set_up
from jrr_core.workers.log import say_again

LINE = {"ts": "2026-01-02T03:04:05.678+00:00", "level": "warning", "event": "gap", "text": "3 missing",
        "instance": "w2", "exchange": "x", "count": 3}  # fmt: skip


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = set_up("json", "info", stream, "spot")
    yield stream
    for logger in (logging.getLogger("jrr"), logging.getLogger()):
        logger.removeHandler(handler)


def said(worker: int, line: dict[str, object] | bytes, written: io.StringIO) -> list[dict[str, object]]:
    say_again(worker, line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
    return [json.loads(text) for text in written.getvalue().splitlines()]


def test_a_line_keeps_its_time_level_event_and_fields_and_gets_the_number(written: io.StringIO) -> None:
    (line,) = said(2, LINE, written)
    assert line == {**LINE, "text": "worker 2: 3 missing", "instance": "spot", "worker": 2}


def test_the_level_of_the_parent_holds(written: io.StringIO) -> None:
    assert said(2, {**LINE, "level": "debug"}, written) == []


@pytest.mark.parametrize("event", ["subscribed", "unsubscribed", "reloaded"])
def test_what_the_parent_says_for_all_is_not_said_by_each(written: io.StringIO, event: str) -> None:
    assert said(1, {**LINE, "event": event}, written) == []


@pytest.mark.parametrize("text", [b"printed\n", b'{"level": "info"}\n', b"[]\n", b"7\n", b"\xff\xfe\n",
                                  b'{"ts": "x", "level": "info", "event": "e", "text": "t"}\n'])  # fmt: skip
def test_what_is_no_line_of_a_log_is_told_as_it_is(written: io.StringIO, text: bytes) -> None:
    (line,) = said(1, text, written)
    assert (line["event"], line["level"], line["worker"]) == ("worker_wrote", "warning", 1)
    assert line["text"] == f"worker 1 wrote: {text.decode('utf-8', 'replace').strip()}"


def test_empty_lines_are_no_news(written: io.StringIO) -> None:
    assert said(1, b"\n", written) == []
