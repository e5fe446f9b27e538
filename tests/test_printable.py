"""Text from outside is harmless on a terminal and in a log, and means the same as JSON."""

import json
import logging

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


@pytest.mark.parametrize("formatter", [journal.TextFormatter(), journal.JsonFormatter()], ids=["text", "json"])
@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name[:20]))
def test_a_log_line_is_one_line_and_its_facts_are_exact(
    formatter: logging.Formatter, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What other tests made a secret is none here.
    monkeypatch.setattr("jrr_core.redact._secrets", set())
    told = {"levelname": "WARNING", "msg": f"example: {name} is odd", "jrr_event": "e", "jrr_fields": {"symbol": name}}
    line = formatter.format(logging.makeLogRecord(told))
    assert line.isprintable()
    if isinstance(formatter, journal.JsonFormatter):
        assert json.loads(line)["symbol"] == name
    else:
        assert len(line) < 5000
