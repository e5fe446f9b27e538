"""Text from outside is harmless on a terminal and in a log, and means the same as JSON."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from jrr_core import journal
from jrr_core.cli.tell import tell
from jrr_core.printable import printable
from jrr_core.testing import hostile


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name[:20]))
def test_any_name_prints_and_is_the_same_as_json(name: str) -> None:
    assert printable(name).isprintable()
    text = json.dumps({"symbol": name}, ensure_ascii=False)
    assert json.loads(printable(text)) == {"symbol": name}


def test_what_prints_is_left_as_it_is() -> None:
    assert printable("币安人生USDT 'a' 🚀") == "币安人生USDT 'a' 🚀"


@pytest.mark.parametrize(("text", "shown"), [("abcdefghi", "abcde..."), ("\x1b" * 9, "\\u001..."), ("abc", "abc")])
def test_long_text_is_cut_after_it_was_escaped(text: str, shown: str) -> None:
    assert printable(text, 8) == shown


def test_commands_tell_lines_that_no_name_can_break(capsys: pytest.CaptureFixture[str]) -> None:
    tell(*hostile.NAMES)
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == len(hostile.NAMES) + 1
    assert all(line.isprintable() for line in lines)


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, io.StringIO]]:
    # What other tests made a secret is none here.
    monkeypatch.setattr("jrr_core.redact._secrets", set())
    stream = io.StringIO()
    handler = journal.set_up(request.param, "debug", stream)
    yield request.param, stream
    for logger in (logging.getLogger("jrr"), logging.getLogger()):
        logger.removeHandler(handler)


def test_log_lines_are_as_many_as_were_said_and_their_facts_exact(log: tuple[str, io.StringIO]) -> None:
    form, stream = log
    for name in hostile.NAMES:
        journal.say(logging.WARNING, "thing", f"example: {name} is odd", symbol=name)
    lines = stream.getvalue().split("\n")[:-1]
    assert len(lines) == len(hostile.NAMES)
    assert all(line.isprintable() and (form == "json" or len(line) < 5000) for line in lines)
    if form == "json":
        assert [json.loads(line)["symbol"] for line in lines] == [*hostile.NAMES]
