"""The log: one line per change of state, with a stable event name and fields, as text or JSON.

Everything jrr says goes through `say`; formatting is chosen once, by `set_up`.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

_logger = logging.getLogger("jrr")
_logger.addHandler(logging.NullHandler())
_last_said: dict[tuple[str, str], tuple[float, int]] = {}
_MOST_KEYS = 10_000


def say(level: int, event: str, text: str, **fields: object) -> None:
    """Log one event: `event` is its stable name, `text` the sentence for people, `fields` the facts."""
    _logger.log(level, text, extra={"jrr_event": event, "jrr_fields": fields})


def say_seldom(level: int, event: str, key: str, text: str, **fields: object) -> None:
    """Log the event at most once a minute per `key`; the next line tells how many were folded into it."""
    now = time.monotonic()
    last, folded = _last_said.get((event, key), (-60.0, 0))
    if now - last < 60:
        _last_said[event, key] = (last, folded + 1)
        return
    if len(_last_said) >= _MOST_KEYS:
        _last_said.clear()
    _last_said[event, key] = (now, 0)
    if folded:
        text, fields = f"{text} (and {folded} more like it)", {**fields, "folded": folded}
    say(level, event, text, **fields)


class TextFormatter(logging.Formatter):
    """`12:00:01 WARNING text`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the traceback where there is one."""
        stamp = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{stamp} {record.levelname.lower():<7} {_one_line(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _one_line(text: str) -> str:
    """Exchanges' own words come along: no line break or terminal code of theirs may reach the terminal."""
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else char.encode("unicode_escape").decode() for char in text])


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ts, level, event, text and the event's own fields."""

    def __init__(self, instance: str = "") -> None:
        """With the name of the collector, where it has one, in every line."""
        super().__init__()
        self._instance = {"instance": instance} if instance else {}

    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON line."""
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "jrr_event", record.name),
            "text": record.getMessage(),
            **self._instance,
            **getattr(record, "jrr_fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Handler(logging.StreamHandler[TextIO]):
    """Its own class, so that a second `set_up` replaces the first one's and nobody else's."""


def set_up(format: str, level: str, stream: TextIO | None = None, instance: str = "") -> logging.Handler:
    """Send the log to `stream` (standard error) as "text" or "json" from `level` up; return the handler.

    `instance` is in every line of JSON.

    Warnings of other libraries take the same form: whoever reads the log line by
    line meets no other.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(instance) if format == "json" else TextFormatter())
    for logger in (_logger, logging.getLogger()):
        for old in [h for h in logger.handlers if isinstance(h, _Handler)]:
            logger.removeHandler(old)
        logger.addHandler(handler)
    set_level(level)
    _logger.propagate = False
    return handler


def set_level(level: str) -> None:
    """Log from `level` up ("debug", "info", "warning", "error")."""
    _logger.setLevel(level.upper())
