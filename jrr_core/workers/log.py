"""Lines of workers' logs, said again by their parent: one log for all, with the worker's number in each line."""

import logging
from datetime import datetime

from ..errors import ParseError
from ..journal import say
from ..wire import decode

_logger = logging.getLogger("jrr")
# What the parent says itself, once for all of them.
_ONCE = frozenset({"subscribed", "unsubscribed", "reloaded"})


def say_again(worker: int, text: bytes) -> None:
    """Log one line that a worker wrote; what is no line of its log, as what plugins print, is a warning."""
    try:
        said = decode(text)
        fields = {key: value for key, value in said.items() if key not in ("ts", "level", "event", "text", "instance")}
        level, event = logging.getLevelNamesMapping()[said["level"].upper()], said["event"]
        created, words = datetime.fromisoformat(said["ts"]).timestamp(), said["text"]
    except (ParseError, AttributeError, KeyError, TypeError, ValueError):
        printed = text.decode("utf-8", "replace").strip()
        if printed:
            say(logging.WARNING, "worker_wrote", f"worker {worker} wrote: {printed}", worker=worker)
        return
    if event not in _ONCE and _logger.isEnabledFor(level):
        told = {"jrr_event": event, "jrr_fields": {**fields, "worker": worker}}
        record = _logger.makeRecord(_logger.name, level, __file__, 0, f"worker {worker}: {words}", (), None, extra=told)
        record.created = created
        _logger.handle(record)
