"""The log: one line per event, as text or JSON, seldom where it would be often."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from jrr_core import journal


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Return what the text log writes; the logger is as before afterwards."""
    stream = io.StringIO()
    yield from _logging_to(stream, "text")


@pytest.fixture
def json_log() -> Iterator[io.StringIO]:
    """Return what the JSON log writes."""
    stream = io.StringIO()
    yield from _logging_to(stream, "json")


def _logging_to(stream: io.StringIO, format: str) -> Iterator[io.StringIO]:
    logger, root = logging.getLogger("jrr"), logging.getLogger()
    before = (logger.handlers[:], logger.level, logger.propagate)
    before_root = root.handlers[:]
    journal.set_up(format, "info", stream)
    journal._last_said.clear()
    yield stream
    logger.handlers[:], logger.level, logger.propagate = before
    root.handlers[:] = before_root


def test_text_is_time_level_and_sentence(log: io.StringIO) -> None:
    journal.say(logging.WARNING, "thing", "100 % of it", n=1)
    stamp, level, text = log.getvalue().split(maxsplit=2)
    assert (len(stamp), level, text) == (8, "warning", "100 % of it\n")


def test_json_has_the_event_s_name_and_fields(json_log: io.StringIO) -> None:
    journal.say(logging.ERROR, "thing", "text", n=1, what=ValueError("x"))
    line = json.loads(json_log.getvalue())
    assert {k: v for k, v in line.items() if k != "ts"} == {
        "level": "error", "event": "thing", "text": "text", "n": 1, "what": "x",
    }  # fmt: skip


def test_a_library_s_warning_has_the_same_form(json_log: io.StringIO) -> None:
    logging.getLogger("asyncio").error("Future exception was never retrieved\nfuture: <Future>")
    logging.getLogger("asyncio").info("not this")
    (line,) = json_log.getvalue().splitlines()
    assert json.loads(line)["event"] == "asyncio"


def test_a_traceback_comes_along(json_log: io.StringIO) -> None:
    try:
        raise ValueError("deep")
    except ValueError as error:
        logging.getLogger("jrr").error("failed", exc_info=error)
    assert "ValueError: deep" in json.loads(json_log.getvalue())["traceback"]


def test_an_exchange_cannot_write_lines_or_terminal_codes_into_the_log(log: io.StringIO) -> None:
    journal.say(logging.WARNING, "thing", "closed: \x1b[31mred\n00:00:00 error forged")
    assert log.getvalue().count("\n") == 1
    assert "\\x1b[31mred\\n00" in log.getvalue()


def test_below_the_level_nothing_is_written(log: io.StringIO) -> None:
    journal.say(logging.DEBUG, "thing", "text")
    assert log.getvalue() == ""


def test_setting_up_again_replaces_the_former_log(log: io.StringIO) -> None:
    other = io.StringIO()
    journal.set_up("text", "info", other)
    journal.say(logging.INFO, "thing", "text")
    assert log.getvalue() == ""
    assert other.getvalue()


def test_seldom_is_once_a_minute_per_key_and_tells_what_it_folded(
    json_log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("jrr_core.journal.time.monotonic", lambda: now[0])
    for _ in range(3):
        journal.say_seldom(logging.ERROR, "thing", "a", "it failed")
    journal.say_seldom(logging.ERROR, "thing", "b", "it failed")
    assert len(json_log.getvalue().splitlines()) == 2
    now[0] += 60.0
    journal.say_seldom(logging.ERROR, "thing", "a", "it failed")
    last = json.loads(json_log.getvalue().splitlines()[-1])
    assert (last["text"], last["folded"]) == ("it failed (and 2 more like it)", 2)


def test_ever_new_keys_do_not_fill_the_memory(log: io.StringIO) -> None:
    for number in range(journal._MOST_KEYS + 10):
        journal.say_seldom(logging.DEBUG, "thing", str(number), "text")
    assert len(journal._last_said) <= journal._MOST_KEYS
