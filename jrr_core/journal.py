"""The log: one line per change of state, with a stable event name and fields, as text or JSON.

Everything jrr says goes through `say`; formatting is chosen once, by `set_up`.
"""

import json
import logging
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from .printable import printable
from .redact import shown

_logger = logging.getLogger("jrr")
_logger.addHandler(logging.NullHandler())
_SELDOM_S = 60.0
_MOST_KEYS = 10_000
# Of a line of text; what exchanges call things comes along, whatever its length.
_MOST_CHARS = 4_000


def say(level: int, event: str, text: str, **fields: object) -> None:
    """Log one event: `event` is its stable name, `text` the sentence for people, `fields` the facts."""
    _logger.log(level, text, extra={"jrr_event": event, "jrr_fields": fields})


@dataclass
class _Said:
    """An event that is told seldom: when it was last, and what has been folded into the next line."""

    at: float
    folded: int
    level: int
    text: str
    fields: dict[str, object]


_said: dict[tuple[str, str], _Said] = {}


def say_seldom(level: int, event: str, key: str, text: str, **fields: object) -> None:
    """Log the event at most once a minute per `key`; the next line, or `tell_folded`, tells how many were folded."""
    now, last = time.monotonic(), _said.get((event, key))
    if last is not None and now - last.at < _SELDOM_S:
        last.folded, last.level, last.text, last.fields = last.folded + 1, level, text, fields
        return
    if len(_said) >= _MOST_KEYS:
        tell_folded(at_once=True)
        _said.clear()
    _said[event, key] = _Said(now, 0, level, text, fields)
    _say_with(level, event, text, fields, 0 if last is None else last.folded)


def tell_folded(at_once: bool = False) -> None:
    """Log what was folded and whose minute is over; `at_once`: all of it, as at the end of a run."""
    now = time.monotonic()
    for (event, key), said in list(_said.items()):
        if at_once or now - said.at >= _SELDOM_S:
            del _said[event, key]
            if said.folded:
                _say_with(said.level, event, said.text, said.fields, said.folded - 1)


def _say_with(level: int, event: str, text: str, fields: dict[str, object], folded: int) -> None:
    if folded:
        text, fields = f"{text} (and {folded} more like it)", {**fields, "folded": folded}
    say(level, event, text, **fields)


class TextFormatter(logging.Formatter):
    """`12:00:01 WARNING text`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the traceback where there is one."""
        stamp = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = f"{stamp} {record.levelname.lower():<7} {printable(record.getMessage(), _MOST_CHARS)}"
        return shown(f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line)


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
        }
        line = {**line, **getattr(record, "jrr_fields", {}), **line}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        try:
            return shown(json.dumps(line, default=str, allow_nan=False))
        except ValueError:
            return shown(json.dumps({name: str(value) for name, value in line.items()}))


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
