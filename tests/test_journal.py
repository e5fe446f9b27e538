"""The log: one line per event, as text or JSON, seldom where it would be often."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from jrr_core import journal
from jrr_core.redact import hide


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
    journal._said.clear()
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
    assert "\\u001b[31mred\\n00" in log.getvalue()


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


def test_what_was_folded_last_is_told_when_its_minute_is_over(
    json_log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("jrr_core.journal.time.monotonic", lambda: now[0])
    for number in range(5):
        journal.say_seldom(logging.ERROR, "thing", "a", f"it failed {number}")
    journal.tell_folded()
    now[0] += 60.0
    journal.tell_folded()
    journal.tell_folded()
    first, last = (json.loads(line) for line in json_log.getvalue().splitlines())
    assert (first["text"], "folded" in first) == ("it failed 0", False)
    assert (last["text"], last["folded"]) == ("it failed 4 (and 3 more like it)", 3)


def test_the_end_of_a_run_tells_what_is_folded_at_once(json_log: io.StringIO) -> None:
    for _ in range(2):
        journal.say_seldom(logging.ERROR, "thing", "a", "it failed")
    journal.tell_folded(at_once=True)
    assert len(json_log.getvalue().splitlines()) == 2


def test_a_field_never_takes_the_place_of_the_line_s_own(json_log: io.StringIO) -> None:
    journal.say(logging.INFO, "thing", "text", ts=1)
    logging.getLogger("jrr").info("text", extra={"jrr_event": "e", "jrr_fields": {"event": "other", "text": "other"}})
    first, second = (json.loads(line) for line in json_log.getvalue().splitlines())
    assert first["ts"] != 1
    assert (second["event"], second["text"]) == ("e", "text")


def test_numbers_that_json_has_no_form_for_leave_the_line_whole(json_log: io.StringIO) -> None:
    journal.say(logging.INFO, "thing", "text", lag=float("nan"), n=float("inf"))
    assert json.loads(json_log.getvalue())["lag"] == "nan"


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_never_get_into_a_line(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.redact._secrets", set())
    hide('hun"ter 2')
    stream = io.StringIO()
    for _ in _logging_to(stream, form):
        journal.say(logging.ERROR, "thing", 'it was hun"ter 2, or hun%22ter%202', why='hun"ter 2')
        journal.say(logging.ERROR, "thing", "at postgresql://me:opensesame@db:5432/x and socks5h://u:p4ss@h")
        try:
            raise ValueError('hun"ter 2')
        except ValueError:
            logging.getLogger("other").exception('hun"ter 2')
    text = stream.getvalue()
    assert not [word for word in ("ter 2", "ter%202", "opensesame", "p4ss") if word in text], text
    assert "postgresql://me:***@db:5432/x" in text


def test_ever_new_keys_do_not_fill_the_memory(log: io.StringIO) -> None:
    for number in range(journal._MOST_KEYS + 10):
        journal.say_seldom(logging.DEBUG, "thing", str(number), "text")
    assert len(journal._said) <= journal._MOST_KEYS
